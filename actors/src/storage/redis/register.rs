//! The view register in Redis: one hash, changed by a script.

use std::time::Duration;

use async_trait::async_trait;
use muster_cluster::{RegisterError, ViewRegister};

use super::super::Pending;
use super::{Lane, What};

/// The slot that the register lies in.
pub(super) const SLOT: u16 = 0;

/// Its key.
pub(super) fn key(prefix: &str) -> String {
    format!("{prefix}:{{{SLOT}}}:view")
}

/// The key of the lease, beside it.
pub(super) fn lease_key(prefix: &str) -> String {
    format!("{prefix}:{{{SLOT}}}:lease")
}

/// The view register in Redis.
pub(super) struct Register {
    lane: Lane,
}

impl Register {
    /// Asks by this lane.
    pub(super) fn new(lane: Lane) -> Self {
        Self { lane }
    }
}

#[async_trait]
impl ViewRegister for Register {
    async fn load(&self) -> Result<Option<Vec<u8>>, RegisterError> {
        let (answer, pending) = Pending::channel();
        self.lane.send(What::Load(answer), SLOT, None);
        pending.await.map_err(|error| RegisterError(error.to_string()))
    }

    async fn compare_and_set(&self, expected: u64, epoch: u64, view: Vec<u8>) -> Result<bool, RegisterError> {
        let (answer, pending) = Pending::channel();
        self.lane.send(What::Swap { expected, epoch, view, answer }, SLOT, None);
        pending.await.map_err(|error| RegisterError(error.to_string()))
    }

    async fn claim(&self, holder: u64, epoch: u64, time: Duration) -> Result<bool, RegisterError> {
        let (answer, pending) = Pending::channel();
        self.lane.send(What::Claim { holder, epoch, time, answer }, SLOT, None);
        pending.await.map_err(|error| RegisterError(error.to_string()))
    }
}
