//! Where owned actors of one kind are found: one desk per arbiter, and a slot's actors all at the same desk.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jid::BareJid;
use muster_cluster::map::HashMap;

use crate::floor::Floor;
use crate::mail::Mail;
use crate::owned::{Call, Known, Owned, Owner, OwnerMail};
use crate::world::World;

/// Letters that may wait for one owned actor; what comes beyond is refused with `resource-constraint`.
const LETTERS_MAX: usize = 4_096;

/// The actors of one kind on this node.
pub struct Office<M: Owned> {
    desks: Vec<Desk<M>>,
    count: AtomicUsize,
}

struct Desk<M: Owned> {
    floor: Floor,
    actors: Mutex<HashMap<BareJid, OwnerMail<M>>>,
}

impl<M: Owned> Desk<M> {
    fn actors(&self) -> MutexGuard<'_, HashMap<BareJid, OwnerMail<M>>> {
        self.actors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: Owned> Office<M> {
    /// An office with a desk on each floor.
    pub fn new(floors: &[Floor]) -> Self {
        let desk = |floor: &Floor| Desk { floor: floor.clone(), actors: Mutex::default() };
        Self { desks: floors.iter().map(desk).collect(), count: AtomicUsize::new(0) }
    }

    /// Calls the actor at this address, starting it if need be. `still_ours` is asked under the desk's lock, so that
    /// no letter slips in behind the one that tells the actor to leave.
    ///
    /// # Errors
    /// Gives the call back: `true` if the mailbox is full, `false` if the slot is not ours any more.
    pub fn call(
        &self,
        world: &Arc<World>,
        slot: u16,
        address: &BareJid,
        call: Call<M>,
        still_ours: impl FnOnce() -> bool,
    ) -> Result<(), (Call<M>, bool)> {
        let desk = self.desk(slot);
        let mut actors = desk.actors();
        if !still_ours() {
            return Err((call, false));
        }
        let bound = match &call {
            Call::Input(input, _) if M::stanza(input).is_some() => LETTERS_MAX,
            Call::Input(..)
            | Call::Safe(..)
            | Call::Done(_)
            | Call::Resume
            | Call::Leave(_)
            | Call::Backed(..)
            | Call::Lacking(_)
            | Call::Copy
            | Call::Forget => usize::MAX,
        };
        match actors.get(address) {
            Some(mail) if mail.connected() => mail.send(call, bound).map_err(|call| (call, true)),
            _ => {
                let mail = self.start(desk, world, slot, address, None);
                let sent = mail.send(call, bound).map_err(|call| (call, true));
                if actors.insert(address.clone(), mail).is_none() {
                    self.count.fetch_add(1, Ordering::Relaxed);
                }
                sent
            }
        }
    }

    /// Calls the actor at this address if there is one.
    pub fn call_if_there(&self, slot: u16, address: &BareJid, call: Call<M>) {
        if let Some(mail) = self.desk(slot).actors().get(address) {
            drop(mail.send(call, usize::MAX));
        }
    }

    /// Starts the actor of a machine whose owner is dead, unless there is one: that has gone on already.
    pub fn inherit(&self, world: &Arc<World>, slot: u16, address: &BareJid, known: Known<M>) {
        let desk = self.desk(slot);
        let mut actors = desk.actors();
        if !actors.get(address).is_some_and(Mail::connected) {
            let mail = self.start(desk, world, slot, address, Some(known));
            if actors.insert(address.clone(), mail).is_none() {
                self.count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Starts the actor of a machine that another node gave us.
    pub fn adopt(&self, world: &Arc<World>, slot: u16, address: &BareJid, known: Known<M>) {
        let desk = self.desk(slot);
        let mut actors = desk.actors();
        let mail = self.start(desk, world, slot, address, Some(known));
        match actors.insert(address.clone(), mail) {
            // Never two at one address: what the former owner says is newer than what the store said.
            Some(old) => drop(old.send(Call::Forget, usize::MAX)),
            None => drop(self.count.fetch_add(1, Ordering::Relaxed)),
        }
    }

    fn start(
        &self,
        desk: &Desk<M>,
        world: &Arc<World>,
        slot: u16,
        address: &BareJid,
        known: Option<Known<M>>,
    ) -> OwnerMail<M> {
        let (world, address) = (world.clone(), address.clone());
        Mail::start(&desk.floor, move |mail| Owner::new(world, address, slot, mail, known))
    }

    /// Strikes an actor off, if it is still the one at its address.
    pub fn retire(&self, slot: u16, address: &BareJid, mail: &OwnerMail<M>) {
        let mut actors = self.desk(slot).actors();
        if actors.get(address).is_some_and(|there| there.is(mail)) {
            actors.remove(address);
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Strikes an actor off if nothing waits for it; whether it did.
    pub fn retire_if_quiet(&self, slot: u16, address: &BareJid) -> bool {
        let mut actors = self.desk(slot).actors();
        if !actors.get(address).is_none_or(Mail::is_empty) {
            return false;
        }
        if actors.remove(address).is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
        true
    }

    /// Calls every actor for which there is something to say.
    pub fn call_each(&self, mut call: impl FnMut(&BareJid) -> Option<Call<M>>) {
        for desk in &self.desks {
            for (address, mail) in desk.actors().iter() {
                if let Some(call) = call(address) {
                    drop(mail.send(call, usize::MAX));
                }
            }
        }
    }

    /// Forgets every actor, as a node that was ousted must.
    pub fn forget_all(&self) {
        for desk in &self.desks {
            for (_, mail) in desk.actors().drain() {
                self.count.fetch_sub(1, Ordering::Relaxed);
                drop(mail.send(Call::Forget, usize::MAX));
            }
        }
    }

    /// How many actors there are.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    fn desk(&self, slot: u16) -> &Desk<M> {
        &self.desks[usize::from(slot) % self.desks.len()]
    }
}
