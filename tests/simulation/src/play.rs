//! One history from its seed: nodes start, clients talk, things go wrong, everything is healed, and service is demanded.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use muster_actors::storage::Batch;
use muster_cluster::Limits;
use muster_proto::BareJid;
use muster_proto::options::{Domain, Options};
use muster_proto::sasl::Credentials;
use muster_proto::store::{Key, Write, collection};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep};

use crate::chance::Chance;
use crate::client::connection::{DOMAIN, PASSWORD};
use crate::client::{Client, Role};
use crate::commits::Commits;
use crate::ether::{Clock, NodeEther, Rumours};
use crate::fault::{self, Act, Scene};
use crate::history::History;
use crate::invariant::{Demand, Invariant};
use crate::log;
use crate::network::{Network, OUTSIDE};
use crate::nodes::{self, Nodes, SETTLE, SETTLE_LONG};
use crate::note;
use crate::oracle::{Oracle, Phase};
use crate::store::Store;

/// How long what is said last may take.
const SERVICE_TIME_MAX: Duration = Duration::from_secs(10);

/// After so long without a word nothing may be under way: less than what waits in vain is kept.
const REST: Duration = Duration::from_secs(14);
/// How long a node may take to leave, if nothing else is wrong.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);

/// What became of a history.
pub struct Outcome {
    /// What must not be, and is demanded under its faults.
    pub violations: Vec<(Invariant, String)>,
    /// What must not be, and is not demanded under its faults.
    pub tolerated: Vec<Invariant>,
    /// The number of the last view.
    pub epoch: u64,
    /// All that happened.
    pub history: String,
    /// The same for the same history only.
    pub sum: u64,
}

/// What a history follows, where its seed does not decide.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// How many nodes there are.
    pub nodes: Option<usize>,
    /// What goes wrong.
    pub acts: Option<Vec<Act>>,
    /// If that is not said, it is one fault in the middle of a planned change.
    pub paired: bool,
    /// How many clients there are, all of whom go to one room at once.
    pub crowd: Option<usize>,
    /// How long a few bytes take between nodes, until all is healed.
    pub slow: Duration,
    /// What nodes may cost each other.
    pub limits: Limits,
}

/// Plays the history of a seed; each fourth has one fault in a planned change. A loud one is printed as it happens.
///
/// # Panics
/// A node does.
pub fn play(seed: u64, loud: bool) -> Outcome {
    play_script(seed, Script { paired: seed % 4 == 3, ..Script::default() }, loud)
}

/// Plays the history of a seed by a script.
///
/// # Panics
/// A node does.
pub fn play_script(seed: u64, script: Script, loud: bool) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without input and output");
    runtime.block_on(async {
        let mut chance = Chance::new(seed);
        let history = History::new(loud);
        log::begin();
        note!(history, "seed {seed}");
        let network = Network::new(chance.fork());
        // Clients and the store have a clock that is right.
        let world = Arc::new(NodeEther {
            place: OUTSIDE,
            clock: Clock::new(Instant::now(), 1_000, Duration::ZERO),
            chance: Mutex::new(chance.fork()),
            network: network.clone(),
            rumours: Rumours::default(),
            commits: Commits::default(),
        });
        let inside = nodes::enter(&world);
        let store = Store::default();
        let drawn = *chance.pick(&[2, 3, 3, 3, 3, 3, 4, 5]);
        let count = script.nodes.unwrap_or(drawn);
        let nodes = Nodes::new(
            count,
            (options(), script.limits.clone()),
            network.clone(),
            store.clone(),
            history.clone(),
            chance.fork(),
        );
        let scene = Scene { nodes: nodes.clone(), network, store, history: history.clone() };
        let mut outside = LocalSet::new();
        let directed = outside.spawn_local(direct(scene, script, chance));
        let mut directed = pin!(directed);
        let outcome = poll_fn(|cx| {
            nodes.poll(cx);
            let _: Poll<()> = Pin::new(&mut outside).poll(cx);
            directed.as_mut().poll(cx)
        });
        let outcome = outcome.await.expect("the director does not panic");
        (0..nodes.count()).for_each(|place| nodes.kill(place, true));
        drop(outside);
        drop(inside);
        outcome
    })
}

