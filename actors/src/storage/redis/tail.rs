//! The tail: what was acknowledged in the last seconds, kept so that it can be written again to a server that took over and
//! never had it. Redis copies to its replicas after it has answered, so a fail-over may forget acknowledged writes.
//!
//! Each carries the mark it was written with: a server that has it skips it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::config::Config;
use super::super::{Batch, Mark, budget};

/// Longer ago, others may have written since, and the store may have forgotten the marks.
const AGE_MAX: Duration = Duration::from_secs(30 * 60);

/// What goes out at once: the time of an attempt must do for it.
const GROUP_BYTES: usize = 1024 * 1024;

/// What was acknowledged last, in order.
pub(super) struct Tail {
    time_max: Duration,
    bytes_max: usize,
    kept: VecDeque<Kept>,
    bytes: usize,
    /// How many of them have been written again, while it is in doubt whether the server has them.
    again: Option<usize>,
}

/// A batch that was acknowledged.
pub(super) struct Kept {
    pub(super) slot: u16,
    pub(super) batch: Arc<Batch>,
    pub(super) mark: Mark,
    bytes: usize,
    at: Instant,
}

impl Tail {
    /// One that keeps as much as the settings say.
    pub(super) fn new(config: &Config) -> Self {
        Self {
            time_max: config.tail_time(),
            bytes_max: config.tail_bytes_max,
            kept: VecDeque::new(),
            bytes: 0,
            again: None,
        }
    }

    /// Keeps what has just been acknowledged.
    pub(super) fn push(&mut self, slot: u16, batch: Arc<Batch>, mark: Mark, at: Instant) {
        let bytes = budget::bytes_of(&batch.writes);
        self.bytes += bytes;
        self.kept.push_back(Kept { slot, batch, mark, bytes, at });
    }

    /// The server answers: what was acknowledged too long before that is not in danger any more.
    pub(super) fn trim(&mut self, now: Instant) {
        while let Some(kept) = self
            .kept
            .pop_front_if(|kept| self.bytes > self.bytes_max || now.duration_since(kept.at) > self.time_max)
        {
            self.bytes -= kept.bytes;
        }
    }

    /// Another server may have taken over: everything is to be written again.
    pub(super) fn doubt(&mut self) {
        self.again = (!self.kept.is_empty()).then_some(0);
    }

    /// What comes next to be written again, at most so many; `None` when nothing is in doubt.
    pub(super) fn due(&mut self, now: Instant, most: usize) -> Option<Vec<&Kept>> {
        let from = self.again?;
        if self.kept.back().is_none_or(|last| now.duration_since(last.at) > AGE_MAX) {
            tracing::warn!(
                writes = self.kept.len(),
                "the last writes before the outage are too old to be repeated"
            );
            (self.kept, self.bytes, self.again) = (VecDeque::new(), 0, None);
            return None;
        }
        let mut bytes = 0;
        let fits = |kept: &&Kept| {
            let first = bytes == 0;
            bytes += kept.bytes;
            first || bytes <= GROUP_BYTES
        };
        Some(self.kept.iter().skip(from).take(most).take_while(fits).collect())
    }

    /// So many more of them have been written again. Tells how many in all, when those were the last.
    pub(super) fn done(&mut self, count: usize) -> Option<usize> {
        let done = self.again? + count;
        if done < self.kept.len() {
            self.again = Some(done);
            return None;
        }
        self.again = None;
        Some(done)
    }
}

#[cfg(test)]
mod tests {
    use muster_proto::store::Write;

    use super::*;
    use crate::storage::contract::document;

    fn keep(tail: &mut Tail, number: u64, at: Instant) {
        let batch = Batch::unfenced(vec![Write::Put(document("a@x"), vec![0; 900])]);
        tail.push(7, Arc::new(batch), Mark { writer: 1, number }, at);
        tail.trim(at);
    }

    fn numbers(tail: &mut Tail, now: Instant, most: usize) -> Option<Vec<u64>> {
        tail.due(now, most).map(|due| due.iter().map(|kept| kept.mark.number).collect())
    }

    #[test]
    fn the_last_seconds_and_bytes_are_kept_and_given_in_order() {
        let config = Config { tail_seconds_max: 10, tail_bytes_max: 3_000, ..Config::default() };
        let (mut tail, began) = (Tail::new(&config), Instant::now());
        let at = |second| began + Duration::from_secs(second);
        assert_eq!(numbers(&mut tail, at(0), 9), None);
        (1..=3).for_each(|number| keep(&mut tail, number, at(number)));
        keep(&mut tail, 4, at(12));
        assert_eq!(numbers(&mut tail, at(12), 9), None, "while nothing is in doubt");
        tail.doubt();
        assert_eq!(numbers(&mut tail, at(12), 2), Some(vec![2, 3]), "1 is 11 seconds old");
        assert_eq!(tail.done(2), None);
        assert_eq!(numbers(&mut tail, at(12), 2), Some(vec![4]));
        assert_eq!(tail.done(1), Some(3));
        assert_eq!(numbers(&mut tail, at(12), 2), None);
        (5..=9).for_each(|number| keep(&mut tail, number, at(13)));
        tail.doubt();
        assert_eq!(numbers(&mut tail, at(13), 9), Some(vec![7, 8, 9]), "bytes are bounded");
    }

    #[test]
    fn what_broke_off_begins_again_and_what_is_old_is_not_repeated() {
        let (mut tail, began) = (Tail::new(&Config::default()), Instant::now());
        (1..=3).for_each(|number| keep(&mut tail, number, began));
        tail.doubt();
        assert_eq!(tail.done(2), None);
        tail.doubt();
        assert_eq!(numbers(&mut tail, began, 9), Some(vec![1, 2, 3]));
        assert_eq!(numbers(&mut tail, began + AGE_MAX * 2, 9), None);
        tail.doubt();
        assert_eq!(numbers(&mut tail, began, 9), None);
    }
}
