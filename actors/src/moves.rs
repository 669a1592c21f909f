//! Slots on their way from one node to another, in order and without losing what is said meanwhile.
//!
//! The former owner acts by the new table first, so nothing new reaches its actors; each then gives its machine to
//! the new owner and the last one says that the slot has moved. The new owner parks what comes until then.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jid::BareJid;
use muster_cluster::map::{HashMap, HashSet};
use muster_cluster::{Incarnation, Role, Slot, State, Table};
use muster_proto::room::{self, Room};
use muster_proto::session::{self, LostAccounts, Session};
use tokio::time::Instant;

use crate::owned::{Call, Owned};
use crate::receipt::Via;
use crate::remote::Remote;
use crate::sockets::SocketCall;
use crate::world::World;

/// Calls parked for one slot on its way here.
const PARKED_MAX: usize = 10_000;
/// How long a slot may be on its way; then its actors are built from the store.
const ARRIVAL_TIME_MAX: Duration = Duration::from_secs(10);
/// Slots of one ring.
const SLOTS: u16 = 16_384;

/// A slot of one of the rings.
type Place = (Role, u16);
type Waiting = Box<dyn FnOnce(&Arc<World>) + Send>;

/// Slots on their way.
#[derive(Default)]
pub struct Moves {
    arriving: Mutex<HashMap<Place, Arrival>>,
    /// How many of them: spares the lock when there are none.
    arriving_count: AtomicUsize,
    leaving: Mutex<HashMap<Place, Departure>>,
    /// Slots that moved here before this node knew the view in which they do.
    early: Mutex<HashMap<Place, u64>>,
    /// Messages by a newer view than this node acts by, in order.
    ahead: Mutex<VecDeque<(u64, Remote)>>,
}

struct Arrival {
    from: u64,
    since: Instant,
    waiting: VecDeque<Waiting>,
}

struct Departure {
    to: u64,
    left: usize,
}

