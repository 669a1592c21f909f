//! The slot logs of this arbiter: effects are released when their changes are committed.
//!
//! All owned actors of a slot live on one arbiter, so a slot's log needs no lock.

use std::cell::RefCell;
use std::collections::HashMap;

use muster_cluster::{Lsn, Role, SlotLog};

thread_local! {
    static LOGS: RefCell<HashMap<(Role, u16), SlotLog>> = RefCell::default();
}

/// Appends that many changes to a slot's log; returns the number of the last.
pub fn append(role: Role, slot: u16, epoch: u64, changes: usize) -> Lsn {
    LOGS.with_borrow_mut(|logs| {
        let log = logs.entry((role, slot)).or_insert_with(|| SlotLog::new(epoch));
        log.raise(epoch);
        log.append(u64::try_from(changes).unwrap_or(u64::MAX))
    })
}

/// Whether a change of a slot is committed: as many copies hold it as are asked for.
pub fn is_committed(role: Role, slot: u16, lsn: Lsn) -> bool {
    LOGS.with_borrow(|logs| logs.get(&(role, slot)).is_none_or(|log| log.committed() >= lsn))
}

/// The slot has moved away: its log is another node's now.
pub fn forget(role: Role, slot: u16) {
    LOGS.with_borrow_mut(|logs| logs.remove(&(role, slot)));
}
