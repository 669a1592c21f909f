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
mod keyring;
pub mod measured;
mod memory;
mod patient;
mod pending;
mod redis;
mod slots;
mod sqlite;

use std::sync::Arc;

use async_trait::async_trait;
use muster_cluster::ViewRegister;
use muster_proto::store::{Query, Reply, Write};

pub use config::{Config, Kind, Synchronous, Topology};
pub use error::StartError;
pub use keyring::{Keyring, Known, Remembered};
pub use measured::Measured;
pub use memory::Memory;
pub use patient::Patient;
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

/// A store that knows what it has written before: what is under [`Patient`], which tries again.
pub trait Backend: Storage {
    /// Writes as [`Storage::write`] does, once: a number that this writer has reached in that slot before was written, is
    /// answered so, and changes nothing. It is remembered for an hour.
    fn write_once(&self, mark: Mark, batch: Arc<Batch>) -> Pending<()>;
}

/// What a batch is known by when it comes again. Numbers of a writer rise within each slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Who writes: chosen at random by each process.
    pub writer: u64,
    /// Which of its batches. Below 2^53.
    pub number: u64,
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
    let store: Arc<dyn Backend> = match config.kind {
        Kind::Memory => Arc::new(Memory::default()),
        Kind::Sqlite => Arc::new(Sqlite::open(config)?),
        Kind::Redis => Arc::new(Redis::open(config).await?),
    };
    let patient = Patient::new(store, config.queue_bytes_max, config.queue_time())?;
    Ok(Arc::new(Measured::new(Arc::new(patient))))
}
