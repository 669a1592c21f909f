//! What goes wrong, when, and for how long.

use std::time::Duration;

use tokio::time::sleep;

use crate::chance::Chance;
use crate::history::History;
use crate::network::{Network, OUTSIDE, Place};
use crate::nodes::Nodes;
use crate::note;
use crate::store::Store;

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A process is killed, or its machine is.
    Kill(Place, bool),
    /// A process stands still.
    Pause(Place),
    /// A node reaches nobody; clients reach it or not.
    CutOff(Place, bool),
    /// Two nodes do not reach each other.
    CutLink(Place, Place),
    /// The first does not reach the second, which reaches it.
    CutOneWay(Place, Place),
    /// What one says to the other takes long.
    Slow(Place, Place, Duration),
    /// The connection between two nodes breaks again and again.
    Drop(Place, Place),
    /// The store does not answer.
    StoreAway,
    /// The register forgets its newest views.
    RollBack(usize),
    /// A node is stopped in order.
    Drain(Place),
    /// Every node is stopped in order and started again, one after the other.
    Roll,
    /// A node joins.
    Join,
}

/// A fault, when it begins and how long it lasts.
#[derive(Clone, Debug)]
pub struct Act {
    /// When it begins, after everybody has talked for a while.
    pub at: Duration,
    /// How long it lasts.
    pub lasts: Duration,
    /// What it is.
    pub fault: Fault,
}

/// What the faults of a history act on.
#[derive(Clone)]
pub struct Scene {
    /// The nodes.
    pub nodes: Nodes,
    /// The network between them.
    pub network: Network,
    /// Their store.
    pub store: Store,
    /// Where it is noted.
    pub history: History,
}

impl Fault {
    /// Whether somebody wants it.
    pub(crate) fn is_wanted(&self) -> bool {
        matches!(self, Self::Drain(_) | Self::Roll | Self::Join)
    }
}

/// Whether the whole promise holds under these: a single fault, be it in the middle of a change that somebody wants. Who takes
/// one of two nodes away has one copy of everything until it is back, and none if the other is gone.
pub fn are_borne(nodes: usize, acts: &[Act]) -> bool {
    let wanted = acts.iter().filter(|act| act.fault.is_wanted()).count();
    let is_alone = nodes == 2 && acts.iter().any(|act| matches!(act.fault, Fault::Drain(_) | Fault::Roll));
    // Of two nodes without a link one makes way.
    let takes = |fault: &Fault| {
        matches!(fault, Fault::Kill(..) | Fault::Pause(_) | Fault::CutOff(..))
            || matches!(fault, Fault::CutLink(..) | Fault::CutOneWay(..))
    };
    let is_gone = acts.iter().any(|act| takes(&act.fault));
    wanted < 2 && acts.len() - wanted < 2 && !(is_alone && is_gone)
}

/// The faults of a seed.
pub fn plan(nodes: usize, chance: &mut Chance) -> Vec<Act> {
    let count = if chance.one_in(5) {
        0
    } else if chance.below(5) < 3 {
        1
    } else {
        2 + chance.below(3)
    };
    (0..count)
        .map(|_| Act {
            at: chance.millis(500, 5_000),
            lasts: chance.millis(300, 7_000),
            fault: fault(nodes, chance),
        })
        .collect()
}

/// A fault in the middle of a planned change, or about then: most orders that nobody thought of are among these.
pub fn pair(nodes: usize, chance: &mut Chance) -> Vec<Act> {
    let change = match chance.below(4) {
        0 => Fault::Drain(chance.below(nodes)),
        1 => Fault::Join,
        _ => Fault::Roll,
    };
    let fault = std::iter::repeat_with(|| fault(nodes, chance)).find(|fault| !fault.is_wanted());
    let at = chance.millis(1_500, 4_000);
    let about_then = at - Duration::from_millis(1_000) + chance.millis(0, 4_000);
    let mut act = |at, fault| Act { at, lasts: chance.millis(500, 8_000), fault };
    vec![act(at, change), act(about_then, fault.expect("there are others"))]
}