/// What became of a call.
pub enum Parked<M: Owned> {
    /// The slot is here.
    Here(Call<M>),
    /// It waits for the slot.
    Waits,
    /// Too many wait already.
    Full(Call<M>),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Moves {
    /// Parks a call if its slot is on its way here.
    pub fn park<M: Owned>(&self, slot: u16, address: &BareJid, call: Call<M>) -> Parked<M> {
        if self.arriving_count.load(Ordering::Acquire) == 0 {
            return Parked::Here(call);
        }
        match lock(&self.arriving).get_mut(&(M::ROLE, slot)) {
            None => Parked::Here(call),
            Some(arrival) if arrival.waiting.len() >= PARKED_MAX => Parked::Full(call),
            Some(arrival) => {
                let address = address.clone();
                arrival.waiting.push_back(Box::new(move |world| {
                    let slot = Slot::of(address.as_str().as_bytes()).0;
                    if let Err((call, _)) = M::office(world).call(world, slot, &address, call, || true) {
                        drop(call);
                        world.count_dropped("parked");
                    }
                }));
                Parked::Waits
            }
        }
    }

    /// An actor of a leaving slot has left; the last one lets the new owner begin.
    pub fn left(&self, role: Role, slot: u16, world: &World) {
        let done = {
            let mut leaving = lock(&self.leaving);
            let Some(departure) = leaving.get_mut(&(role, slot)) else { return };
            departure.left -= 1;
            if departure.left > 0 {
                return;
            }
            let to = departure.to;
            leaving.remove(&(role, slot));
            to
        };
        say_moved(world, role, done, vec![slot]);
    }

    /// Slots whose actors have not all left yet.
    pub fn leaving_count(&self) -> usize {
        lock(&self.leaving).len()
    }

    /// Slots that are still on their way here.
    pub fn arriving_count(&self) -> usize {
        self.arriving_count.load(Ordering::Acquire)
    }

    /// The former owner says that these slots are here.
    pub fn moved(&self, world: &Arc<World>, role: Role, epoch: u64, slots: &[u16]) {
        for slot in slots {
            if epoch > world.epoch() {
                lock(&self.early).insert((role, *slot), epoch);
            } else {
                self.arrived(world, (role, *slot));
            }
        }
    }

    /// Lets what waits for a slot go on, in order, and then what comes.
    fn arrived(&self, world: &Arc<World>, place: Place) {
        loop {
            let waiting = {
                let mut arriving = lock(&self.arriving);
                let Some(arrival) = arriving.get_mut(&place) else { return };
                if arrival.waiting.is_empty() {
                    arriving.remove(&place);
                    self.arriving_count.store(arriving.len(), Ordering::Release);
                    return;
                }
                std::mem::take(&mut arrival.waiting)
            };
            waiting.into_iter().for_each(|go_on| go_on(world));
        }
    }

    /// Keeps a message that speaks of a newer view than ours; gives back one that may be handled now.
    pub fn ahead(&self, world: &World, epoch: u64, from: u64, message: Remote) -> Option<Remote> {
        let mut ahead = lock(&self.ahead);
        if ahead.is_empty() && epoch <= world.epoch() {
            return Some(message);
        }
        ahead.push_back((from, message));
        None
    }

    /// Slots that should have arrived long ago begin from the store.
    pub fn give_up_waiting(&self, world: &Arc<World>) {
        let late: Vec<Place> = lock(&self.arriving)
            .iter()
            .filter(|(_, arrival)| arrival.since.elapsed() > ARRIVAL_TIME_MAX)
            .map(|(place, _)| *place)
            .collect();
        if !late.is_empty() {
            tracing::warn!(
                slots = late.len(),
                "slots did not arrive in time; their sessions and rooms begin anew"
            );
        }
        late.into_iter().for_each(|place| self.arrived(world, place));
    }
}

/// What a new table changes for this node.
#[derive(Default)]
struct Difference {
    arriving: Vec<(Place, u64)>,
    leaving: HashMap<Place, u64>,
    /// Slots of dead owners, with the owner, that are ours now.
    taken: HashSet<(Role, u16, u64)>,
    /// Slots of dead owners: their sockets must come back.
    lost: HashSet<Place>,
    /// Those of them that did not go to their backup: nothing of them is left.
    gone: HashSet<Place>,
    dead: HashSet<u64>,
}

impl Difference {
    fn between(old: &Table, new: &Table, me: u64) -> Self {
        let mut difference = Self::default();
        let is_alive =
            |node: u64| new.member_of(Incarnation(node)).is_some_and(|member| member.state != State::Down);
        difference.dead = old
            .view()
            .members
            .iter()
            .map(|member| (member.state, member.incarnation.0))
            // What becomes of this node itself when it is put down is its fate, and told elsewhere.
            .filter(|(state, node)| *state != State::Down && *node != me && !is_alive(*node))
            .map(|(_, node)| node)
            .collect();
        for role in Role::ALL {
            for slot in 0..SLOTS {
                let owner = |table: &Table| table.owner(role, Slot(slot)).map(|member| member.incarnation.0);
                let (before, after) = (owner(old), owner(new));
                let backup = old.backup(role, Slot(slot)).map(|member| member.incarnation.0);
                let (Some(before), true) = (before, before != after) else { continue };
                if !is_alive(before) {
                    difference.lost.insert((role, slot));
                    if after == Some(me) {
                        difference.taken.insert((role, slot, before));
                    }
                    if after != backup {
                        difference.gone.insert((role, slot));
                    }
                } else if after == Some(me) {
                    difference.arriving.push(((role, slot), before));
                } else if let (true, Some(after)) = (before == me, after) {
                    difference.leaving.insert((role, slot), after);
                }
            }
        }
        difference
    }
}

impl World {
    /// Acts by a new table: lets slots go, waits for slots that come, and tells everyone what was lost.
    pub fn adopt_table(self: &Arc<Self>, new: Arc<Table>) {
        let old = self.table();
        if new.epoch() <= old.epoch() {
            return;
        }
        let difference = Difference::between(&old, &new, self.me());
        self.expect_slots(&difference, new.epoch());
        let (sessions, rooms) = self.succeed(&difference);
        self.change_table(&new, &difference.dead);
        self.resume_posts::<Session>(&sessions);
        self.resume_posts::<Room>(&rooms);
        self.let_go(&difference.leaving);
        self.let_stragglers_go(&difference.dead);
        self.mourn(&difference);
        self.see_to_copies(&old, &new);
        self.catch_up();
    }

    /// What died with its owner lives on here, if this node has the copy and now owns the slot.
    fn succeed(self: &Arc<Self>, difference: &Difference) -> (Vec<BareJid>, Vec<BareJid>) {
        let sessions =
            self.promote::<Session>(|of, slot| difference.taken.contains(&(Role::Sessions, slot, of)));
        let rooms = self.promote::<Room>(|of, slot| difference.taken.contains(&(Role::Rooms, slot, of)));
        let (count, of_rooms) = (sessions.len(), rooms.len());
        if count + of_rooms > 0 {
            tracing::warn!(
                sessions = count,
                rooms = of_rooms,
                "their owner is gone: they go on here, from their second copies"
            );
        }
        (sessions, rooms)
    }

