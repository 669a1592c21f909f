//! The second copy of an owned machine: its changes go to the slot's backup, and only when they are there are the
//! effects released that follow from them.
//!
//! The first change sends the whole machine, later ones send themselves; links are first in, first out and lose nothing,
//! so the copy is the machine. With no backup, or none that can be reached, a change is committed when it is made, unless two copies are asked for.
//!
//! When the slot has another backup, whoever has the copy keeps it until the other one has all of it; and an owner that
//! is on its way goes on with the backup that it has.

use std::sync::Arc;
use std::time::Duration;

use jid::BareJid;
use muster_cluster::{Lsn, Role, Slot, SlotLog};
use tokio::time::Instant;

use crate::ledger::{Ledger, Note};
use crate::owned::Owned;
use crate::replication::Lack;
use crate::sabotage;
use crate::world::World;

/// How long inputs are taken that cannot be committed for want of a second copy.
const ALONE_TIME_MAX: Duration = Duration::from_secs(5);

/// One machine's log, and who holds its copy.
pub struct Copying {
    log: SlotLog,
    /// The incarnation of the node that holds the copy.
    at: Option<u64>,
    /// It has all of the machine.
    is_whole: bool,
    /// Who keeps a copy until it does, or may: what was sent and not confirmed counts, too.
    formers: Vec<u64>,
    /// The number of the last change in the whole copy that was sent last.
    whole: Lsn,
    /// The copy it had is gone, and the next one is not there yet.
    lack: Option<Lack>,
    /// Since when there must be a copy before anything is committed, and is none.
    alone_since: Option<Instant>,
}

impl Copying {
    /// No copy yet but those that former owners and their backups keep.
    pub fn new(epoch: u64, formers: Vec<u64>) -> Self {
        Self {
            log: SlotLog::new(epoch),
            at: None,
            is_whole: false,
            formers,
            whole: Lsn(0),
            lack: None,
            alone_since: None,
        }
    }

    /// Who is to have the copy.
    fn keeper(&self, world: &World, role: Role, slot: u16) -> Option<u64> {
        // The tables cost more than they tell while there is nobody else.
        if self.is_unwatched(world) {
            return None;
        }
        if world.owns(role, Slot(slot)) { world.backup(role, slot) } else { self.at }
    }

    /// Whether nobody has a copy, nor could have one: what changes needs not be recorded. If somebody has come before it is
    /// committed, all of the machine is sent.
    pub fn is_unwatched(&self, world: &World) -> bool {
        self.at.is_none() && world.is_alone()
    }

    /// The number of the last change.
    pub fn appended(&self) -> Lsn {
        self.log.appended()
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
        // What is not recorded counts as one change.
        let lsn = self.log.append(u64::try_from(changes.len()).unwrap_or(u64::MAX).max(1));
        match (self.keeper(world, M::ROLE, slot), self.at) {
            (None, _) => self.alone(world, committed),
            (Some(backup), Some(at)) if backup == at => {
                if world.send(backup, copied.0.changes(world.epoch(), lsn, changes, note)).is_err() {
                    self.fail(world, M::ROLE, slot, committed);
                }
            }
            (Some(backup), at) => {
                if at.is_some() {
                    self.lack(world, M::ROLE, slot);
                }
                self.copy(world, slot, backup, copied, committed);
            }
        }
        lsn
    }

    /// Tells the second copy what changed beside the machine, if there is one.
    pub fn note<M: Owned>(&mut self, world: &Arc<World>, slot: u16, machine: &M, note: Note) {
        let Some(at) = self.at.filter(|at| self.keeper(world, M::ROLE, slot) == Some(*at)) else { return };
        if world.send(at, machine.changes(world.epoch(), self.log.appended(), vec![], note)).is_err() {
            self.fail(world, M::ROLE, slot, self.log.committed());
        }
    }

    /// Sends all of a machine to the slot's backup, if that does not have it.
    pub fn refresh<M: Owned>(&mut self, world: &Arc<World>, slot: u16, copied: (&M, &Ledger)) {
        match self.keeper(world, M::ROLE, slot) {
            Some(backup) if self.at == Some(backup) => {}
            Some(backup) => {
                self.lack(world, M::ROLE, slot);
                self.copy(world, slot, backup, copied, self.log.committed());
            }
            None => self.alone(world, self.log.committed()),
        }
    }

    /// Whether the slot's backup has not even been sent a copy.
    pub fn is_behind(&self, world: &World, role: Role, slot: u16) -> bool {
        let keeper = self.keeper(world, role, slot);
        keeper.is_some() && keeper != self.at
    }

