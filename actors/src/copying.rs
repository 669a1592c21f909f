//! The second copy of an owned machine: its changes go to the slot's backup, and only when they are there are the
//! effects released that follow from them.
//!
//! The first change sends the whole machine, later ones send themselves; links are first in, first out and lose nothing,
//! so the copy is the machine. With no backup, or none that can be reached, a change is committed when it is made.

use std::sync::Arc;

use muster_cluster::{Lsn, Role, SlotLog};

use crate::ledger::{Ledger, Note};
use crate::owned::Owned;
use crate::remote::Remote;
use crate::sabotage;
use crate::world::World;

/// One machine's log, and who holds its copy.
pub struct Copying {
    log: SlotLog,
    /// The incarnation of the node that holds the copy.
    at: Option<u64>,
}

impl Copying {
    /// No copy yet.
    pub fn new(epoch: u64) -> Self {
        Self { log: SlotLog::new(epoch), at: None }
    }

    /// The machine has changed: sends the changes, or all of it. Returns the number of the last change.
    pub fn append<M: Owned>(
        &mut self,
        world: &Arc<World>,
        slot: u16,
        copied: (&M, &Ledger),
        changes: Vec<M::Change>,
        note: Note,
    ) -> Lsn {
        // What was committed with one copy stays so; these changes wait for the second.
        let committed = self.log.committed();
        let lsn = self.log.append(u64::try_from(changes.len()).unwrap_or(u64::MAX));
        if changes.is_empty() {
            return lsn;
        }
        match (world.backup(M::ROLE, slot), self.at) {
            (None, _) => self.alone(),
            (Some(backup), Some(at)) if backup == at => {
                if world.send(backup, copied.0.changes(lsn, changes, note)).is_err() {
                    self.alone();
                }
            }
            (Some(backup), _) => self.copy(world, backup, copied, committed),
        }
        lsn
    }

    /// Tells the second copy what changed beside the machine, if there is one.
    pub fn note<M: Owned>(&mut self, world: &Arc<World>, slot: u16, machine: &M, note: Note) {
        let Some(at) = self.at.filter(|at| world.backup(M::ROLE, slot) == Some(*at)) else { return };
        if world.send(at, machine.changes(self.log.appended(), vec![], note)).is_err() {
            self.alone();
        }
    }

    /// Sends all of a machine to the slot's backup, if that does not have it.
    pub fn refresh<M: Owned>(&mut self, world: &Arc<World>, slot: u16, copied: (&M, &Ledger)) {
        match world.backup(M::ROLE, slot) {
            Some(backup) if self.at == Some(backup) => {}
            Some(backup) => self.copy(world, backup, copied, self.log.committed()),
            None => self.alone(),
        }
    }

    fn copy<M: Owned>(
        &mut self,
        world: &Arc<World>,
        backup: u64,
        (machine, ledger): (&M, &Ledger),
        committed: Lsn,
    ) {
        let lsn = self.log.appended();
        if world.send(backup, machine.clone().copy(lsn, ledger.clone())).is_err() {
            metrics::counter!("muster_copies_failed_total").increment(1);
            return self.alone();
        }
        if self.at.is_none() {
            self.log.add_backup(committed);
        }
        self.at = Some(backup);
    }

    /// There is one copy now: everything is committed.
    fn alone(&mut self) {
        self.at = None;
        self.log.drop_backup();
    }

    /// A step may have left changes behind that were never sent: the copy must be made anew.
    pub fn distrust(&mut self) {
        self.alone();
    }

    /// The backup holds every change up to this one.
    pub fn backed(&mut self, by: u64, lsn: Lsn) {
        if self.at == Some(by) {
            self.log.backed(lsn);
        }
    }

    /// That node does not have the copy: whoever is the slot's backup now gets all of it.
    pub fn lacking<M: Owned>(&mut self, world: &Arc<World>, slot: u16, copied: (&M, &Ledger), by: u64) {
        if self.at != Some(by) {
            return;
        }
        match world.backup(M::ROLE, slot) {
            Some(backup) => self.copy(world, backup, copied, self.log.committed()),
            None => self.alone(),
        }
    }

    /// Whether a change, and all before it, are committed.
    pub fn is_committed(&self, lsn: Lsn) -> bool {
        self.log.committed() >= lsn || sabotage::is_on(sabotage::ACKS_BEFORE_BACKUP)
    }

    /// The machine is put away: nobody needs its copy.
    pub fn end(&mut self, world: &Arc<World>, role: Role, address: &jid::BareJid) {
        if let Some(at) = self.at.take() {
            let message = Remote::Forget { rooms: role == Role::Rooms, address: address.clone() };
            if world.send(at, message).is_err() {
                world.count_dropped("forget");
            }
        }
    }
}