    /// Copies what has another backup now, and drops copies that are not ours to keep.
    fn see_to_copies(self: &Arc<Self>, old: &Table, new: &Table) {
        let me = self.me();
        let pair = |table: &Table, role, slot| {
            let of = |member: Option<&muster_cluster::Member>| member.map(|member| member.incarnation.0);
            (of(table.owner(role, Slot(slot))), of(table.backup(role, Slot(slot))))
        };
        let anew = |role: Role| {
            move |slot: u16| {
                let (owner, backup) = pair(new, role, slot);
                owner == Some(me) && backup != pair(old, role, slot).1
            }
        };
        self.copy_anew::<Session>(anew(Role::Sessions));
        self.copy_anew::<Room>(anew(Role::Rooms));
        let stale = |role: Role| {
            move |slot| {
                let (owner, backup) = pair(new, role, slot);
                // What is on its way here in order may still lose its giver.
                owner != Some(me) && backup != Some(me)
            }
        };
        self.dismiss_copies::<Session>(stale(Role::Sessions));
        self.dismiss_copies::<Room>(stale(Role::Rooms));
    }

    fn expect_slots(self: &Arc<Self>, difference: &Difference, epoch: u64) {
        let mut arriving = lock(&self.moves.arriving);
        let mut early = lock(&self.moves.early);
        for (place, from) in &difference.arriving {
            if early.remove(place).is_none() {
                let (since, waiting) = (Instant::now(), VecDeque::new());
                arriving.insert(*place, Arrival { from: *from, since, waiting });
            }
        }
        early.retain(|_, at| *at > epoch);
        self.moves.arriving_count.store(arriving.len(), Ordering::Release);
    }

    fn let_go(self: &Arc<Self>, leaving: &HashMap<Place, u64>) {
        if leaving.is_empty() {
            return;
        }
        // Each slot counts one more than its actors, so that none has moved before all were told.
        lock(&self.moves.leaving)
            .extend(leaving.iter().map(|(place, to)| (*place, Departure { to: *to, left: 1 })));
        self.tell_to_leave::<Session>(leaving);
        self.tell_to_leave::<Room>(leaving);
        let mut moved: HashMap<(Role, u64), Vec<u16>> = HashMap::default();
        {
            let mut departures = lock(&self.moves.leaving);
            for (place, to) in leaving {
                let Some(departure) = departures.get_mut(place) else { continue };
                departure.left -= 1;
                if departure.left == 0 {
                    departures.remove(place);
                    moved.entry((place.0, *to)).or_default().push(place.1);
                }
            }
        }
        for ((role, to), slots) in moved {
            say_moved(self, role, to, slots);
        }
    }

    /// Those whose new owner died before it had them go to the next, or stay.
    fn let_stragglers_go(self: &Arc<Self>, dead: &HashSet<u64>) {
        let is_void = |_: &Place, departure: &mut Departure| dead.contains(&departure.to);
        if lock(&self.moves.leaving).extract_if(is_void).count() > 0 {
            self.send_stragglers::<Session>();
            self.send_stragglers::<Room>();
        }
    }

    fn send_stragglers<M: Owned>(self: &Arc<Self>) {
        let table = self.table();
        M::office(self).call_each(|address| {
            let owner = table.owner(M::ROLE, Slot::of(address.as_str().as_bytes()))?;
            (owner.incarnation.0 != self.me()).then_some(Call::Leave(owner.incarnation.0))
        });
    }

    fn tell_to_leave<M: Owned>(self: &Arc<Self>, leaving: &HashMap<Place, u64>) {
        M::office(self).call_each(|address| {
            let place = (M::ROLE, Slot::of(address.as_str().as_bytes()).0);
            let to = leaving.get(&place)?;
            if let Some(departure) = lock(&self.moves.leaving).get_mut(&place) {
                departure.left += 1;
            }
            Some(Call::Leave(*to))
        });
    }

    fn mourn(self: &Arc<Self>, difference: &Difference) {
        self.take_in_orphans(&difference.dead);
        for node in &difference.dead {
            tracing::info!(incarnation = node, "a node is gone: its sockets are closed for their sessions");
            self.parts.forget(*node);
            self.sessions.call_each(|_| Some(Call::Input(session::Input::NodeLost(*node), Via::default())));
        }
        if let Some(lost) = slots_of_sessions(&difference.lost) {
            self.sockets.tell_all(|| SocketCall::SlotsLost(lost.clone()));
        }
        if let Some(gone) = slots_of_sessions(&difference.gone) {
            let gone: LostAccounts =
                Arc::new(move |account| gone[usize::from(Slot::of(account.as_str().as_bytes()).0)]);
            self.sessions
                .call_each(|_| Some(Call::Input(session::Input::AccountsLost(gone.clone()), Via::default())));
            self.rooms
                .call_each(|_| Some(Call::Input(room::Input::AccountsLost(gone.clone()), Via::default())));
        }
    }

