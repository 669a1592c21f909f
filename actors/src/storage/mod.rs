//! Where accounts, rosters, waiting messages and rooms are kept: one trait, and the backends behind it.
//!
//! Order is fixed when [`Storage::query`] and [`Storage::write`] are *called*, not when their answers are awaited.

mod budget;
mod config;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod cost;
mod error;
pub mod measured;
mod memory;
mod pending;
mod redis;
mod slots;
mod sqlite;

use std::sync::Arc;

use async_trait::async_trait;
use muster_cluster::ViewRegister;
use muster_proto::store::{Query, Reply, Write};

pub use config::{Config, RedisConfig, SqliteConfig, Synchronous, Topology};
pub use error::StartError;
pub use measured::Measured;
pub use memory::Memory;
pub use pending::Pending;
pub use redis::Redis;
pub use sqlite::Sqlite;

/// A store. Nothing in it blocks the caller, and every answer comes within a bounded time.
#[async_trait]
pub trait Storage: Send + Sync + 'static {
    /// Asks. Questions and writes of one slot are served, and answered, in the order of the calls.
    fn query(&self, query: Query) -> Pending<Reply>;

    /// Writes all of the batch or nothing of it; the answer means that it is durable.
    ///
    /// A batch is whole within each slot. Where slots lie on several servers (Redis Cluster), the fence's slot is
    /// written first, and the others only if the fence holds.
    fn write(&self, batch: Batch) -> Pending<()>;

    /// Where the cluster keeps its view.
    fn register(&self) -> Arc<dyn ViewRegister>;

    /// Whether the last attempt to reach it went well.
    fn is_reachable(&self) -> bool;

    /// Questions and writes that wait for their answer.
    fn waiting(&self) -> usize;

    /// Serves what was asked so far, then closes; later calls answer [`muster_proto::store::StoreError::Away`].
    async fn close(&self);
}

/// Writes that belong together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Who writes; `None` for administration, which is always allowed.
    pub fence: Option<Fence>,
    /// What, in this order.
    pub writes: Vec<Write>,
}

impl Batch {
    /// Writes of the owner of a slot.
    pub fn fenced(slot: u16, epoch: u64, writes: Vec<Write>) -> Self {
        Self { fence: Some(Fence { slot, epoch }), writes }
    }

    /// Writes of an administrator.
    pub fn unfenced(writes: Vec<Write>) -> Self {
        Self { fence: None, writes }
    }
}

/// The right to write: a batch is [`muster_proto::store::StoreError::Stale`] if the store has seen a higher epoch
/// for this slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fence {
    /// The slot that the writer owns.
    pub slot: u16,
    /// The epoch in which it became the owner. Below 2^53.
    pub epoch: u64,
}

/// Opens the store that the configuration names, and measures it.
///
/// # Errors
/// The store cannot be used; the error names the setting to fix. [`StartError::is_temporary`] tells whether trying
/// again later may help.
pub async fn open(config: &Config) -> Result<Arc<dyn Storage>, StartError> {
    let store: Arc<dyn Storage> = match config {
        Config::Memory => Arc::new(Memory::default()),
        Config::Sqlite(config) => Arc::new(Sqlite::open(config)?),
        Config::Redis(config) => Arc::new(Redis::open(config).await?),
    };
    Ok(Arc::new(Measured::new(store)))
}
