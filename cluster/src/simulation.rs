//! The seam for simulations: a cluster's node over a network, a clock and gossip that somebody else makes. Whatever decides,
//! counts and keeps in order is the same code as over TLS.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::{GossipFacts, NodeId};

/// The two ends of something that carries bytes in order.
pub trait Pipe: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// Whether it is known that the other end was closed, though what came before may not be read yet.
    fn is_closed_there(&self) -> bool;
}

/// An answer that takes its time.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// All that a node knows of the world, besides its register.
pub trait Ether: Send + Sync + 'static {
    /// Where others reach this node.
    fn address(&self) -> SocketAddr;

    /// Its monotonic clock, which need not go as fast as others'.
    fn now(&self) -> Duration;

    /// Its wall clock: the time since 1970.
    fn wall(&self) -> Duration;

    /// What it takes for chance.
    fn random(&self) -> u64;

    /// Opens a connection to that address. Refused if nobody listens there; never ends if nothing comes back.
    fn dial(&self, to: SocketAddr) -> Later<io::Result<Box<dyn Pipe>>>;

    /// Waits for a connection that another node opens.
    fn accept(&self) -> Later<Box<dyn Pipe>>;

    /// A machine of this node has committed what it was told, by the view of that epoch.
    fn commits(&self, kind: &'static str, address: &str, epoch: u64);

    /// Tells what this node gossips of itself, and hears what has reached it of others.
    fn gossip(&self, mine: GossipFacts) -> Vec<(NodeId, GossipFacts)>;
}

/// Whether this process simulates at all: spares everyone else a look at the thread's node.
static SIMULATES: AtomicBool = AtomicBool::new(false);

thread_local! {
    static NODE: RefCell<Option<Arc<dyn Ether>>> = const { RefCell::new(None) };
}

/// What runs on this thread from now on belongs to this node: its clocks and its chance are the node's.
pub fn enter(node: Option<Arc<dyn Ether>>) {
    SIMULATES.store(true, Ordering::Relaxed);
    NODE.set(node);
}

fn node<T>(ask: impl FnOnce(&dyn Ether) -> T) -> Option<T> {
    if !SIMULATES.load(Ordering::Relaxed) {
        return None;
    }
    NODE.with_borrow(|node| node.as_deref().map(ask))
}

/// Whether this thread belongs to a simulated node now.
pub fn is_on() -> bool {
    node(|_| ()).is_some()
}

/// Tells a simulation that a machine of this node has committed something by the view of that epoch.
pub fn commits(kind: &'static str, address: &str, epoch: impl FnOnce() -> u64) {
    node(|node| node.commits(kind, address, epoch()));
}

/// The simulated node's monotonic clock.
pub fn now() -> Option<Duration> {
    node(Ether::now)
}

/// The time since 1970: the simulated node's, or the system's.
pub fn wall() -> Duration {
    node(Ether::wall).unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// A number that nobody can foresee, but a simulation can repeat.
pub fn random() -> u64 {
    node(Ether::random).unwrap_or_else(rand::random)
}

/// A number from 0 to 1 that nobody can foresee, but a simulation can repeat.
pub fn chance() -> f64 {
    f64::from((random() >> 32) as u32) / f64::from(u32::MAX)
}