    /// Slots whose giver died on the way begin with what we have of them.
    fn take_in_orphans(self: &Arc<Self>, dead: &HashSet<u64>) {
        let orphans: HashSet<(Role, u16, u64)> = lock(&self.moves.arriving)
            .iter()
            .filter(|(_, arrival)| dead.contains(&arrival.from))
            .map(|((role, slot), arrival)| (*role, *slot, arrival.from))
            .collect();
        let sessions = self.promote::<Session>(|of, slot| orphans.contains(&(Role::Sessions, slot, of)));
        let rooms = self.promote::<Room>(|of, slot| orphans.contains(&(Role::Rooms, slot, of)));
        self.resume_posts::<Session>(&sessions);
        self.resume_posts::<Room>(&rooms);
        orphans.into_iter().for_each(|(role, slot, _)| self.moves.arrived(self, (role, slot)));
    }

    /// Handles what spoke of this view before we knew it.
    fn catch_up(self: &Arc<Self>) {
        let mut ahead = lock(&self.moves.ahead);
        let waiting = std::mem::take(&mut *ahead);
        for (from, message) in waiting {
            // Under the lock, so that what comes now comes after.
            match message.epoch() {
                Some(epoch) if epoch > self.epoch() => ahead.push_back((from, message)),
                Some(_) | None => self.take(from, message),
            }
        }
    }
}

/// Which slots of sessions are among these, if any.
fn slots_of_sessions(places: &HashSet<Place>) -> Option<Arc<Vec<bool>>> {
    let mut slots = vec![false; usize::from(SLOTS)];
    for (role, slot) in places {
        slots[usize::from(*slot)] |= *role == Role::Sessions;
    }
    slots.contains(&true).then(|| Arc::new(slots))
}

fn say_moved(world: &World, role: Role, to: u64, slots: Vec<u16>) {
    let message = Remote::SlotsMoved { epoch: world.epoch(), rooms: role == Role::Rooms, slots };
    if world.send(to, message).is_err() {
        world.count_dropped("slots_moved");
    }
}

#[cfg(test)]
mod tests {
    use muster_cluster::{Member, NodeId, Roles, View};

    use super::*;

    fn table(epoch: u64, members: &[(&str, u64, State)]) -> Table {
        let member = |(name, incarnation, state): &(&str, u64, State)| Member {
            node: NodeId::new(name).unwrap(),
            incarnation: Incarnation(*incarnation),
            zone: String::new(),
            weight: 100,
            roles: Roles::all(),
            state: *state,
            voter: true,
            link: None,
        };
        Table::new(View { epoch, members: members.iter().map(member).collect() })
    }

    #[test]
    fn a_node_that_joins_gets_its_slots_from_those_who_had_them() {
        let old = table(1, &[("a", 1, State::Up), ("b", 2, State::Up)]);
        let new = table(2, &[("a", 1, State::Up), ("b", 2, State::Up), ("c", 3, State::Up)]);
        let joined = Difference::between(&old, &new, 3);
        let (at_a, at_b) = (Difference::between(&old, &new, 1), Difference::between(&old, &new, 2));
        assert!(joined.lost.is_empty() && joined.dead.is_empty() && joined.leaving.is_empty());
        assert!(!joined.arriving.is_empty());
        for (place, from) in &joined.arriving {
            let giver = if *from == 1 { &at_a } else { &at_b };
            assert_eq!(giver.leaving.get(place), Some(&3));
        }
        assert_eq!(joined.arriving.len(), at_a.leaving.len() + at_b.leaving.len());
    }

    #[test]
    fn a_node_that_dies_loses_its_slots_and_nothing_is_awaited() {
        let old = table(1, &[("a", 1, State::Up), ("b", 2, State::Up)]);
        let new = table(2, &[("a", 1, State::Up), ("b", 2, State::Down)]);
        let difference = Difference::between(&old, &new, 1);
        assert_eq!(difference.dead, HashSet::from_iter([2]));
        assert!(difference.arriving.is_empty() && difference.leaving.is_empty());
        assert!(!difference.lost.is_empty());
    }

    #[test]
    fn a_node_that_comes_back_under_its_name_was_dead_in_between() {
        let old = table(1, &[("a", 1, State::Up), ("b", 2, State::Up)]);
        let new = table(2, &[("a", 1, State::Up), ("b", 9, State::Joining)]);
        let difference = Difference::between(&old, &new, 1);
        assert_eq!(difference.dead, HashSet::from_iter([2]));
        assert!(!difference.lost.is_empty());
    }

    #[test]
    fn a_draining_node_gives_everything_away() {
        let old = table(1, &[("a", 1, State::Up), ("b", 2, State::Up)]);
        let new = table(2, &[("a", 1, State::Up), ("b", 2, State::Draining)]);
        let leaving = Difference::between(&old, &new, 2);
        assert_eq!(leaving.leaving.len(), Difference::between(&old, &new, 1).arriving.len());
        assert!(leaving.leaving.values().all(|to| *to == 1));
        assert!(leaving.lost.is_empty() && leaving.dead.is_empty());
    }
}
