//! Which thread serves a request, so that each slot is served in order though two threads serve.
//!
//! A question goes to the reader, unless a write of its slot waits at the writer: then it follows it there. A write
//! goes to the writer, unless something of its slot waits at the reader: then it queues behind that, and the reader
//! passes it on.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use super::super::slots::SLOTS;

/// How much of each slot waits at each thread.
pub(super) struct Lanes {
    reader: Box<[AtomicU32]>,
    writer: Box<[AtomicU32]>,
}

impl Default for Lanes {
    fn default() -> Self {
        let zeros = || (0..SLOTS).map(|_| AtomicU32::new(0)).collect();
        Self { reader: zeros(), writer: zeros() }
    }
}

impl Lanes {
    /// Counts a question in; whether it goes to the reader.
    pub(super) fn query(&self, slot: u16) -> bool {
        let slot = usize::from(slot);
        let to_reader = self.reader[slot].load(SeqCst) > 0 || self.writer[slot].load(SeqCst) == 0;
        let lane = if to_reader { &self.reader } else { &self.writer };
        lane[slot].fetch_add(1, SeqCst);
        to_reader
    }

    /// Counts a batch in; whether it goes to the reader first.
    pub(super) fn write(&self, slots: &[u16]) -> bool {
        let to_reader = slots.iter().any(|slot| self.reader[usize::from(*slot)].load(SeqCst) > 0);
        let lane = if to_reader { &self.reader } else { &self.writer };
        for slot in slots {
            lane[usize::from(*slot)].fetch_add(1, SeqCst);
        }
        to_reader
    }

    /// Whether something of this slot waits at the writer.
    pub(super) fn follows_a_write(&self, slot: u16) -> bool {
        self.writer[usize::from(slot)].load(SeqCst) > 0
    }

    /// The reader is about to pass something on: it counts at the writer from now on, and at the reader until
    /// [`Lanes::read`] says otherwise.
    pub(super) fn passed(&self, slots: &[u16]) {
        for slot in slots {
            self.writer[usize::from(*slot)].fetch_add(1, SeqCst);
        }
    }

    /// The reader is done with something.
    pub(super) fn read(&self, slots: &[u16]) {
        for slot in slots {
            self.reader[usize::from(*slot)].fetch_sub(1, SeqCst);
        }
    }

    /// The writer has answered something.
    pub(super) fn written(&self, slots: &[u16]) {
        for slot in slots {
            self.writer[usize::from(*slot)].fetch_sub(1, SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_after_a_write_follows_it() {
        let lanes = Lanes::default();
        assert!(!lanes.write(&[7]));
        assert!(!lanes.query(7));
        assert!(lanes.query(8), "another slot does not wait");
        lanes.written(&[7]);
        lanes.written(&[7]);
        assert!(lanes.query(7));
    }

    #[test]
    fn a_write_after_a_question_queues_behind_it_and_so_does_what_follows() {
        let lanes = Lanes::default();
        assert!(lanes.query(7));
        assert!(lanes.write(&[3, 7]));
        assert!(lanes.query(7));
        lanes.read(&[7]);
        lanes.passed(&[3, 7]);
        lanes.read(&[3, 7]);
        assert!(lanes.follows_a_write(7), "so the reader passes the second question on");
        lanes.passed(&[7]);
        lanes.read(&[7]);
        assert!(!lanes.query(7));
    }
}
