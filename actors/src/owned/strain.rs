//! Owners whose inputs become many messages take no more of them while links have much to carry: only so much may wait for a
//! peer, and what comes beyond is lost. Their inputs wait, in order, and so does in the end who says them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix::Context;
use muster_proto::machine::{Effect, Machine};

use super::{Call, Owned, Owner};
use crate::mail::{Letter, later};
use crate::world::World;

/// After this it is seen whether links have less to carry.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// What an address takes, about.
const ADDRESS_BYTES: usize = 64;

/// What owners have decided to send and hold back until it is committed, in bytes.
#[derive(Default)]
pub struct Strain(Arc<AtomicUsize>);

/// A share in it, as long as this lives.
pub struct Share {
    of: Arc<AtomicUsize>,
    bytes: usize,
}

impl Strain {
    /// The share of these.
    pub fn share<M: Machine>(&self, effects: &[Effect<M>]) -> Share {
        let bytes = effects.iter().map(bytes).sum();
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Share { of: self.0.clone(), bytes }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

fn bytes<M: Machine>(effect: &Effect<M>) -> usize {
    match effect {
        Effect::Route(stanza) => stanza.bytes(),
        Effect::Fanout { stanza, to } => stanza.bytes() + to.len() * ADDRESS_BYTES,
        _ => 0,
    }
}

impl World {
    /// Whether links have so much to carry that nothing should be begun that makes it much more.
    fn is_strained(&self) -> bool {
        let Some(cluster) = self.cluster() else { return false };
        let held = self.strain.0.load(Ordering::Relaxed);
        !self.is_alone() && (cluster.is_strained(held) || self.deliveries.are_half_owed())
    }
}

impl<M: Owned> Owner<M> {
    /// Takes what it is told, or puts it off.
    pub(super) fn receive(&mut self, letter: Letter<Call<M>>, ctx: &mut Context<Self>) {
        let may_wait = M::MULTIPLIES && matches!(letter.body, Call::Input(..));
        if may_wait && (!self.put_off.is_empty() || self.world.is_strained()) {
            metrics::counter!("muster_rooms_delayed_total").increment(1);
            self.put_off.push_back(letter);
            if self.put_off.len() == 1 {
                self.look_again(ctx);
            }
            return;
        }
        self.take(letter.body, ctx);
    }

    fn look_again(&self, ctx: &Context<Self>) {
        later(ctx, LOOK_AGAIN, |owner, ctx| {
            while !owner.world.is_strained()
                && let Some(letter) = owner.put_off.pop_front()
            {
                owner.take(letter.body, ctx);
            }
            if !owner.put_off.is_empty() {
                owner.look_again(ctx);
            }
            owner.settle(ctx);
        });
    }
}
