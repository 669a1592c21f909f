//! A slot on its way here: from whom, since when, and what waits for it.

use std::collections::VecDeque;
use std::time::Duration;

use muster_cluster::map::HashSet;
use tokio::time::Instant;

use super::acting::{ACTING_TIME_MAX, Heard};
use super::difference::Source;
use super::{Moves, Place, Waiting, lock};

/// How long a slot may be on its way while nothing comes from its giver; then its actors are built from the store.
const ARRIVAL_TIME_MAX: Duration = Duration::from_secs(10);
/// The same if the former owner does not act by the view in which it is none, nor is put down.
const OWNER_TIME_MAX: Duration = Duration::from_secs(60);

/// What waits, and with which other node it would die.
type Queue = VecDeque<(Option<u64>, Waiting)>;

pub(super) struct Arrival {
    /// Who was the backup of the one who gives, and has copies if that one dies.
    pub(super) then: Option<u64>,
    pub(super) since: Instant,
    /// Set when its giver died on the way.
    pub(super) orphaned: Option<Orphaned>,
    /// All of it is here, and waits for who may still have something to say that was said before.
    pub(super) is_here: bool,
    /// What was said by views in which it was here before.
    first: Queue,
    /// It may have to go on and come back before it was all here: what waited then goes first. There is always one.
    stays: VecDeque<Stay>,
}

/// A time for which a slot is to be here.
struct Stay {
    /// Who gives it.
    from: u64,
    /// Whether that is its former owner, who sends on what was said to it.
    is_from_owner: bool,
    /// The view by which it comes.
    epoch: u64,
    /// What the former owner sent on.
    forwarded: Queue,
    /// What others sent here.
    waiting: Queue,
}

/// What was said to a giver that died on the way is said again here, after what its senders have said here meanwhile: it is all
/// here when they act by the view that knows of the death.
pub(super) struct Orphaned {
    /// That view.
    pub(super) epoch: u64,
    pub(super) since: Instant,
}

/// What it is that was given of a slot.
pub(super) enum Given {
    /// What it waits for now.
    Now,
    /// What it waited for before it had to go on and come back.
    Before,
    /// Something else.
    ByAnother,
}

impl Orphaned {
    /// Whether something may still come that was said before, if all others act by that view at least. Not for ever.
    pub(super) fn may_more_come(&self, all_act: u64) -> bool {
        self.since.elapsed() <= ACTING_TIME_MAX && all_act < self.epoch
    }
}

impl Arrival {
    /// It comes from there by the view of that epoch.
    pub(super) fn new(source: Source, epoch: u64) -> Self {
        let stays = VecDeque::from([Stay::new(source, epoch)]);
        let since = Instant::now();
        Self { then: source.then, since, orphaned: None, is_here: false, first: VecDeque::new(), stays }
    }

    fn last(&self) -> &Stay {
        &self.stays[self.stays.len() - 1]
    }

    /// Who gives it now.
    pub(super) fn from(&self) -> u64 {
        self.last().from
    }

    /// Whoever was to give it is dead; that one has copies.
    pub(super) fn turn_to(&mut self, keeper: u64) {
        let Source { from, then, is_owner } = Source::keeper(keeper);
        (self.then, self.since, self.is_here) = (then, Instant::now(), false);
        if let Some(stay) = self.stays.back_mut() {
            (stay.from, stay.is_from_owner) = (from, is_owner);
        }
    }

    /// It had to go on before all of it was here, and comes back from there. Whether all but what may be said again had come.
    pub(super) fn come_again(&mut self, source: Source, epoch: u64) -> bool {
        let is_over = self.is_here && self.stays.len() == 1;
        if is_over {
            self.first.extend(self.stays.drain(..).flat_map(Stay::take));
        }
        self.stays.push_back(Stay::new(source, epoch));
        (self.then, self.since) = (source.then, Instant::now());
        (self.orphaned, self.is_here) = (None, false);
        is_over
    }

    /// That node has given what it had of the slot.
    pub(super) fn is_given_by(&mut self, giver: u64) -> Given {
        match self.ends_stay(giver) {
            true => Given::Before,
            false if self.stays.len() == 1 && self.from() == giver => Given::Now,
            false => Given::ByAnother,
        }
    }

