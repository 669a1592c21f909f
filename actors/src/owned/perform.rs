//! What an owner's machine wants of the world, done once its changes are committed.

use std::collections::VecDeque;
use std::time::Duration;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use muster_cluster::{hash64, simulation};
use muster_proto::machine::{Effect, Then};
use muster_proto::store::{Reply, StoreError, Write};

use super::{Call, Held, Owned, Owner, RELEASE_AGAIN, State};
use crate::keys;
use crate::ledger::{Item, Post};
use crate::receipt::{Label, Receipt, Via};
use crate::storage::{Batch, Fence};

/// A write that a former owner began is tried again after this while the store is away.
const WRITE_AGAIN: Duration = Duration::from_secs(1);
/// The kind of labels for what a step led to.
const POST: u64 = u64::MAX;

/// Tells apart what a step leads to: by whom it is for, since that is the same each time the step is made.
#[derive(Default)]
struct Names(Vec<u64>);

impl Names {
    fn next(&mut self, via: &Via, receiver: Option<&str>) -> u64 {
        let (Some(receiver), true) = (receiver, via.label.is_some()) else { return 0 };
        let name = hash64(receiver.as_bytes());
        let times = self.0.iter().filter(|known| **known == name).count() as u64;
        self.0.push(name);
        name.wrapping_add(times)
    }
}

impl<M: Owned> Owner<M> {
    /// Performs the effects whose changes are committed, in order. Who waits for nothing keeps no room for it.
    pub(super) fn release(&mut self, ctx: &mut Context<Self>) {
        while let Some(held) = self.held.pop_front() {
            if !self.may_release(&held, ctx) {
                return self.held.push_front(held);
            }
            self.perform_all(held, ctx);
        }
        self.held = VecDeque::new();
    }

    /// Whether effects need not wait: for their changes to be committed, for a lease, or, if a socket is told something, for a
    /// link that is full.
    pub(super) fn may_release(&mut self, held: &Held<M>, ctx: &mut Context<Self>) -> bool {
        if !self.world.ignores_fence() && !self.copying.is_committed(held.lsn) {
            return false;
        }
        let is_full = |effect: &_| matches!(effect, Effect::Socket(to, _) if self.world.is_full(to.node));
        let waits = self.world.is_fenced() || held.effects.iter().any(is_full);
        if waits {
            self.release_later(ctx);
        }
        !waits
    }

    /// Performs what a step led to.
    pub(super) fn perform_all(&mut self, held: Held<M>, ctx: &mut Context<Self>) {
        let Held { effects, via, post, commits, .. } = held;
        if commits {
            simulation::commits(M::NAME, self.address.as_str(), || self.world.epoch());
        }
        if post.is_some() {
            // Who wrote what by which epoch, for those who check that no two did: `muster-chaos` reads it.
            let (slot, epoch) = (self.slot, self.world.epoch());
            tracing::trace!(target: "muster_actors::writes", role = ?M::ROLE, slot, epoch, "committed");
        }
        // What changes led to is in both copies: from here on this owner answers for it.
        let own = post.map(|number| self.posted(number));
        let mut names = Names::default();
        let mut effects = effects.into_iter();
        while let Some(effect) = effects.next() {
            // What a socket is told, nobody answers for.
            if let Effect::Socket(socket, message) = effect {
                self.world.tell(socket, message);
                continue;
            }
            let on = own.as_ref().unwrap_or(&via);
            let name = names.next(on, Item::receiver_of(&effect));
            match effect {
                // All that it led to is this: so this answers for it.
                Effect::Route(stanza) if own.is_none() && effects.as_slice().is_empty() => {
                    return self.world.route(stanza, via.into_then(self.name, name));
                }
                effect => self.perform(effect, on.then(self.name, name), &via, ctx),
            }
        }
        own.into_iter().for_each(|own| own.receipt.settle());
        via.receipt.settle();
    }

    fn release_later(&mut self, ctx: &mut Context<Self>) {
        if !std::mem::replace(&mut self.halted, true) {
            ctx.run_later(RELEASE_AGAIN, |owner, ctx| {
                owner.halted = false;
                owner.release(ctx);
                owner.settle(ctx);
            });
        }
    }

    fn posted(&self, number: u32) -> Via {
        let mail = self.mail.clone();
        let receipt = Receipt::new(move || drop(mail.send(Call::Done(number), usize::MAX)));
        Via::new(receipt, Some(Label::new(self.name, POST, number)))
    }

