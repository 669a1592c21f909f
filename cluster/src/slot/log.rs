//! The log of one slot: what was appended, and how much of it is committed.

use std::fmt;

/// The number of a record in its slot's log, from 1. Zero means none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lsn(pub u64);

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Numbers the records of a slot and says which are committed: those that as many copies hold as are asked for.
///
/// With one copy each record is committed as it is appended, and nothing is kept.
#[derive(Debug, Clone)]
pub struct SlotLog {
    epoch: u64,
    appended: Lsn,
    held: Lsn,
    copies: Copies,
}

/// How many nodes must hold a record before it is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Copies {
    /// The owner alone.
    One,
    /// The owner and its backup.
    Two,
}

impl SlotLog {
    /// Starts an empty log of one copy, owned since the view of this epoch.
    pub fn new(epoch: u64) -> SlotLog {
        SlotLog { epoch, appended: Lsn(0), held: Lsn(0), copies: Copies::One }
    }

    /// Appends that many records and returns the number of the last.
    pub fn append(&mut self, records: u64) -> Lsn {
        self.appended.0 += records;
        self.appended
    }

    /// The last record that is committed: its effects, and those of all before it, may be released.
    pub fn committed(&self) -> Lsn {
        match self.copies {
            Copies::One => self.appended,
            Copies::Two => self.held,
        }
    }

    /// The last record appended.
    pub fn appended(&self) -> Lsn {
        self.appended
    }

    /// The epoch of the view in which the slot came to its owner.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// A backup took over the copy up to `held`: from here on records wait for it.
    pub fn add_backup(&mut self, held: Lsn) {
        self.copies = Copies::Two;
        self.held = held.min(self.appended);
    }

    /// The backup is gone: whatever is appended is committed.
    pub fn drop_backup(&mut self) {
        self.copies = Copies::One;
    }

    /// The backup holds all records up to `lsn`. Returns whether more is committed than before.
    pub fn backed(&mut self, lsn: Lsn) -> bool {
        let before = self.committed();
        self.held = self.held.max(lsn.min(self.appended));
        self.committed() > before
    }

    /// The slot changed its owner or backup in the view of this epoch.
    pub fn raise(&mut self, epoch: u64) {
        self.epoch = self.epoch.max(epoch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_one_copy_a_record_is_committed_at_once() {
        let mut log = SlotLog::new(3);
        assert_eq!(log.append(2), Lsn(2));
        assert_eq!(log.committed(), Lsn(2));
        assert_eq!(log.epoch(), 3);
    }

    #[test]
    fn with_two_copies_a_record_waits_for_the_backup() {
        let mut log = SlotLog::new(1);
        log.append(5);
        log.add_backup(Lsn(5));
        log.append(3);
        assert_eq!(log.committed(), Lsn(5));
        assert!(log.backed(Lsn(7)));
        assert!(!log.backed(Lsn(6)), "an older word takes nothing back");
        assert_eq!(log.committed(), Lsn(7));
        log.drop_backup();
        assert_eq!(log.committed(), Lsn(8));
    }
}