fn options() -> Options {
    let conference = format!("conference.{DOMAIN}");
    let domain =
        Domain { name: DOMAIN.into(), conference, admins: vec![], anonymous: false, registration: false };
    Options { domains: vec![domain], ..Options::default() }
}

/// Who talks with whom: pairs, a few rooms, and some who come last.
fn cast(chance: &mut Chance) -> Vec<Role> {
    let (pairs, rooms, sleepers) = (1 + chance.below(3), 1 + chance.below(2), chance.below(2));
    let awake = 2 * pairs;
    let mut roles: Vec<Role> = (0..awake + sleepers)
        .map(|number| Role {
            number,
            peers: vec![],
            rooms: vec![],
            pace: 150 + chance.draw() % 500,
            asks_again: false,
            ends: chance.one_in(4),
        })
        .collect();
    for role in roles.iter_mut().take(awake) {
        role.peers.push(role.number ^ 1);
        role.peers.extend(awake..awake + sleepers);
        role.rooms = (0..rooms).filter(|room| *room == 0 || chance.one_in(2)).collect();
    }
    roles
}

/// Many in one room, each of whom writes to a neighbour, too.
fn crowd(count: usize) -> Vec<Role> {
    let role = |number| Role {
        number,
        peers: vec![number ^ 1],
        rooms: vec![0],
        pace: 1_000,
        asks_again: false,
        ends: false,
    };
    (0..count).map(role).collect()
}

async fn accounts(store: &Store, roles: &[Role]) {
    let credentials = Credentials::derive(PASSWORD, [7; 32], 1).expect("a simple password");
    let json = serde_json::to_vec(&credentials).expect("credentials are written as JSON");
    for role in roles {
        let account = BareJid::new(&format!("u{}@{DOMAIN}", role.number)).expect("a simple name");
        let write = Write::Put(Key::new(collection::CREDENTIALS, account.as_str()), json.clone());
        store.put(Batch::unfenced(vec![write])).await;
    }
}

async fn direct(scene: Scene, script: Script, mut chance: Chance) -> Outcome {
    let Scene { nodes, network, store, history } = scene.clone();
    let oracle = Rc::new(Oracle::new(history.clone()));
    let mut roles = match script.crowd {
        Some(count) => crowd(count),
        None => cast(&mut chance),
    };
    let drawn = match script.paired {
        true => fault::pair(nodes.count(), &mut chance),
        false => fault::plan(nodes.count(), &mut chance),
    };
    let acts = script.acts.unwrap_or(drawn);
    let (single, borne) = (acts.len() < 2, fault::are_borne(nodes.count(), &acts));
    note!(history, "{} nodes, {} clients, {acts:?}", nodes.count(), roles.len());
    roles.iter_mut().for_each(|role| role.asks_again = !single);
    accounts(&store, &roles).await;
    for place in 0..nodes.count() {
        nodes.start(place);
        sleep(chance.millis(0, 300)).await;
    }
    for place in 0..nodes.count() {
        fault::wait_ready(&nodes, place).await;
    }
    for (from, to) in (0..nodes.count()).flat_map(|from| (0..nodes.count()).map(move |to| (from, to))) {
        network.slow(from, to, script.slow);
    }
    let begin = |role: &Role, chance: &mut Chance| {
        let client = Client::new(role.clone(), chance.fork(), network.clone(), nodes.clone(), oracle.clone());
        tokio::task::spawn_local(client.run());
    };
    let (awake, sleepers): (Vec<_>, Vec<_>) = roles.iter().partition(|role| !role.peers.is_empty());
    awake.iter().for_each(|role| begin(role, &mut chance));
    sleep(Duration::from_secs(2)).await;
    let is_well = acts.iter().all(|act| act.fault.is_wanted());
    misfortune(acts, &scene, &mut chance).await;
    if is_well && nodes.longest_drain() > DRAIN_TIME_MAX {
        oracle.fault(Invariant::LeavesInTime, &format!("a node takes {:?}", nodes.longest_drain()));
    }
    sleep(chance.millis(500, 2_000)).await;

    heal(&scene);
    oracle.set_phase(Phase::Rest);
    let settle = if single { SETTLE } else { SETTLE_LONG };
    sleep(settle.min(REST)).await;
    look_under_way(&scene, &oracle);
    sleep(settle.saturating_sub(REST)).await;
    sleepers.iter().for_each(|role| begin(role, &mut chance));
    oracle.set_phase(Phase::Last);
    let last = Instant::now();
    sleep(Duration::from_secs(2)).await;
    while !oracle.is_served(&roles) && last.elapsed() < SERVICE_TIME_MAX {
        sleep(Duration::from_millis(200)).await;
    }
    // Whatever comes late or twice comes now.
    sleep(Duration::from_secs(1)).await;
    let epoch = converged(&scene, &oracle);
    oracle.judge(&roles);
    nodes.commits().faults().iter().for_each(|fault| oracle.fault(Invariant::OneOwner, fault));
    store.faults().iter().for_each(|fault| oracle.fault(Invariant::OneWriter, fault));
    verdict(&oracle, borne, epoch, &history)
}