fn fault(nodes: usize, chance: &mut Chance) -> Fault {
    let one = chance.below(nodes);
    let other = (one + 1 + chance.below(nodes - 1)) % nodes;
    match chance.below(24) {
        0..5 => Fault::Kill(one, chance.one_in(3)),
        5..8 => Fault::Pause(one),
        8..11 => Fault::CutOff(one, chance.one_in(2)),
        11 => Fault::CutLink(one, other),
        12 => Fault::CutOneWay(one, other),
        13..15 => Fault::Slow(one, other, chance.millis(20, 400)),
        15..17 => Fault::Drop(one, other),
        17 => Fault::StoreAway,
        18 => Fault::RollBack(1 + chance.below(3)),
        19..21 => Fault::Drain(one),
        21 => Fault::Roll,
        _ => Fault::Join,
    }
}

impl Act {
    /// When it is over.
    pub fn end(&self) -> Duration {
        self.at + self.lasts
    }

    /// Does it.
    pub async fn play(self, scene: Scene, mut chance: Chance) {
        sleep(self.at).await;
        note!(scene.history, "** {:?} for {:?}", self.fault, self.lasts);
        let Scene { nodes, network, store, history } = &scene;
        let all: Vec<Place> = (0..nodes.count()).collect();
        match self.fault {
            Fault::Kill(place, silently) => {
                nodes.kill(place, silently);
                sleep(self.lasts).await;
                start(nodes, place);
            }
            Fault::Pause(place) => {
                nodes.pause(place, true);
                sleep(self.lasts).await;
                nodes.pause(place, false);
            }
            Fault::CutOff(place, clients) => {
                let others =
                    all.into_iter().filter(|other| *other != place).chain(clients.then_some(OUTSIDE));
                let ways: Vec<_> = others.flat_map(|other| [(place, other), (other, place)]).collect();
                cut(network, &ways, self.lasts).await;
            }
            Fault::CutLink(one, other) => cut(network, &[(one, other), (other, one)], self.lasts).await,
            Fault::CutOneWay(one, other) => cut(network, &[(one, other)], self.lasts).await,
            Fault::Slow(one, other, by) => {
                network.slow(one, other, by);
                sleep(self.lasts).await;
                network.slow(one, other, Duration::ZERO);
            }
            Fault::Drop(one, other) => {
                for _ in 0..1 + chance.below(5) {
                    network.reset(one, other);
                    sleep(chance.millis(20, 900)).await;
                }
            }
            Fault::StoreAway => {
                store.set_away(true);
                sleep(self.lasts).await;
                store.set_away(false);
            }
            Fault::RollBack(most) => {
                let lost = store.roll_back(most);
                note!(history, "the register has lost {lost} views");
            }
            Fault::Drain(place) => {
                nodes.drain(place).await;
                sleep(self.lasts / 4).await;
                start(nodes, place);
            }
            Fault::Roll => {
                for place in all {
                    nodes.drain(place).await;
                    sleep(chance.millis(100, 1_000)).await;
                    start(nodes, place);
                    wait_ready(nodes, place).await;
                }
            }
            Fault::Join => nodes.start(nodes.add()),
        }
    }
}

async fn cut(network: &Network, ways: &[(Place, Place)], lasts: Duration) {
    ways.iter().for_each(|(from, to)| network.cut(*from, *to, true));
    sleep(lasts).await;
    ways.iter().for_each(|(from, to)| network.cut(*from, *to, false));
}

fn start(nodes: &Nodes, place: Place) {
    if !nodes.exists(place) {
        nodes.start(place);
    }
}

/// Waits until clients are sent there, but not for ever.
pub async fn wait_ready(nodes: &Nodes, place: Place) {
    for _ in 0..100 {
        if nodes.is_ready(place) {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
}
