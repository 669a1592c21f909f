//! What is done to a cluster, one fault a file. Each strikes, lasts, and is withdrawn; none needs the rights of root.

mod crash;
mod cut;
mod disk_full;
mod drain;
mod isolate;
mod join;
mod one_way;
mod pause;
mod rolling;
mod slow;
mod store_failover;
mod store_hung;
mod store_killed;
mod store_locked;
mod store_paused;
mod strike;
mod takeover;

pub use strike::Strike;

use crate::site::Store;

/// A fault.
pub struct Fault {
    /// Its name.
    pub name: &'static str,
    /// What it does, in a line.
    pub what: &'static str,
    /// It needs at least so many nodes.
    pub nodes_min: usize,
    /// It needs this store.
    pub store: Option<Store>,
    /// Strikes, lasts, and is withdrawn.
    pub strike: fn(&mut Strike<'_>) -> anyhow::Result<()>,
}

impl Fault {
    /// Whether it can be done to such a cluster.
    #[must_use]
    pub fn fits(&self, nodes: usize, store: Store) -> bool {
        nodes >= self.nodes_min && self.store.is_none_or(|needed| needed == store)
    }
}

/// All of them.
pub const ALL: &[Fault] = &[
    crash::CRASH,
    pause::PAUSE,
    isolate::ISOLATE,
    one_way::ONE_WAY,
    cut::CUT,
    slow::SLOW,
    rolling::ROLLING,
    drain::DRAIN,
    join::JOIN,
    store_killed::STORE_KILLED,
    store_paused::STORE_PAUSED,
    store_failover::STORE_FAILOVER,
    store_hung::STORE_HUNG,
    store_locked::STORE_LOCKED,
    disk_full::DISK_FULL,
];

/// The fault of that name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Fault> {
    ALL.iter().find(|fault| fault.name == name)
}
