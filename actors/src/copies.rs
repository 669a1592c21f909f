//! The second copies that this node keeps for others. When an owner dies, its copies become the machines.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jid::BareJid;
use muster_cluster::map::{HashMap, HashSet};
use muster_cluster::{Incarnation, Role, Slot, State};
use tokio::time::Instant;

use crate::ledger::Note;
use crate::moves::SLOT_MOVE_MAX;
use crate::owned::{Call, Known, Owned};
use crate::remote::Remote;
use crate::warden::Warden;
use crate::world::{World, now};

/// The copies of one kind.
pub struct Copies<M: Owned> {
    machines: Mutex<HashMap<BareJid, Copy<M>>>,
    /// Some may be stale. Without any nobody has to look through all of them.
    some_stale: AtomicBool,
}

struct Copy<M> {
    /// Whose copy it is: the incarnation of the owner.
    of: u64,
    /// The view by which it was made.
    epoch: u64,
    /// If this node gave its machine away, `formers` keep the copies that it had then, for as long as this one is kept.
    known: Known<M>,
    /// Since when the view does not want it: another node may need it before it has one of its own.
    stale: Option<Instant>,
}

impl<M: Owned> Default for Copies<M> {
    fn default() -> Self {
        Self { machines: Mutex::default(), some_stale: AtomicBool::default() }
    }
}

impl<M: Owned> Copies<M> {
    /// Keeps all of a machine, unless what a later owner sent is here. Yields who need not keep former copies any more.
    pub fn keep(&self, of: u64, epoch: u64, address: BareJid, known: Known<M>) -> Option<Vec<u64>> {
        let mut machines = self.machines();
        if machines.get(&address).is_some_and(|copy| copy.of != of && copy.epoch > epoch) {
            return None;
        }
        Some(formers(machines.insert(address, Copy { of, epoch, known, stale: None })))
    }

    /// The machine itself is here now. Yields who keeps former copies.
    pub fn remove(&self, address: &BareJid) -> Vec<u64> {
        formers(self.machines().remove(address))
    }

    /// Applies changes to a copy; whether it is there and holds them now. A copy that cannot take a change is dropped.
    pub fn apply(
        &self,
        warden: &Warden,
        of: u64,
        address: &BareJid,
        changes: Vec<M::Change>,
        note: Note,
    ) -> bool {
        let mut machines = self.machines();
        let Some(copy) = machines.get_mut(address).filter(|copy| copy.of == of) else { return false };
        let applied = warden.guard(address.as_str(), || {
            changes.into_iter().for_each(|change| copy.known.machine.apply(change))
        });
        match applied {
            Ok(()) => copy.known.ledger.apply(note, now()),
            Err(_) => drop(machines.remove(address)),
        }
        applied.is_ok()
    }

    /// A copy is not needed any more. Yields who need not keep former ones either.
    pub fn forget(&self, of: u64, address: &BareJid) -> Vec<u64> {
        let mut machines = self.machines();
        let is_its = machines.get(address).is_some_and(|copy| copy.of == of);
        formers(is_its.then(|| machines.remove(address)).flatten())
    }

    /// Drops all copies.
    pub fn clear(&self) {
        self.machines().clear();
    }

    /// Takes out copies, by their owner and slot.
    fn take(&self, mut wanted: impl FnMut(u64, u16) -> bool) -> Vec<(BareJid, Copy<M>)> {
        self.machines().extract_if(|address, copy| wanted(copy.of, slot_of(address))).collect()
    }

    /// Marks the copies that are wanted no more, by their owner and slot.
    pub fn mark(&self, is_stale: impl Fn(u64, u16) -> bool) {
        let mut some = false;
        let mut machines = self.machines();
        for (address, copy) in machines.iter_mut() {
            match is_stale(copy.of, slot_of(address)) {
                true => drop(copy.stale.get_or_insert_with(Instant::now)),
                false => copy.stale = None,
            }
            some |= copy.stale.is_some();
        }
        self.some_stale.store(some, Ordering::Relaxed);
    }

    /// Drops the copies that were not wanted for so long.
    pub fn dismiss(&self, after: Duration) {
        if !self.some_stale.load(Ordering::Relaxed) {
            return;
        }
        let mut some = false;
        let mut machines = self.machines();
        machines.retain(|_, copy| {
            let stays = copy.stale.is_none_or(|since| since.elapsed() <= after);
            some |= stays && copy.stale.is_some();
            stays
        });
        self.some_stale.store(some, Ordering::Relaxed);
    }

    /// How many there are whose owners are alive.
    pub fn count_of(&self, is_alive: impl Fn(u64) -> bool) -> usize {
        self.machines().values().filter(|copy| is_alive(copy.of)).count()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.machines().len()
    }

    fn machines(&self) -> MutexGuard<'_, HashMap<BareJid, Copy<M>>> {
        self.machines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn formers<M>(copy: Option<Copy<M>>) -> Vec<u64> {
    copy.map(|copy| copy.known.formers).unwrap_or_default()
}

fn slot_of(address: &BareJid) -> u16 {
    Slot::of(address.as_str().as_bytes()).0
}

impl World {
    /// Whether that node is none any more, by the table that this one acts by.
    pub fn is_dead(&self, node: u64) -> bool {
        self.table().member_of(Incarnation(node)).is_none_or(|member| member.state == State::Down)
    }

