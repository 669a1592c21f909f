//! The view register in the database file.

use std::sync::mpsc;
use std::time::Duration;

use async_trait::async_trait;
use muster_cluster::{RegisterError, ViewRegister};

use super::super::Pending;
use super::Request;

/// The view register in the database file.
pub(super) struct Register {
    writer: mpsc::Sender<Request>,
}

impl Register {
    /// Asks the writer's thread.
    pub(super) fn new(writer: mpsc::Sender<Request>) -> Self {
        Self { writer }
    }
}

#[async_trait]
impl ViewRegister for Register {
    async fn load(&self) -> Result<Option<Vec<u8>>, RegisterError> {
        let (answer, pending) = Pending::channel();
        let _ = self.writer.send(Request::Load { answer });
        pending.await.map_err(|error| RegisterError(error.to_string()))
    }

    async fn compare_and_set(&self, expected: u64, epoch: u64, view: Vec<u8>) -> Result<bool, RegisterError> {
        let (answer, pending) = Pending::channel();
        let _ = self.writer.send(Request::Swap { expected, epoch, view, answer });
        pending.await.map_err(|error| RegisterError(error.to_string()))
    }

    async fn claim(&self, holder: u64, epoch: u64, time: Duration) -> Result<bool, RegisterError> {
        let (answer, pending) = Pending::channel();
        let _ = self.writer.send(Request::Claim { holder, epoch, time, answer });
        pending.await.map_err(|error| RegisterError(error.to_string()))
    }
}
