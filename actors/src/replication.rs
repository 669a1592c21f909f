//! Machines that lost their second copy and wait for another. So many are copied at once, and no more, so that what is
//! said meanwhile does not wait behind all of them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jid::BareJid;
use muster_cluster::Role;
use muster_cluster::map::{HashMap, HashSet};
use muster_proto::room::Room;
use muster_proto::session::Session;

use crate::owned::{Call, Owned};
use crate::world::World;

/// Machines that are copied anew at once.
const UNDER_WAY_MAX: usize = 64;

/// See the module.
pub struct Replication {
    /// How many copies there must be of what is committed, the machine itself included: one or two.
    pub copies_min: u8,
    /// How many machines of each slot lack their second copy.
    lacking: Mutex<HashMap<(Role, u16), usize>>,
    under_way: AtomicUsize,
    waiting: Mutex<VecDeque<(Role, u16, BareJid)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Replication {
    /// Nothing is lacking.
    pub fn new(copies_min: u8) -> Self {
        Self {
            copies_min,
            lacking: Mutex::default(),
            under_way: AtomicUsize::new(0),
            waiting: Mutex::default(),
        }
    }

    /// Slots of this node with a machine whose second copy is not where it should be.
    pub fn lacking_count(&self) -> usize {
        lock(&self.lacking).len()
    }

    /// Whether another machine may be copied now.
    pub fn has_room(&self) -> bool {
        self.under_way.load(Ordering::Acquire) < UNDER_WAY_MAX
    }
}

/// A machine that lacks its second copy, as long as this lives.
pub struct Lack {
    world: Arc<World>,
    place: (Role, u16),
    under_way: bool,
}

impl Lack {
    /// A machine of this slot lacks its copy.
    pub fn new(world: &Arc<World>, role: Role, slot: u16) -> Self {
        *lock(&world.replication.lacking).entry((role, slot)).or_default() += 1;
        Self { world: world.clone(), place: (role, slot), under_way: false }
    }

    /// It has been sent, or not.
    pub fn set_under_way(&mut self, under_way: bool) {
        let count = &self.world.replication.under_way;
        match (self.under_way, under_way) {
            (false, true) => drop(count.fetch_add(1, Ordering::AcqRel)),
            (true, false) => drop(count.fetch_sub(1, Ordering::AcqRel)),
            (true, true) | (false, false) => {}
        }
        self.under_way = under_way;
    }
}

impl Drop for Lack {
    fn drop(&mut self) {
        {
            let mut lacking = lock(&self.world.replication.lacking);
            if let Some(count) = lacking.get_mut(&self.place) {
                *count -= 1;
                if *count == 0 {
                    lacking.remove(&self.place);
                }
            }
        }
        if self.under_way {
            self.set_under_way(false);
            self.world.copy_next();
        }
    }
}

impl World {
    /// This machine is copied when there is room.
    pub fn copy_later(&self, role: Role, slot: u16, address: BareJid) {
        lock(&self.replication.waiting).push_back((role, slot, address));
    }

    /// Tries again what could not be sent. Called again and again.
    pub fn copy_what_is_lacking(self: &Arc<Self>) {
        if self.replication.has_room() {
            self.copy_next();
        }
        let stuck = self.replication.under_way.load(Ordering::Acquire) == 0;
        if !stuck || !lock(&self.replication.waiting).is_empty() {
            return;
        }
        let slots: HashSet<(Role, u16)> = lock(&self.replication.lacking).keys().copied().collect();
        if !slots.is_empty() {
            self.copy_anew::<Session>(|slot| slots.contains(&(Role::Sessions, slot)));
            self.copy_anew::<Room>(|slot| slots.contains(&(Role::Rooms, slot)));
        }
    }

    /// Lets those who wait be copied, as far as there is room.
    pub fn copy_next(&self) {
        let room = UNDER_WAY_MAX.saturating_sub(self.replication.under_way.load(Ordering::Acquire));
        let next: Vec<_> = {
            let mut waiting = lock(&self.replication.waiting);
            let count = room.min(waiting.len());
            waiting.drain(..count).collect()
        };
        for (role, slot, address) in next {
            match role {
                Role::Sessions => Session::office(self).call_if_there(slot, &address, Call::Copy),
                Role::Rooms => Room::office(self).call_if_there(slot, &address, Call::Copy),
            }
        }
    }
}
