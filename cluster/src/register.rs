//! The view register: one key in the shared store, which decides. Implemented by the store; the bytes are opaque there.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock;

/// Holds the current view, and changes it only for one who knows its epoch.
#[async_trait]
pub trait ViewRegister: Send + Sync + 'static {
    /// Reads the view. None if there has never been one.
    ///
    /// # Errors
    /// The store cannot be reached.
    async fn load(&self) -> Result<Option<Vec<u8>>, RegisterError>;

    /// Replaces the view of `expected` epoch (0: none yet) by `view` of `epoch`. False if another epoch is there.
    ///
    /// # Errors
    /// The store cannot be reached; whether the view was replaced is not known.
    async fn compare_and_set(&self, expected: u64, epoch: u64, view: Vec<u8>) -> Result<bool, RegisterError>;

    /// Takes the lease key for that holder and that time, at most 10 s from now on, or keeps it so long. False if another holds it, or
    /// if the registered view is not of that epoch. The store's own clock lets it go when the time is over.
    ///
    /// # Errors
    /// The store cannot be reached; whether the key was taken is not known.
    async fn claim(&self, holder: u64, epoch: u64, time: Duration) -> Result<bool, RegisterError>;
}

/// The store cannot be reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the view register cannot be reached: {0}")]
pub struct RegisterError(pub String);

/// A register in memory: for one node without a store, and for tests.
#[derive(Debug, Default)]
pub struct MemoryRegister {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    epoch: u64,
    view: Option<Vec<u8>>,
    away: bool,
    /// Who holds the lease key, and until when.
    key: Option<(u64, Duration)>,
}

impl MemoryRegister {
    /// From now on answers as a store that is away, or no longer.
    pub fn set_away(&self, away: bool) {
        self.lock().away = away;
    }

    /// Puts back an older view, as an asynchronous fail-over of a store does.
    pub fn roll_back(&self, epoch: u64, view: Option<Vec<u8>>) {
        let mut held = self.lock();
        held.epoch = epoch;
        held.view = view;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn reached(&self) -> Result<std::sync::MutexGuard<'_, Held>, RegisterError> {
        let held = self.lock();
        if held.away { Err(RegisterError("away".into())) } else { Ok(held) }
    }
}

#[async_trait]
impl ViewRegister for MemoryRegister {
    async fn load(&self) -> Result<Option<Vec<u8>>, RegisterError> {
        Ok(self.reached()?.view.clone())
    }

    async fn compare_and_set(&self, expected: u64, epoch: u64, view: Vec<u8>) -> Result<bool, RegisterError> {
        let mut held = self.reached()?;
        if held.epoch != expected {
            return Ok(false);
        }
        held.epoch = epoch;
        held.view = Some(view);
        Ok(true)
    }

    async fn claim(&self, holder: u64, epoch: u64, time: Duration) -> Result<bool, RegisterError> {
        let mut held = self.reached()?;
        let now = clock::now();
        let is_taken = held.key.is_some_and(|(by, until)| by != holder && now < until);
        if held.epoch != epoch || is_taken {
            return Ok(false);
        }
        held.key = Some((holder, now + time));
        Ok(true)
    }
}
