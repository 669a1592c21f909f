//! How much may wait for a store: a number of requests and a number of bytes, so that a slow store costs bounded memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use muster_proto::store::{StoreError, Write};

/// Most requests that wait.
pub(super) const REQUESTS_MAX: usize = 65_536;
/// What waits for a store.
#[derive(Debug)]
pub(super) struct Budget {
    bytes_max: usize,
    requests: AtomicUsize,
    bytes: AtomicUsize,
}

/// A request's share, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    /// Lets so many bytes wait.
    pub(super) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { bytes_max, requests: AtomicUsize::new(0), bytes: AtomicUsize::new(0) })
    }

    /// Takes a share for a request of so many bytes.
    pub(super) fn take(self: &Arc<Self>, bytes: usize) -> Result<Permit, StoreError> {
        let requests = self.requests.fetch_add(1, Ordering::Relaxed);
        let waiting = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let permit = Permit { budget: Arc::clone(self), bytes };
        // A single large request is let through when nothing else waits.
        if requests >= REQUESTS_MAX || (waiting > 0 && waiting + bytes > self.bytes_max) {
            return Err(StoreError::Away("its queue is full".to_owned()));
        }
        Ok(permit)
    }

    /// Requests that wait.
    pub(super) fn waiting(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget.requests.fetch_sub(1, Ordering::Relaxed);
        self.budget.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// About how many bytes these writes keep in memory.
pub(super) fn bytes_of(writes: &[Write]) -> usize {
    writes.iter().map(|write| 64 + write.key().owner.len() + payload(write)).sum()
}

fn payload(write: &Write) -> usize {
    match write {
        Write::Put(_, value) | Write::Append(_, _, value) => value.len(),
        Write::SetField(_, field, value) => field.len() + value.len(),
        Write::RemoveField(_, field) => field.len(),
        Write::Trim(..) | Write::RemoveEntry(..) | Write::Remove(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_answered_makes_room_for_more() {
        let budget = Budget::new(1_000);
        let first = budget.take(1_000).unwrap();
        assert!(budget.take(1).is_err());
        assert_eq!(budget.waiting(), 1);
        drop(first);
        assert!(budget.take(1).is_ok());
        assert_eq!(budget.waiting(), 0);
    }

    #[test]
    fn the_number_of_requests_is_bounded_too() {
        let budget = Budget::new(1_000);
        let all: Vec<_> = (0..REQUESTS_MAX).map(|_| budget.take(0).unwrap()).collect();
        assert!(budget.take(0).is_err());
        drop(all);
        assert!(budget.take(0).is_ok());
    }
}
