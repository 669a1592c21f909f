//! Which node committed last for each address: never one by an older view than another.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::network::Place;

/// What is known of commits. A handle.
#[derive(Clone, Default)]
pub struct Commits(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    last: BTreeMap<(&'static str, String), Last>,
    faults: Vec<String>,
}

/// What is known of one address.
#[derive(Default)]
struct Last {
    /// The highest epoch by which anybody committed.
    epoch: u64,
    /// Who did in it, in order: who gives a slot away may end what it had begun, and then comes never again.
    by: Vec<Place>,
}

impl Commits {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A node commits for an address, by the view of that epoch.
    pub fn note(&self, kind: &'static str, address: &str, by: Place, epoch: u64) {
        let mut known = self.known();
        let last = known.last.entry((kind, address.to_owned())).or_default();
        if epoch > last.epoch {
            *last = Last { epoch, by: vec![by] };
        } else if epoch == last.epoch && !last.by.contains(&by) {
            last.by.push(by);
        } else if epoch < last.epoch || last.by.last() != Some(&by) {
            let (before, others) = (last.epoch, &last.by);
            let fault = format!(
                "n{by} commits for the {kind} {address} in epoch {epoch}, in {before} {others:?} did"
            );
            known.faults.push(fault);
        }
    }

    /// What must not be.
    pub fn faults(&self) -> Vec<String> {
        self.known().faults.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_put_down_must_not_commit_again() {
        let commits = Commits::default();
        for (by, epoch) in [(0, 3), (0, 4), (1, 4), (1, 5), (1, 5), (2, 7)] {
            commits.note("session", "u0", by, epoch);
        }
        assert!(commits.faults().is_empty());
        commits.note("room", "u0", 0, 4);
        assert!(commits.faults().is_empty(), "another machine");
        commits.note("session", "u0", 0, 4);
        commits.note("session", "u0", 0, 7);
        commits.note("session", "u0", 2, 7);
        assert_eq!(commits.faults().len(), 2);
    }
}
