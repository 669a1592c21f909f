//! Slots on their way from one node to another, in order and without losing what is said meanwhile.
//!
//! The former owner acts by the new table first, so nothing new reaches its actors; each then gives its machine to
//! the new owner. When all nodes act by the new table it says that the slot has moved. The new owner parks what comes
//! until then, and handles first what came over the former owner: that was said before.

mod acting;
mod arrival;
mod awaited;
mod departure;
mod difference;

pub use acting::Hearing;
use arrival::{Arrival, Given};
use departure::Departures;
use difference::{Difference, Source};

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jid::BareJid;
use muster_cluster::map::{HashMap, HashSet};
use muster_cluster::{Incarnation, Role, Slot, Table, View};
use muster_proto::room::{self, Room};
use muster_proto::session::{self, LostAddresses, Session};
use tokio::time::Instant;

use crate::owned::{Call, Owned};
use crate::receipt::Via;
use crate::remote::Remote;
use crate::sockets::SocketCall;
use crate::world::World;

/// Calls parked for one slot on its way here.
const PARKED_MAX: usize = 10_000;
/// How long after a new view nodes keep what others may still need of slots that have moved.
pub const SLOT_MOVE_MAX: Duration = Duration::from_secs(120);
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
    /// When something last came from those who give.
    came: Mutex<HashMap<u64, Instant>>,
    leaving: Departures,
    /// Who has second copies that this node is to have, and since when that is so.
    filling: Mutex<HashMap<Place, (u64, Instant)>>,
    /// Messages by a newer view than this node acts by, in order.
    ahead: Mutex<Ahead>,
    /// Who acts by which view.
    acting: acting::Acting,
    /// The view of which this node has done all that it changes.
    adopted: AtomicU64,
}

#[derive(Default)]
struct Ahead {
    waiting: VecDeque<(u64, Remote)>,
    /// What may be handled now is being handled: what comes now comes after.
    is_catching_up: bool,
}

/// Slots that a node says it has given.
#[derive(Clone, Copy)]
pub struct Gift {
    /// Which node.
    pub from: u64,
    /// Whether it was asked: then it may have given nothing, and not be whose turn it is any more.
    pub asked: bool,
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
    /// Whether a slot is on its way here.
    pub fn awaits(&self, role: Role, slot: u16) -> bool {
        self.arriving_count() > 0 && lock(&self.arriving).contains_key(&(role, slot))
    }

    /// Parks a call if its slot is on its way here.
    pub fn park<M: Owned>(&self, slot: u16, address: &BareJid, call: Call<M>) -> Parked<M> {
        if self.arriving_count.load(Ordering::Acquire) == 0 {
            return Parked::Here(call);
        }
        match lock(&self.arriving).get_mut(&(M::ROLE, slot)) {
            None => Parked::Here(call),
            Some(arrival) if arrival.count() >= PARKED_MAX => Parked::Full(call),
            Some(arrival) => {
                let address = address.clone();
                // Whoever gave it its label says it anew.
                let has_heir = matches!(&call, Call::Input(_, via) if via.label.is_some());
                let go_on = move |world: &Arc<World>| world.call_after_waiting::<M>(&address, call);
                arrival.park(acting::heard_now(), has_heir, Box::new(go_on));
                Parked::Waits
            }
        }
    }

    /// An actor of a leaving slot has left; the last one lets the new owner begin.
    pub fn left(&self, role: Role, slot: u16, address: &BareJid, world: &World) {
        self.leaving.left((role, slot), address, world);
    }

    /// Whether an actor has left whose slot has not: then there is nothing newer of it than what it took along.
    pub fn has_left(&self, role: Role, slot: u16, address: &BareJid) -> bool {
        self.leaving.has_left((role, slot), address)
    }

    /// Where what another node says of a slot goes that is on its way from here: the same way, although the slot may go on.
    pub fn goes_to(&self, place: Place) -> Option<u64> {
        acting::heard_now()?;
        // In this order: from the one they go into the other.
        self.leaving.goes_to(place).or_else(|| self.acting.goes_to(place))
    }

    /// Slots that have not left yet.
    pub fn leaving_count(&self) -> usize {
        self.leaving.count() + self.acting.departed_count()
    }

    /// Slots that are still on their way here.
    pub fn arriving_count(&self) -> usize {
        self.arriving_count.load(Ordering::Acquire)
    }