    /// Whether what that node has given ends a stay that is not the last.
    pub(super) fn ends_stay(&mut self, giver: u64) -> bool {
        let ended = match self.stays.len() {
            0..2 => None,
            _ => self.stays.pop_front_if(|stay| stay.from == giver),
        };
        let is_over = ended.is_some();
        self.first.extend(ended.into_iter().flat_map(Stay::take));
        is_over
    }

    /// Has something wait in its place. If it is said anew when who says it is dead, `has_heir`.
    pub(super) fn park(&mut self, heard: Option<Heard>, has_heir: bool, waiting: Waiting) {
        let by = heard.filter(|_| has_heir).map(|heard| heard.node);
        self.queue(heard).push_back((by, waiting));
    }

    fn queue(&mut self, heard: Option<Heard>) -> &mut Queue {
        let last = self.stays.len() - 1;
        let Some(Heard { node, epoch, again, is_sent_on }) = heard else {
            return &mut self.stays[last].waiting;
        };
        match (again, is_sent_on) {
            // Whoever had said it says now what it said later, to the one who is dead.
            (true, true) => return &mut self.first,
            (true, false) => return &mut self.stays[last].forwarded,
            (false, _) => {}
        }
        if self.stays[0].is_sent_on_by(node) {
            return &mut self.stays[0].forwarded;
        }
        // Whoever says something takes this node for the owner by its own view, which may be an older one.
        match self.stays.iter_mut().rfind(|stay| stay.epoch <= epoch) {
            Some(stay) if stay.is_sent_on_by(node) => &mut stay.forwarded,
            Some(stay) => &mut stay.waiting,
            None => &mut self.first,
        }
    }

    /// Drops what waits and was said by these nodes.
    pub(super) fn drop_what_was_said_by(&mut self, nodes: &HashSet<u64>) {
        let stays = self.stays.iter_mut().flat_map(|stay| [&mut stay.forwarded, &mut stay.waiting]);
        for queue in stays.chain([&mut self.first]) {
            queue.retain(|(by, _)| !by.is_some_and(|by| nodes.contains(&by)));
        }
    }

    /// How long it has been on its way.
    pub(super) fn time(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    pub(super) fn count(&self) -> usize {
        let in_stays: usize = self.stays.iter().map(|stay| stay.forwarded.len() + stay.waiting.len()).sum();
        self.first.len() + in_stays
    }

    /// All that waits, in the order in which it was said.
    pub(super) fn take(&mut self) -> Vec<Waiting> {
        let stays = self.stays.iter_mut();
        let in_stays = stays.flat_map(|stay| stay.forwarded.drain(..).chain(stay.waiting.drain(..)));
        self.first.drain(..).chain(in_stays).map(|(_, waiting)| waiting).collect()
    }
}

impl Stay {
    fn new(Source { from, is_owner, .. }: Source, epoch: u64) -> Self {
        let (forwarded, waiting) = (VecDeque::new(), VecDeque::new());
        Self { from, is_from_owner: is_owner, epoch, forwarded, waiting }
    }

    /// Whether what that node says was said to it before.
    fn is_sent_on_by(&self, node: u64) -> bool {
        self.is_from_owner && self.from == node
    }

    fn take(self) -> impl Iterator<Item = (Option<u64>, Waiting)> {
        self.forwarded.into_iter().chain(self.waiting)
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
            let Stay { from, epoch, .. } = arrival.last();
            let time_max = if self.acting.acts(*from, *epoch) {
                ARRIVAL_TIME_MAX
            } else {
                // Its owner may not know yet that it is none.
                OWNER_TIME_MAX
            };
            let silent = came.get(from).map(|last| now.saturating_duration_since(*last));
            arrival.time(now).min(silent.unwrap_or(Duration::MAX)) > time_max
        };
        arriving.iter().filter(|(_, arrival)| is_late(arrival)).map(|(place, _)| *place).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use muster_cluster::Role;
    use muster_proto::feature::Features;
    use muster_proto::options::Limits;