async fn misfortune(acts: Vec<Act>, scene: &Scene, chance: &mut Chance) {
    let end = acts.iter().map(Act::end).max().unwrap_or(Duration::from_secs(1));
    let playing: Vec<_> = acts
        .into_iter()
        .map(|act| tokio::task::spawn_local(act.play(scene.clone(), chance.fork())))
        .collect();
    sleep(end).await;
    for play in playing {
        play.await.expect("faults do not panic");
    }
}

/// Everything is well again.
fn heal(scene: &Scene) {
    note!(scene.history, "everything is healed");
    scene.network.heal();
    scene.store.set_away(false);
    for place in 0..scene.nodes.count() {
        scene.nodes.pause(place, false);
        if !scene.nodes.exists(place) {
            scene.nodes.start(place);
        }
    }
}

/// Nobody says anything, and has not for long.
fn look_under_way(scene: &Scene, oracle: &Oracle) {
    for place in 0..scene.nodes.count() {
        let Some(status) = scene.nodes.status(place) else { continue };
        let (slots, owed) = (status.slots_arriving + status.slots_leaving, status.deliveries_unconfirmed);
        if slots + owed > 0 {
            let what = format!("n{place} has {slots} slots and {owed} deliveries under way");
            oracle.fault(Invariant::NothingUnderWay, &what);
        }
    }
}

fn converged(scene: &Scene, oracle: &Oracle) -> u64 {
    let nodes = &scene.nodes;
    let all: Vec<_> = (0..nodes.count()).filter_map(|place| nodes.status(place)).collect();
    let epochs: Vec<u64> = all.iter().map(|status| status.epoch).collect();
    note!(scene.history, "epochs {epochs:?}");
    if epochs.windows(2).any(|two| two[0] != two[1]) {
        oracle.fault(Invariant::ViewConverges, &format!("epochs {epochs:?}"));
    }
    for place in 0..nodes.count() {
        if let Some(why) = nodes.why_not_ready(place) {
            oracle.fault(Invariant::ViewConverges, &format!("n{place} is not ready: {why}"));
        }
    }
    epochs.into_iter().max().unwrap_or_default()
}

fn verdict(oracle: &Oracle, borne: bool, epoch: u64, history: &History) -> Outcome {
    let demanded = |invariant: &Invariant| match invariant.demand() {
        Demand::Always => true,
        Demand::SingleFault => borne,
    };
    let (violations, tolerated): (Vec<_>, Vec<_>) =
        oracle.faults().into_iter().partition(|(invariant, _)| demanded(invariant));
    let tolerated = tolerated.into_iter().map(|(invariant, _)| invariant).collect();
    Outcome { violations, tolerated, epoch, history: history.text(), sum: history.sum() }
}