    /// `on` is what goes on with the effect, `via` what led to it.
    fn perform(&mut self, effect: Effect<M>, on: Via, via: &Via, ctx: &mut Context<Self>) {
        match effect {
            Effect::Route(stanza) => return self.world.route(stanza, on),
            Effect::Fanout { stanza, to } => return self.world.fanout(stanza, to, on),
            Effect::Order(account, order) => return self.world.order(&account, order, on),
            Effect::Socket(socket, message) => self.world.tell(socket, message),
            Effect::Ask(query, then) => {
                let answer = self.world.storage.query(query);
                self.expect(answer, then, Receipt::default(), via.answered(), ctx);
            }
            Effect::Store(writes, then) => {
                let written = self.write(writes);
                let written = async move { written.await.map(|()| Reply::Done) };
                return self.expect(written, then, on.receipt, via.answered(), ctx);
            }
            Effect::Derive(password, then) => {
                self.asked += 1;
                let via = via.answered();
                let rounds = self.world.options.sasl_iterations;
                let derived = keys::apart(move || keys::derive(&password, rounds));
                ctx.spawn(derived.into_actor(self).map(move |credentials, owner, ctx| {
                    owner.asked -= 1;
                    match credentials {
                        Ok(Ok(credentials)) => {
                            owner.step(ctx, via, |machine, env, out| then(machine, credentials, env, out));
                        }
                        // Machines check passwords before they ask.
                        Ok(Err(error)) => tracing::error!(%error, "a password could not be turned into keys"),
                        Err(error) => tracing::error!(%error, "a derivation did not end"),
                    }
                    owner.settle(ctx);
                }));
            }
        }
        on.receipt.settle();
    }

    fn write(&self, writes: Vec<Write>) -> impl Future<Output = Result<(), StoreError>> + use<M> {
        let fence = Some(Fence { slot: self.slot, epoch: self.world.epoch() });
        self.world.storage.write(Batch { fence, writes })
    }

    fn expect<F>(&mut self, answer: F, then: Then<M>, done: Receipt, via: Via, ctx: &mut Context<Self>)
    where
        F: Future<Output = Result<Reply, StoreError>> + 'static,
    {
        self.asked += 1;
        ctx.spawn(answer.into_actor(self).map(move |reply, owner, ctx| {
            owner.asked -= 1;
            if reply == Err(StoreError::Stale) {
                tracing::warn!(slot = owner.slot, jid = %owner.world.shown(&owner.address), "another node owns this slot now");
            }
            let span = if reply.is_err() { owner.span("store") } else { tracing::Span::none() };
            span.in_scope(|| owner.step(ctx, via, |machine, env, out| then(machine, reply, env, out)));
            done.settle();
            owner.settle(ctx);
        }));
    }

    /// Begins with what another owner left. Without a lease it waits for it.
    pub(super) fn inherit(&mut self, ctx: &mut Context<Self>) {
        if !matches!(self.state, State::Inherited(..)) {
            return;
        }
        if self.world.is_fenced() {
            ctx.run_later(RELEASE_AGAIN, |owner, ctx| {
                owner.inherit(ctx);
                owner.settle(ctx);
            });
            return;
        }
        if let State::Inherited(machine, letters) = std::mem::replace(&mut self.state, State::Gone) {
            self.state = State::Ready(machine);
            self.copy();
            self.resume(ctx);
            letters.into_iter().for_each(|letter| self.receive(letter, ctx));
        }
    }

    /// Does again what a former owner did not see safe.
    fn resume(&mut self, ctx: &mut Context<Self>) {
        let posts: Vec<Post> = self.ledger.posts().cloned().collect();
        for Post { number, items } in posts {
            let via = self.posted(number);
            let mut names = Names::default();
            for item in items {
                let on = via.then(self.name, names.next(&via, item.receiver()));
                match item {
                    Item::Route(stanza) => self.world.route(stanza, on),
                    Item::Fanout(stanza, to) => self.world.fanout(stanza, to, on),
                    Item::Order(account, order) => self.world.order(&account, order, on),
                    Item::Store(writes) => {
                        self.writes_again += 1;
                        self.write_again(writes, on.receipt, ctx);
                    }
                }
            }
            via.receipt.settle();
        }
        self.go_on(ctx);
    }

    fn go_on(&mut self, ctx: &mut Context<Self>) {
        let writes = self.writes_again;
        self.step(ctx, Via::default(), |machine, env, out| machine.go_on(writes, env, out));
    }

    /// What a former owner was writing is written, or never can be.
    fn wrote_again(&mut self, done: Receipt, ctx: &mut Context<Self>) {
        done.settle();
        self.writes_again -= 1;
        self.go_on(ctx);
        self.settle(ctx);
    }

    fn write_again(&mut self, writes: Vec<Write>, done: Receipt, ctx: &mut Context<Self>) {
        let written = self.write(writes.clone());
        ctx.spawn(written.into_actor(self).map(move |written, owner, ctx| match written {
            Err(StoreError::Away(_)) => {
                ctx.run_later(WRITE_AGAIN, move |owner, ctx| owner.write_again(writes, done, ctx));
            }
            Err(error) => {
                tracing::error!(slot = owner.slot, %error, "what a node that is gone was writing could not be written");
                owner.wrote_again(done, ctx);
            }
            Ok(()) => owner.wrote_again(done, ctx),
        }));
    }
}