    use super::*;
    use crate::stage;

    type Log = Arc<Mutex<Vec<&'static str>>>;

    fn park(arrival: &mut Arrival, by: Option<(u64, u64)>, what: &'static str) {
        let heard = by.map(|(node, epoch)| Heard { node, epoch, ..Heard::default() });
        arrival.park(heard, true, noted(what));
    }

    fn noted(what: &'static str) -> Waiting {
        Box::new(move |_| LOG.with(|log| lock(log).push(what)))
    }

    thread_local! {
        static LOG: Log = Log::default();
    }

    async fn said(mut arrival: Arrival) -> Vec<&'static str> {
        let world = stage::world(Features::new(vec![]), Limits::default()).await;
        arrival.take().into_iter().for_each(|waiting| waiting(&world));
        LOG.with(|log| std::mem::take(&mut *lock(log)))
    }

    #[actix_rt::test]
    async fn what_the_former_owner_sends_on_was_said_first() {
        let mut arrival = Arrival::new(Source::owner(1, Some(2)), 7);
        park(&mut arrival, Some((3, 7)), "by another");
        park(&mut arrival, None, "by this node");
        park(&mut arrival, Some((1, 7)), "sent on");
        let again = Heard { node: 3, epoch: 8, again: true, is_sent_on: false };
        arrival.park(Some(again), true, noted("said to the dead"));
        arrival.park(Some(Heard { is_sent_on: true, ..again }), true, noted("sent on to the dead"));
        let order = ["sent on to the dead", "sent on", "said to the dead", "by another", "by this node"];
        assert_eq!(said(arrival).await, order);
    }

    #[actix_rt::test]
    async fn who_only_has_copies_sends_nothing_on() {
        let mut arrival = Arrival::new(Source::owner(1, Some(2)), 7);
        park(&mut arrival, Some((2, 7)), "earlier");
        arrival.turn_to(2);
        park(&mut arrival, Some((2, 8)), "later");
        assert_eq!(said(arrival).await, ["earlier", "later"]);
    }

    #[actix_rt::test]
    async fn what_waited_before_a_slot_had_to_go_on_goes_first() {
        let mut arrival = Arrival::new(Source::owner(1, None), 7);
        park(&mut arrival, Some((3, 7)), "to the first stay");
        assert!(!arrival.come_again(Source::owner(2, None), 9));
        park(&mut arrival, Some((2, 9)), "over the one in between");
        park(&mut arrival, Some((3, 8)), "to the first stay, late");
        park(&mut arrival, Some((3, 6)), "when it was here before both");
        park(&mut arrival, Some((1, 9)), "sent on from before both");
        assert!(matches!(arrival.is_given_by(2), Given::ByAnother), "the first is not over");
        assert!(matches!(arrival.is_given_by(1), Given::Before));
        assert!(matches!(arrival.is_given_by(2), Given::Now));
        let order = [
            "when it was here before both",
            "sent on from before both",
            "to the first stay",
            "to the first stay, late",
            "over the one in between",
        ];
        assert_eq!(said(arrival).await, order);
    }

    #[actix_rt::test]
    async fn what_the_dead_said_and_others_say_anew_is_dropped() {
        let mut arrival = Arrival::new(Source::owner(1, None), 7);
        park(&mut arrival, Some((3, 7)), "by the dead");
        let dead = Heard { node: 3, epoch: 7, ..Heard::default() };
        arrival.park(Some(dead), false, noted("and nobody else has it"));
        park(&mut arrival, Some((4, 7)), "by the living");
        arrival.drop_what_was_said_by(&HashSet::from_iter([3]));
        assert_eq!(said(arrival).await, ["and nobody else has it", "by the living"]);
    }

    #[test]
    fn a_slot_is_late_when_nothing_comes_from_its_giver_any_more() {
        let (moves, begin) = (Moves::default(), Instant::now());
        for (giver, slot) in [(1, 11), (2, 12)] {
            let arrival = Arrival { since: begin, ..Arrival::new(Source::owner(giver, None), 7) };
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