    /// The copies of dead owners become the machines of their addresses, before anybody is sent to them here.
    pub fn promote<M: Owned>(self: &Arc<Self>, wanted: impl FnMut(u64, u16) -> bool) -> Vec<BareJid> {
        let taken = M::copies(self).take(wanted).into_iter();
        let inherit = |(address, copy): (BareJid, Copy<M>)| {
            M::office(self).inherit(self, slot_of(&address), &address, copy.known);
            address
        };
        taken.map(inherit).collect()
    }

    /// What these did not see safe as machines of their former owners is done again, by the table of now.
    pub fn resume_posts<M: Owned>(&self, promoted: &[BareJid]) {
        for address in promoted {
            M::office(self).call_if_there(slot_of(address), address, Call::Resume);
        }
    }

    /// Gives the copies of dead owners in these slots to the node that owns those now. Yields the slots of which not all
    /// could be given.
    pub fn give_orphans<M: Owned>(&self, heir: u64, slots: &HashSet<u16>) -> HashSet<u16> {
        let orphans = M::copies(self).take(|of, slot| slots.contains(&slot) && self.is_dead(of));
        let mut failed = HashSet::default();
        for (address, Copy { of, known, .. }) in orphans {
            if self.send(heir, known.machine.clone().orphan(known.ledger.clone())).is_err() {
                failed.insert(slot_of(&address));
                M::copies(self).keep(of, 0, address, known);
            }
        }
        failed
    }

    /// Marks copies that are not this node's to keep, or whose owner is another one now.
    pub fn mark_copies<M: Owned>(&self) {
        let (table, me) = (self.table(), self.me());
        M::copies(self).mark(|of, slot| {
            let owner = table.owner(M::ROLE, Slot(slot)).map(|member| member.incarnation.0);
            let backup = table.backup(M::ROLE, Slot(slot)).map(|member| member.incarnation.0);
            // What is on its way here in order may still lose its giver.
            owner != Some(me) && (backup != Some(me) || owner != Some(of))
        });
    }

    /// Drops what nobody has asked for.
    pub fn dismiss_copies(&self) {
        self.session_copies.dismiss(SLOT_MOVE_MAX);
        self.room_copies.dismiss(SLOT_MOVE_MAX);
    }

    /// Tells an owner that its copy is not here.
    pub fn say_lacking<M: Owned>(&self, of: u64, address: BareJid) {
        let message = Remote::Lacking { rooms: M::ROLE == Role::Rooms, address };
        if self.send(of, message).is_err() {
            self.count_dropped("lacking");
        }
    }

    /// Tells these nodes that their copies are not needed any more.
    pub fn say_forget<M: Owned>(&self, keepers: Vec<u64>, address: &BareJid) {
        for keeper in keepers {
            let message = Remote::Forget { rooms: M::ROLE == Role::Rooms, address: address.clone() };
            if self.send(keeper, message).is_err() {
                self.count_dropped("forget");
            }
        }
    }

    /// That owner needs its copy here no more, nor anybody those that were kept along with it.
    pub fn forget_copy<M: Owned>(&self, of: u64, address: &BareJid) {
        self.say_forget::<M>(M::copies(self).forget(of, address), address);
    }

    /// Every machine whose slot has another backup now is copied there.
    pub fn copy_anew<M: Owned>(self: &Arc<Self>, moved: impl Fn(u16) -> bool) {
        M::office(self).call_each(|address| moved(slot_of(address)).then_some(Call::Copy));
    }
}

#[cfg(test)]
mod tests {
    use muster_proto::machine::Machine;
    use muster_proto::session::Session;

    use super::*;
    use crate::ledger::Ledger;

    #[test]
    fn what_is_not_wanted_goes_after_its_time_unless_it_is_wanted_again() {
        let copies = Copies::<Session>::default();
        for name in ["romeo@montague.lit", "juliet@capulet.lit"] {
            let address = BareJid::new(name).unwrap();
            let machine = Box::new(Session::new(address.clone(), vec![]));
            let known = Known { machine, ledger: Ledger::default(), formers: vec![] };
            copies.keep(1, 1, address, known);
        }
        let romeo = slot_of(&BareJid::new("romeo@montague.lit").unwrap());
        let counts = |times: [Duration; 2]| {
            times.map(|time| {
                copies.dismiss(time);
                copies.count()
            })
        };
        assert_eq!(counts([Duration::ZERO; 2]), [2, 2]);
        copies.mark(|_, slot| slot == romeo);
        copies.mark(|_, _| false);
        assert_eq!(counts([Duration::ZERO; 2]), [2, 2], "wanted again");
        copies.mark(|_, slot| slot == romeo);
        assert_eq!(counts([Duration::MAX, Duration::ZERO]), [2, 1], "its time comes");
        copies.mark(|_, _| true);
        assert_eq!(counts([Duration::ZERO; 2]), [0, 0]);
    }
}
