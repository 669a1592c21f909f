//! What becomes of the clients of a node that has lost its lease. What they say waits a while, in case the lease comes back;
//! then they are sent away, so that they resume where they are served.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use muster_proto::stream::{StreamCondition, StreamError};
use tokio::time::Instant;

use crate::world::World;

/// How long a node keeps its clients without a lease.
pub const FENCED_TIME_MAX: Duration = Duration::from_secs(2);

/// See the module.
pub struct Fence {
    time_max: Duration,
    since: Mutex<Option<Instant>>,
    closed: AtomicBool,
}

impl Fence {
    /// Clients are kept for so long without a lease.
    pub fn new(time_max: Duration) -> Self {
        Self { time_max, since: Mutex::new(None), closed: AtomicBool::new(false) }
    }

    /// Whether clients are sent away.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }
}

impl World {
    /// Looks after the fence. Called again and again.
    pub fn look_at_fence(&self) {
        let mut since = self.fence.since.lock().unwrap_or_else(PoisonError::into_inner);
        // Before it is a member nobody has been here.
        if !self.is_fenced() || self.epoch() == 0 {
            *since = None;
            if self.fence.closed.swap(false, Ordering::Relaxed) {
                tracing::info!("the lease is back: clients may come");
            }
            return;
        }
        if since.get_or_insert_with(Instant::now).elapsed() < self.fence.time_max {
            return;
        }
        let clients = self.sockets.count();
        if !self.fence.closed.swap(true, Ordering::Relaxed) && clients > 0 {
            tracing::warn!(clients, "no lease: clients are sent to other nodes");
        }
        let why = StreamError::because(StreamCondition::SystemShutdown, "this node is cut off from others");
        self.sockets.end_some(usize::MAX, &why);
    }
}