    /// A former owner says that these slots are here.
    pub fn moved(&self, world: &Arc<World>, role: Role, gift: Gift, slots: &[u16]) {
        let Gift { from, asked } = gift;
        for slot in slots {
            let place = (role, *slot);
            let comes = lock(&self.arriving).get_mut(&place).map(|arrival| arrival.is_given_by(from));
            match comes {
                Some(Given::Before) => {
                    self.leaving.arrived(place, world);
                }
                Some(Given::Now) => self.arrived(world, place),
                // Somebody else is asked now, for what there is now.
                Some(Given::ByAnother) if asked => {}
                Some(Given::ByAnother) => self.arrived(world, place),
                None if world.owns(role, Slot(*slot)) => {}
                None => world.send_on(place),
            }
        }
    }

    /// Lets what waits for a slot go on, in order, and then what comes.
    fn arrived(&self, world: &Arc<World>, place: Place) {
        loop {
            let waiting = {
                let mut arriving = lock(&self.arriving);
                let Some(arrival) = arriving.get_mut(&place) else { return };
                if arrival.orphaned.as_ref().is_some_and(|orphaned| orphaned.may_more_come(world.all_act())) {
                    arrival.is_here = true;
                    return;
                }
                if arrival.count() == 0 {
                    arriving.remove(&place);
                    self.arriving_count.store(arriving.len(), Ordering::Release);
                    break;
                }
                arrival.take()
            };
            waiting.into_iter().for_each(|go_on| go_on(world));
        }
        // If it is to go on from here, it could not before it came.
        while self.leaving.arrived(place, world) {}
    }

    /// Nothing is on its way any more: this node is no member.
    pub fn forget(&self) {
        lock(&self.arriving).clear();
        self.arriving_count.store(0, Ordering::Release);
        lock(&self.came).clear();
        self.leaving.forget();
        *lock(&self.ahead) = Ahead::default();
        lock(&self.filling).clear();
        self.acting.forget();
    }

    /// Up to which view a message may speak to be handled now.
    fn known(&self, world: &World, message: &Remote) -> u64 {
        match message {
            // What leaves must be known to leave.
            Remote::Awaited { .. } => self.adopted.load(Ordering::Acquire),
            _ => world.epoch(),
        }
    }

    /// Keeps a message that speaks of a newer view than ours; gives back one that may be handled now.
    pub fn ahead(&self, world: &World, epoch: u64, from: u64, message: Remote) -> Option<Remote> {
        let mut ahead = lock(&self.ahead);
        if !ahead.is_catching_up && ahead.waiting.is_empty() && epoch <= self.known(world, &message) {
            return Some(message);
        }
        ahead.waiting.push_back((from, message));
        None
    }

    /// Slots that should have arrived long ago begin from the store.
    pub fn give_up_waiting(&self, world: &Arc<World>) {
        let late = self.late(Instant::now());
        if !late.is_empty() {
            tracing::warn!(
                slots = late.len(),
                "slots did not arrive in time; their sessions and rooms begin anew"
            );
        }
        late.into_iter().for_each(|place| self.arrived(world, place));
        world.let_those_here_begin();
        world.await_what_is_late();
        world.let_departed_go();
    }
}

impl World {
    /// Acts by a new table, and first by those before it that were missed: who gives a slot to whom is decided by two
    /// tables that follow each other.
    pub fn adopt_table(self: &Arc<Self>, new: Arc<Table>) {
        let acted = self.epoch();
        if new.epoch() <= acted {
            return;
        }
        let is_mine = |view: &View| view.member_of(Incarnation(self.me())).is_some();
        let is_missed = |view: &View| view.epoch > acted && is_mine(view);
        let before = std::iter::successors(new.view().before(), View::before);
        let missed: Vec<View> = before.take_while(is_missed).collect();
        missed.into_iter().rev().for_each(|view| self.adopt_next(Arc::new(self.table().next(view))));
        self.adopt_next(new);
    }

    /// Acts by the next table: lets slots go, waits for slots that come, and tells everyone what was lost.
    fn adopt_next(self: &Arc<Self>, new: Arc<Table>) {
        let old = self.table();
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
        self.moves.adopted.store(new.epoch(), Ordering::Release);
        self.await_orphans();
        self.catch_up();
        self.say_acting(new.epoch());
        self.let_departed_go();
    }

