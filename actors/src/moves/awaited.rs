//! Slots that a node waits for and asks for: whose giver died on the way, or whose owner died before the new backup had
//! all copies. Whoever was the backup before has kept them, and gives them. A giver that has nothing more to give says so too:
//! it may have given to a node that was the owner in a view of which this one never heard.

use std::sync::Arc;
use std::time::Duration;

use muster_cluster::Role;
use muster_cluster::map::{HashMap, HashSet};
use muster_proto::room::Room;
use muster_proto::session::Session;
use tokio::time::Instant;

use super::arrival::Orphaned;
use super::{Arrival, Difference, Place, SLOT_MOVE_MAX, Source, lock};
use crate::remote::Remote;
use crate::world::World;

/// A slot that is on its way for so long is asked for.
const ASK_AFTER: Duration = Duration::from_secs(1);

impl World {
    /// Slots of dead owners whose copies this node may not have yet wait for those who have them; and who has the copies
    /// that it is to have by the new view is remembered.
    pub(super) fn expect_copies(
        &self,
        difference: &Difference,
        arriving: &mut HashMap<Place, Arrival>,
        epoch: u64,
    ) {
        let mut filling = lock(&self.moves.filling);
        filling.retain(|_, (_, since)| since.elapsed() <= SLOT_MOVE_MAX);
        for place in difference.taken.iter() {
            let keeper = filling.remove(place).filter(|(from, _)| difference.is_alive(*from));
            if let (Some((from, _)), false) = (keeper, arriving.contains_key(place)) {
                arriving.insert(*place, Arrival::new(Source::keeper(from), epoch));
            }
        }
        let since = Instant::now();
        filling.extend(difference.filling.iter().map(|(place, from)| (*place, (*from, since))));
    }

    /// What dead nodes had said here, and is not handled, is said anew by who takes their places, and in its order: some of it
    /// may have been said to others and got lost. What they had not given when a slot went on from here is not awaited any more.
    pub(super) fn drop_what_is_said_anew(&self, dead: &HashSet<u64>) {
        let mut gone_on = vec![];
        for (place, arrival) in lock(&self.moves.arriving).iter_mut() {
            arrival.drop_what_was_said_by(dead);
            while dead.iter().any(|node| arrival.ends_stay(*node)) {
                gone_on.push(*place);
            }
        }
        for place in gone_on {
            self.moves.leaving.arrived(place, self);
        }
    }

    /// The giver of these slots is dead.
    pub(super) fn note_orphans(&self, orphans: &HashSet<Place>) {
        let (epoch, since) = (self.epoch(), Instant::now());
        for (place, arrival) in lock(&self.moves.arriving).iter_mut() {
            if orphans.contains(place) {
                arrival.orphaned = Some(Orphaned { epoch, since });
            }
        }
    }

    /// Lets those begin that are here and waited for others.
    pub(super) fn let_those_here_begin(self: &Arc<Self>) {
        if self.moves.arriving_count() == 0 {
            return;
        }
        let all_act = self.all_act();
        let is_here = |arrival: &Arrival| {
            arrival.is_here
                && !arrival.orphaned.as_ref().is_some_and(|orphaned| orphaned.may_more_come(all_act))
        };
        let arriving = lock(&self.moves.arriving);
        let here: Vec<Place> =
            arriving.iter().filter(|(_, arrival)| is_here(arrival)).map(|(place, _)| *place).collect();
        drop(arriving);
        here.into_iter().for_each(|place| self.moves.arrived(self, place));
    }

    /// Slots whose giver is dead are awaited from who was its backup; those without one are taken out.
    pub(super) fn turn_to_backups(self: &Arc<Self>, orphans: &mut HashSet<Place>) {
        let me = self.me();
        let mut arriving = lock(&self.moves.arriving);
        orphans.retain(|place| {
            let Some(arrival) = arriving.get_mut(place) else { return false };
            let Some(then) = arrival.then.take().filter(|then| *then != me && !self.is_dead(*then)) else {
                return true;
            };
            arrival.turn_to(then);
            false
        });
    }

    /// Asks for slots that nobody gives unasked.
    pub(super) fn await_orphans(&self) {
        self.ask_for(|arrival| arrival.then.is_none());
    }

    /// Asks for slots that have been on their way for long.
    pub(super) fn await_what_is_late(&self) {
        let now = Instant::now();
        self.ask_for(|arrival| arrival.time(now) > ASK_AFTER);
    }

    fn ask_for(&self, wanted: impl Fn(&Arrival) -> bool) {
        let mut questions: HashMap<(Role, u64), Vec<u16>> = HashMap::default();
        if self.moves.arriving_count() == 0 {
            return;
        }
        for ((role, slot), arrival) in
            lock(&self.moves.arriving).iter().filter(|(_, arrival)| !arrival.is_here && wanted(arrival))
        {
            questions.entry((*role, arrival.from())).or_default().push(*slot);
        }
        let epoch = self.epoch();
        for ((role, from), slots) in questions {
            let question = Remote::Awaited { epoch, rooms: role == Role::Rooms, slots };
            if self.send(from, question).is_err() {
                self.count_dropped("awaited"); // and asked again
            }
        }
    }

    /// Another node awaits these slots: gives it what this one has of them. Those that are about to go there from here have
    /// moved when they have gone.
    pub fn awaited(self: &Arc<Self>, heir: u64, rooms: bool, slots: Vec<u16>) {
        let role = if rooms { Role::Rooms } else { Role::Sessions };
        let mut slots: HashSet<u16> = slots.into_iter().collect();
        let failed = match role {
            Role::Sessions => self.give_orphans::<Session>(heir, &slots),
            Role::Rooms => self.give_orphans::<Room>(heir, &slots),
        };
        // In this order: from the one they go into the other.
        let leaving = self.moves.leaving.slots(role);
        let departed = self.moves.acting.departed(role);
        slots.retain(|slot| !failed.contains(slot) && !leaving.contains(slot) && !departed.contains(slot));
        let slots: Vec<u16> = slots.into_iter().collect();
        let epoch = self.epoch();
        if !slots.is_empty()
            && self.send(heir, Remote::SlotsMoved { epoch, rooms, slots, asked: true }).is_err()
        {
            self.count_dropped("slots_moved"); // it asks again
        }
    }
}
