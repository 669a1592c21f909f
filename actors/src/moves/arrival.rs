//! A slot on its way here: from whom, since when, and what waits for it.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::acting::Heard;
use super::difference::Source;
use super::{Moves, Place, Waiting, lock};

/// How long a slot may be on its way while nothing comes from its giver; then its actors are built from the store.
const ARRIVAL_TIME_MAX: Duration = Duration::from_secs(10);
/// The same if the former owner does not act by the view in which it is none, nor is put down.
const OWNER_TIME_MAX: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(super) struct Arrival {
    pub(super) from: u64,
    /// Who was the backup of the one who gives, and has copies if that one dies.
    pub(super) then: Option<u64>,
    /// The view by which it comes.
    pub(super) epoch: u64,
    pub(super) since: Option<Instant>,
    /// Set when its giver died on the way.
    pub(super) orphaned: Option<Orphaned>,
    /// All of it is here, and waits for who may still have something to say that was said before.
    pub(super) is_here: bool,
    /// What the former owner sent on.
    pub(super) forwarded: VecDeque<Waiting>,
    /// What others sent here.
    pub(super) waiting: VecDeque<Waiting>,
}

/// What was said to a giver that died on the way is said again here, after what its senders have said here meanwhile: it is all
/// here when they act by the view that knows of the death.
pub(super) struct Orphaned {
    /// That view.
    pub(super) epoch: u64,
    pub(super) since: Instant,
}

impl Arrival {
    pub(super) fn expect_from(&mut self, Source { from, then }: Source, epoch: u64) {
        (self.from, self.then, self.epoch, self.since) = (from, then, epoch, Some(Instant::now()));
        self.is_here = false;
    }

    /// Whether what is heard was said before what others have said here.
    pub(super) fn is_from_before(&self, heard: Heard) -> bool {
        heard == Heard::From(self.from) || heard == Heard::Again
    }

    /// How long it has been on its way.
    pub(super) fn time(&self, now: Instant) -> Duration {
        self.since.map(|since| now.saturating_duration_since(since)).unwrap_or_default()
    }

    pub(super) fn count(&self) -> usize {
        self.forwarded.len() + self.waiting.len()
    }

    /// All that waits, in the order in which it was said.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Waiting> + use<> {
        std::mem::take(&mut self.forwarded).into_iter().chain(std::mem::take(&mut self.waiting))
    }
}

impl Moves {
    /// Something came of what that node gives: it has not stopped, however much there is.
    pub fn came_from(&self, giver: u64) {
        if self.arriving_count() > 0 {
            lock(&self.came).insert(giver, Instant::now());
        }
    }

    /// Those that have been on their way for too long.
    pub(super) fn late(&self, now: Instant) -> Vec<Place> {
        let (arriving, mut came) = (lock(&self.arriving), lock(&self.came));
        if arriving.is_empty() {
            came.clear();
        }
        let is_late = |arrival: &Arrival| {
            let time_max = if self.acting.acts(arrival.from, arrival.epoch) {
                ARRIVAL_TIME_MAX
            } else {
                // Its owner may not know yet that it is none.
                OWNER_TIME_MAX
            };
            let silent = came.get(&arrival.from).map(|last| now.saturating_duration_since(*last));
            arrival.time(now).min(silent.unwrap_or(Duration::MAX)) > time_max
        };
        arriving.iter().filter(|(_, arrival)| is_late(arrival)).map(|(place, _)| *place).collect()
    }
}

#[cfg(test)]
mod tests {
    use muster_cluster::Role;

    use super::*;

    #[test]
    fn a_slot_is_late_when_nothing_comes_from_its_giver_any_more() {
        let (moves, begin) = (Moves::default(), Instant::now());
        for (giver, slot) in [(1, 11), (2, 12)] {
            let mut arrival = Arrival::default();
            arrival.expect_from(Source { from: giver, then: None }, 7);
            arrival.since = Some(begin);
            lock(&moves.arriving).insert((Role::Sessions, slot), arrival);
        }
        let (last, second) = (begin + OWNER_TIME_MAX, Duration::from_secs(1));
        lock(&moves.came).insert(1, last);
        assert_eq!(moves.late(last), []);
        assert_eq!(moves.late(last + second), [(Role::Sessions, 12)]);
        assert_eq!(moves.late(last + OWNER_TIME_MAX), [(Role::Sessions, 12)]);
        assert_eq!(moves.late(last + OWNER_TIME_MAX + second).len(), 2);
    }
}