    /// The machine lacks its second copy, until it has another or needs none.
    pub fn lack(&mut self, world: &Arc<World>, role: Role, slot: u16) {
        self.lack.get_or_insert_with(|| Lack::new(world, role, slot));
    }

    fn copy<M: Owned>(
        &mut self,
        world: &Arc<World>,
        slot: u16,
        backup: u64,
        (machine, ledger): (&M, &Ledger),
        committed: Lsn,
    ) {
        let lsn = self.log.appended();
        if world.send(backup, machine.clone().copy(world.epoch(), lsn, ledger.clone())).is_err() {
            metrics::counter!("muster_copies_failed_total").increment(1);
            return self.fail(world, M::ROLE, slot, committed);
        }
        if self.at.is_none() {
            self.log.add_backup(committed);
        }
        self.leave_it();
        self.formers.retain(|former| *former != backup);
        (self.at, self.whole, self.alone_since) = (Some(backup), lsn, None);
        self.lack.iter_mut().for_each(|lack| lack.set_under_way(true));
    }

    /// The slot's backup cannot be told.
    fn fail(&mut self, world: &Arc<World>, role: Role, slot: u16, committed: Lsn) {
        self.alone(world, committed);
        self.lack(world, role, slot);
    }

    /// There is one copy now: everything is committed, unless two are asked for.
    fn alone(&mut self, world: &World, committed: Lsn) {
        self.leave_it();
        self.lack = None;
        if world.replication.copies_min > 1 {
            self.alone_since.get_or_insert_with(Instant::now);
            self.log.add_backup(committed);
        } else {
            self.log.drop_backup();
        }
    }

    /// A step may have left changes behind that were never sent: the copy must be made anew.
    pub fn distrust(&mut self, world: &World) {
        self.alone(world, self.log.committed());
    }

    /// Whether changes have waited for long for a copy that cannot be made.
    pub fn waits_in_vain(&self) -> bool {
        self.alone_since.is_some_and(|since| since.elapsed() > ALONE_TIME_MAX)
    }

    /// The backup holds every change up to this one.
    pub fn backed<M: Owned>(&mut self, world: &Arc<World>, address: &BareJid, by: u64, lsn: Lsn) {
        if self.at == Some(by) {
            self.log.backed(lsn);
            if lsn >= self.whole {
                self.lack = None;
                self.is_whole = true;
                self.let_go::<M>(world, address);
            }
        }
    }

    /// That node does not have the copy: whoever is the slot's backup now gets all of it.
    pub fn lacking<M: Owned>(&mut self, world: &Arc<World>, slot: u16, copied: (&M, &Ledger), by: u64) {
        if self.at != Some(by) {
            return;
        }
        match self.keeper(world, M::ROLE, slot).filter(|_| world.owns(M::ROLE, Slot(slot))) {
            Some(backup) => {
                self.lack(world, M::ROLE, slot);
                self.copy(world, slot, backup, copied, self.log.committed());
            }
            None => self.alone(world, self.log.committed()),
        }
    }

    /// The node that holds the copy may be dead: then nobody waits for its word.
    pub fn mourn<M: Owned>(&mut self, world: &Arc<World>, slot: u16, copied: (&M, &Ledger)) {
        if let Some(dead) = self.at.filter(|at| world.is_dead(*at)) {
            self.lacking(world, slot, copied, dead);
        }
    }

    /// Whether a change, and all before it, are committed.
    pub fn is_committed(&self, lsn: Lsn) -> bool {
        self.log.committed() >= lsn || sabotage::is_on(sabotage::ACKS_BEFORE_BACKUP)
    }

    /// Who has copies, or may.
    pub fn keepers(&self) -> Vec<u64> {
        self.formers.iter().copied().chain(self.at).collect()
    }

    /// The machine is put away: nobody needs its copy.
    pub fn end<M: Owned>(&mut self, world: &Arc<World>, address: &BareJid) {
        self.leave_it();
        self.lack = None;
        self.let_go::<M>(world, address);
    }

    fn let_go<M: Owned>(&mut self, world: &Arc<World>, address: &BareJid) {
        world.say_forget::<M>(std::mem::take(&mut self.formers), address);
    }

    /// Another node is to have the copy, or none: who has it keeps it until it is told to forget it.
    fn leave_it(&mut self) {
        self.is_whole = false;
        if let Some(at) = self.at.take().filter(|at| !self.formers.contains(at)) {
            self.formers.push(at);
        }
    }
}
