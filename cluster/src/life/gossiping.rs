//! The gossip of one incarnation, or what a simulation has in its place.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::{Bound, Estate};
use crate::gossip::{Facts, Gossip, Setting};
use crate::link::{Event, Ground};
use crate::shared::Shared;
use crate::simulation::Ether;
use crate::{GossipFacts, Member, metrics as names};

/// Gossip is told and asked this often.
const GOSSIP_EVERY: Duration = Duration::from_millis(250);

/// Gossips as long as the incarnation lives.
pub(super) fn gossip(
    estate: &Estate,
    bound: &Bound,
    me: &Member,
    ground: Arc<Ground>,
) -> impl Future<Output = ()> + use<> {
    let network = estate.config.network.clone().expect("what is bound is a network");
    let (shared, quiet, me) = (estate.shared.clone(), estate.quiet.clone(), me.clone());
    let (version, advertise) = (estate.config.version.clone(), bound.gossip_address);
    let (socket, seal) = (bound.gossip.clone(), bound.seal.clone());
    async move {
        let setting = Setting {
            me: &me,
            version: &version,
            cluster: &network.cluster_id,
            advertise,
            seeds: &network.seeds,
            socket,
            seal,
            quiet,
        };
        let gossip = match Gossip::start(setting).await {
            Ok(gossip) => gossip,
            Err(error) => return tracing::error!(%error, "gossip does not start"),
        };
        let mut turn = interval(GOSSIP_EVERY);
        turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turn.tick().await;
            let known = ground.epoch.load(Ordering::Relaxed);
            let load = *shared.load.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            gossip.tell(known, load, shared.missing.load(Ordering::Relaxed)).await;
            heed(gossip.facts().await, known, &shared, &ground);
        }
    }
}

/// What gossip has brought.
fn heed(facts: Facts, known: u64, shared: &Shared, ground: &Ground) {
    if let Some(highest) = facts.values().map(|f| f.epoch).max().filter(|e| *e > known) {
        ground.tell(Event::Epoch(highest));
    }
    metrics::gauge!(names::ALIVE).set(facts.values().filter(|f| f.alive).count() as f64);
    shared.facts.store(Arc::new(facts));
}

/// The gossip of a simulation.
pub(super) async fn rumours(ether: Arc<dyn Ether>, shared: Arc<Shared>, me: Member, ground: Arc<Ground>) {
    let mut turn = interval(GOSSIP_EVERY);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turn.tick().await;
        let epoch = ground.epoch.load(Ordering::Relaxed);
        let load = *shared.load.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (incarnation, link, version) = (me.incarnation, me.link, String::new());
        let missing = shared.missing.load(Ordering::Relaxed);
        let mine = GossipFacts { alive: true, incarnation, version, epoch, link, load, missing };
        heed(ether.gossip(mine).into_iter().collect(), epoch, &shared, &ground);
    }
}