    /// What died with its owner lives on here, if this node has the copy and now owns the slot.
    fn succeed(self: &Arc<Self>, difference: &Difference) -> (Vec<BareJid>, Vec<BareJid>) {
        let sessions = self.promote::<Session>(|of, slot| difference.inherits(Role::Sessions, of, slot));
        let rooms = self.promote::<Room>(|of, slot| difference.inherits(Role::Rooms, of, slot));
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

    /// Copies what has another backup or owner now, and marks copies that are not ours to keep.
    fn see_to_copies(self: &Arc<Self>, old: &Table, new: &Table) {
        let me = self.me();
        let pair = |table: &Table, role, slot| {
            let of = |member: Option<&muster_cluster::Member>| member.map(|member| member.incarnation.0);
            (of(table.owner(role, Slot(slot))), of(table.backup(role, Slot(slot))))
        };
        let anew = |role: Role| {
            move |slot: u16| {
                let (owner, backup) = pair(new, role, slot);
                // A machine that is about to leave may wait for one that is dead.
                owner != Some(me) || (owner, backup) != pair(old, role, slot)
            }
        };
        self.copy_anew::<Session>(anew(Role::Sessions));
        self.copy_anew::<Room>(anew(Role::Rooms));
        self.mark_copies::<Session>();
        self.mark_copies::<Room>();
    }

    /// Waits for slots that come.
    fn expect_slots(self: &Arc<Self>, difference: &Difference, epoch: u64) {
        let mut arriving = lock(&self.moves.arriving);
        for (place, source) in &difference.arriving {
            if let Some(arrival) = arriving.get_mut(place) {
                if arrival.come_again(*source, epoch) {
                    self.moves.leaving.arrived(*place, self);
                }
            } else {
                arriving.insert(*place, Arrival::new(*source, epoch));
            }
        }
        self.expect_copies(difference, &mut arriving, epoch);
        self.moves.arriving_count.store(arriving.len(), Ordering::Release);
    }

    fn let_go(self: &Arc<Self>, leaving: &HashMap<Place, u64>) {
        if leaving.is_empty() {
            return;
        }
        leaving.iter().for_each(|(place, to)| self.moves.leaving.begin(*place, *to));
        self.tell_to_leave::<Session>(leaving);
        self.tell_to_leave::<Room>(leaving);
        let arriving = lock(&self.moves.arriving);
        let is_awaited = |place: &Place| arriving.contains_key(place);
        self.moves.leaving.all_are_told(leaving.keys().copied(), is_awaited, self);
    }

    /// Those whose new owner died before it had them go to the next, or stay. Until they have gone their slot has not, or
    /// the next owner would begin without them.
    fn let_stragglers_go(self: &Arc<Self>, dead: &HashSet<u64>) {
        let table = self.table();
        let owner = |(role, slot): &Place| {
            let owner = table.owner(*role, Slot(*slot)).map(|owner| owner.incarnation.0);
            owner.filter(|owner| *owner != self.me())
        };
        if self.moves.leaving.turn_from(dead, owner, self) {
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
            leaving.get(&place)?;
            self.moves.leaving.tell(place, address).map(Call::Leave)
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
        if !difference.gone.is_empty() {
            let (world, gone) = (self.clone(), difference.gone.clone());
            let gone: LostAddresses = Arc::new(move |address| {
                let slot = Slot::of(address.as_str().as_bytes()).0;
                gone.contains(&(world.role_of(address), slot))
            });
            self.sessions.call_each(|_| {
                Some(Call::Input(session::Input::AddressesLost(gone.clone()), Via::default()))
            });
            self.rooms
                .call_each(|_| Some(Call::Input(room::Input::AddressesLost(gone.clone()), Via::default())));
        }
    }

    /// Slots whose giver died on the way begin with what we have of them.
    fn take_in_orphans(self: &Arc<Self>, dead: &HashSet<u64>) {
        if dead.is_empty() {
            return;
        }
        let mut orphans: HashSet<Place> = lock(&self.moves.arriving)
            .iter()
            .filter(|(_, arrival)| dead.contains(&arrival.from()))
            .map(|(place, _)| *place)
            .collect();
        let is_orphan = |role, of, slot| orphans.contains(&(role, slot)) && self.is_dead(of);
        let sessions = self.promote::<Session>(|of, slot| is_orphan(Role::Sessions, of, slot));
        let rooms = self.promote::<Room>(|of, slot| is_orphan(Role::Rooms, of, slot));
        self.resume_posts::<Session>(&sessions);
        self.resume_posts::<Room>(&rooms);
        self.drop_what_is_said_anew(dead);
        self.note_orphans(&orphans);
        self.turn_to_backups(&mut orphans);
        orphans.into_iter().for_each(|place| self.moves.arrived(self, place));
    }

    /// Handles what spoke of this view before we knew it. Not under the lock, for which whoever hears another node waits.
    fn catch_up(self: &Arc<Self>) {
        lock(&self.moves.ahead).is_catching_up = true;
        let mut later = VecDeque::new();
        loop {
            let mut ahead = lock(&self.moves.ahead);
            if ahead.waiting.is_empty() {
                ahead.waiting = later;
                ahead.is_catching_up = false;
                return;
            }
            let waiting = std::mem::take(&mut ahead.waiting);
            drop(ahead);
            for (from, message) in waiting {
                match message.epoch() {
                    Some(epoch) if epoch > self.moves.known(self, &message) => {
                        later.push_back((from, message))
                    }
                    Some(_) | None => self.take(from, message),
                }
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
