//! What each node takes for the world: its clocks, its chance, its links and its gossip.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use muster_cluster::simulation::{Ether, Later, Pipe};
use muster_cluster::{GossipFacts, NodeId};
use tokio::time::Instant;

use crate::chance::Chance;
use crate::commits::Commits;
use crate::network::{Network, OUTSIDE, Place, Port};

/// The zero of wall clocks: some day in 2026, in seconds since 1970.
const DAY: u64 = 1_790_000_000;
/// Gossip that has not been renewed for so long is of the dead.
const BEAT_TIME_MAX: Duration = Duration::from_millis(1_500);

/// A clock that is not quite right.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    since: Instant,
    /// How fast it goes, in parts of a thousand.
    rate: u64,
    /// How far its wall clock is ahead.
    ahead: Duration,
}

impl Clock {
    /// One that has gone from the beginning.
    pub fn new(since: Instant, rate: u64, ahead: Duration) -> Self {
        Self { since, rate, ahead }
    }

    fn now(&self) -> Duration {
        let micros = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(micros * self.rate / 1_000) + Duration::from_secs(1_000)
    }
}

/// What one node has heard of another.
#[derive(Clone)]
struct Heard {
    facts: GossipFacts,
    beat: u64,
    at: Instant,
}

/// Who has heard what of whom.
#[derive(Clone, Default)]
pub struct Rumours(Arc<Mutex<BTreeMap<Place, BTreeMap<Place, Heard>>>>);

impl Rumours {
    /// A node tells all whom it reaches what it is and what it knows.
    fn tell(&self, from: Place, mine: GossipFacts, network: &Network) -> Vec<(Place, GossipFacts)> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let own = all.entry(from).or_default();
        let beat = own.get(&from).map_or(1, |heard| heard.beat + 1);
        own.insert(from, Heard { facts: mine, beat, at: now });
        let known = own.clone();
        for (place, other) in all.iter_mut().filter(|(place, _)| **place != from) {
            if network.passes(from, *place) {
                for (of, heard) in &known {
                    if other.get(of).is_none_or(|before| before.beat < heard.beat) {
                        other.insert(*of, Heard { at: now, ..heard.clone() });
                    }
                }
            }
        }
        let alive = |heard: Heard| {
            let alive = now.saturating_duration_since(heard.at) < BEAT_TIME_MAX;
            GossipFacts { alive, ..heard.facts }
        };
        known.into_iter().map(|(of, heard)| (of, alive(heard))).collect()
    }
}

/// One node's.
pub struct NodeEther {
    /// Which node.
    pub place: Place,
    /// Its clocks.
    pub clock: Clock,
    /// Its chance.
    pub chance: Mutex<Chance>,
    /// The network.
    pub network: Network,
    /// Everybody's gossip.
    pub rumours: Rumours,
    /// Who has committed what.
    pub commits: Commits,
}

/// The name of a node.
pub fn name(place: Place) -> NodeId {
    NodeId::new(&format!("n{place}")).expect("short and simple")
}

/// The address of a node's links.
pub fn address(place: Place) -> SocketAddr {
    let last = u8::try_from(place + 1).expect("few nodes");
    SocketAddr::from(([10, 0, 0, last], 5))
}

fn place(address: SocketAddr) -> Place {
    match address.ip() {
        std::net::IpAddr::V4(ip) => usize::from(ip.octets()[3]) - 1,
        std::net::IpAddr::V6(_) => OUTSIDE,
    }
}

impl Ether for NodeEther {
    fn address(&self) -> SocketAddr {
        address(self.place)
    }

    fn now(&self) -> Duration {
        self.clock.now()
    }

    fn wall(&self) -> Duration {
        Duration::from_secs(DAY) + self.clock.ahead + self.clock.now()
    }

    fn random(&self) -> u64 {
        self.chance.lock().unwrap_or_else(PoisonError::into_inner).draw()
    }

    fn dial(&self, to: SocketAddr) -> Later<io::Result<Box<dyn Pipe>>> {
        let (network, from) = (self.network.clone(), self.place);
        Box::pin(async move {
            let end = network.dial(from, place(to), Port::Links).await?;
            Ok(Box::new(end) as Box<dyn Pipe>)
        })
    }

    fn accept(&self) -> Later<Box<dyn Pipe>> {
        let (network, at) = (self.network.clone(), self.place);
        Box::pin(async move { Box::new(network.accept(at, Port::Links).await) as Box<dyn Pipe> })
    }

    fn commits(&self, kind: &'static str, address: &str, epoch: u64) {
        self.commits.note(kind, address, self.place, epoch);
    }

    fn gossip(&self, mine: GossipFacts) -> Vec<(NodeId, GossipFacts)> {
        let known = self.rumours.tell(self.place, mine, &self.network);
        known.into_iter().map(|(of, facts)| (name(of), facts)).collect()
    }
}
