//! The second copies that this node keeps for others. When an owner dies, its copies become the machines.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jid::BareJid;
use muster_cluster::map::HashMap;
use muster_cluster::{Role, Slot};

use crate::ledger::{Ledger, Note};
use crate::owned::{Call, Owned};
use crate::remote::Remote;
use crate::warden::Warden;
use crate::world::{World, now};

/// The copies of one kind.
pub struct Copies<M: Owned> {
    machines: Mutex<HashMap<BareJid, Copy<M>>>,
}

struct Copy<M> {
    /// Whose copy it is: the incarnation of the owner.
    of: u64,
    machine: Box<M>,
    ledger: Ledger,
}

impl<M: Owned> Default for Copies<M> {
    fn default() -> Self {
        Self { machines: Mutex::default() }
    }
}

impl<M: Owned> Copies<M> {
    /// Keeps all of a machine.
    pub fn keep(&self, of: u64, address: BareJid, machine: Box<M>, ledger: Ledger) {
        self.machines().insert(address, Copy { of, machine, ledger });
    }

    /// Applies changes to a copy; whether it is there and holds them now. A copy that cannot take a change is dropped.
    pub fn apply(
        &self,
        warden: &Warden,
        of: u64,
        address: &BareJid,
        changes: &[M::Change],
        note: Note,
    ) -> bool {
        let mut machines = self.machines();
        let Some(copy) = machines.get_mut(address).filter(|copy| copy.of == of) else { return false };
        let applied =
            warden.guard(address.as_str(), || changes.iter().for_each(|change| copy.machine.apply(change)));
        match applied {
            Ok(()) => copy.ledger.apply(note, now()),
            Err(_) => drop(machines.remove(address)),
        }
        applied.is_ok()
    }

    /// A copy is not needed any more.
    pub fn forget(&self, of: u64, address: &BareJid) {
        let mut machines = self.machines();
        if machines.get(address).is_some_and(|copy| copy.of == of) {
            machines.remove(address);
        }
    }

    /// Takes out the copies whose owner was that node and whose slot is one of those.
    pub fn take(&self, mut wanted: impl FnMut(u64, u16) -> bool) -> Vec<(BareJid, Box<M>, Ledger)> {
        let mut machines = self.machines();
        let addresses: Vec<BareJid> = machines
            .iter()
            .filter(|(address, copy)| wanted(copy.of, Slot::of(address.as_str().as_bytes()).0))
            .map(|(address, _)| address.clone())
            .collect();
        addresses
            .into_iter()
            .filter_map(|address| machines.remove(&address).map(|copy| (address, copy.machine, copy.ledger)))
            .collect()
    }

    /// Drops the copies that are wanted no more; whose they were, and of what.
    pub fn dismiss(&self, stale: impl Fn(u16) -> bool) -> Vec<(u64, BareJid)> {
        let mut dismissed = Vec::new();
        self.machines().retain(|address, copy| {
            let is_stale = stale(Slot::of(address.as_str().as_bytes()).0);
            if is_stale {
                dismissed.push((copy.of, address.clone()));
            }
            !is_stale
        });
        dismissed
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.machines().len()
    }

    fn machines(&self) -> MutexGuard<'_, HashMap<BareJid, Copy<M>>> {
        self.machines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    /// The copies of dead owners become the machines of their addresses, before anybody is sent to them here.
    pub fn promote<M: Owned>(self: &Arc<Self>, mut wanted: impl FnMut(u64, u16) -> bool) -> Vec<BareJid> {
        let taken = M::copies(self).take(&mut wanted).into_iter();
        let adopt = |(address, machine, ledger): (BareJid, Box<M>, Ledger)| {
            let slot = Slot::of(address.as_str().as_bytes()).0;
            M::office(self).adopt(self, slot, &address, machine, ledger);
            address
        };
        taken.map(adopt).collect()
    }

    /// What these did not see safe as machines of their former owners is done again, by the table of now.
    pub fn resume_posts<M: Owned>(&self, promoted: &[BareJid]) {
        for address in promoted {
            let slot = Slot::of(address.as_str().as_bytes()).0;
            M::office(self).call_if_there(slot, address, Call::Resume);
        }
    }

    /// Drops copies that are not this node's to keep, and says so: an owner that knows a newer table may have sent them
    /// already, and one that knows an older table may wait for them.
    pub fn dismiss_copies<M: Owned>(&self, stale: impl Fn(u16) -> bool) {
        for (of, address) in M::copies(self).dismiss(stale) {
            self.say_lacking::<M>(of, address);
        }
    }

    /// Tells an owner that its copy is not here.
    pub fn say_lacking<M: Owned>(&self, of: u64, address: BareJid) {
        let message = Remote::Lacking { rooms: M::ROLE == Role::Rooms, address };
        if self.send(of, message).is_err() {
            self.count_dropped("lacking");
        }
    }

    /// Every machine whose slot has another backup now is copied there.
    pub fn copy_anew<M: Owned>(self: &Arc<Self>, moved: impl Fn(u16) -> bool) {
        M::office(self)
            .call_each(|address| moved(Slot::of(address.as_str().as_bytes()).0).then_some(Call::Copy));
    }
}
