//! Which nodes act by which view, and slots that have left but are not said to: somebody may still act by the view before,
//! and what it says reaches the new owner over this node. When all act by the new view it has: links are first in, first out.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jid::BareJid;
use muster_cluster::map::{HashMap, HashSet};
use muster_cluster::{Member, Role, Slot, State};
use muster_proto::room::Room;
use muster_proto::session::Session;
use tokio::time::Instant;

use super::{Place, lock};
use crate::owned::{Call, Owned};
use crate::remote::Remote;
use crate::world::World;

/// How long a slot that has left, or whose giver died, waits for nodes that do not say by which view they act. Who is silent is put
/// down before.
pub(super) const ACTING_TIME_MAX: Duration = Duration::from_secs(4);

/// See the module.
#[derive(Default)]
pub(super) struct Acting {
    /// The highest epoch by which each node acts, by incarnation.
    nodes: Mutex<HashMap<u64, u64>>,
    departed: Mutex<Vec<Departed>>,
}

struct Departed {
    role: Role,
    to: u64,
    slots: Vec<u16>,
    epoch: u64,
    since: Instant,
}

impl Acting {
    /// Whether that node acts by the view of that epoch, or a later one.
    pub(super) fn acts(&self, node: u64, epoch: u64) -> bool {
        lock(&self.nodes).get(&node).is_some_and(|acts| *acts >= epoch)
    }

    pub(super) fn forget(&self) {
        lock(&self.departed).clear();
    }

    /// The view by which all of these act at least.
    fn all_act(&self, nodes: &[u64]) -> u64 {
        let acting = lock(&self.nodes);
        let acts = nodes.iter().map(|node| acting.get(node).copied().unwrap_or_default());
        acts.min().unwrap_or(u64::MAX)
    }

    /// Where a slot went that is not said to have left.
    pub(super) fn goes_to(&self, (role, slot): Place) -> Option<u64> {
        let departed = lock(&self.departed);
        departed.iter().rfind(|it| it.role == role && it.slots.contains(&slot)).map(|it| it.to)
    }

    /// The slots that have left and are not said to.
    pub(super) fn departed(&self, role: Role) -> HashSet<u16> {
        let departed = lock(&self.departed);
        departed.iter().filter(|it| it.role == role).flat_map(|it| it.slots.iter().copied()).collect()
    }

    /// Slots that have left and are not said to.
    pub(super) fn departed_count(&self) -> usize {
        lock(&self.departed).iter().map(|departed| departed.slots.len()).sum()
    }
}

/// What is heard of another node.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// Who says it.
    pub(super) node: u64,
    /// By the view of which epoch.
    pub(super) epoch: u64,
    /// It was said before, to an owner that is dead.
    pub(super) again: bool,
    /// That node had it from others, who took it for the owner by a view before.
    pub(super) is_sent_on: bool,
}

thread_local! {
    static HEARD: Cell<Option<Heard>> = const { Cell::new(None) };
}

/// While it lives, this thread takes what another node said.
pub struct Hearing(Option<Heard>);

impl Hearing {
    /// Begins to take what that node said, by the view of that epoch.
    pub fn from(node: u64, epoch: u64) -> Self {
        Self(HEARD.replace(Some(Heard { node, epoch, ..Heard::default() })))
    }

    /// Begins to take what that node had said, or sent on, before, to an owner that is dead.
    pub fn again(node: u64, is_sent_on: bool) -> Self {
        Self(HEARD.replace(Some(Heard { node, epoch: u64::MAX, again: true, is_sent_on })))
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        HEARD.set(self.0);
    }
}

/// What this thread takes now, if another node said it.
pub(super) fn heard_now() -> Option<Heard> {
    HEARD.get()
}

impl World {
    /// Whether this node owns a slot, by the table that it acts by.
    pub fn owns(&self, role: Role, slot: Slot) -> bool {
        self.table().owner(role, slot).is_some_and(|owner| owner.incarnation.0 == self.me())
    }

    fn others(&self) -> Vec<u64> {
        let is_there = |member: &&Member| member.state != State::Down && member.incarnation.0 != self.me();
        self.table().view().members.iter().filter(is_there).map(|member| member.incarnation.0).collect()
    }

    /// Tells all others that this node acts by a view: when every arbiter has ended what it began by the one before.
    pub(super) fn say_acting(self: &Arc<Self>, epoch: u64) {
        let waits = Arc::new(AtomicUsize::new(self.floors.len()));
        for floor in &self.floors {
            let (world, waits) = (self.clone(), waits.clone());
            floor.run(move || {
                if waits.fetch_sub(1, Ordering::AcqRel) == 1 {
                    for node in world.others() {
                        if world.send(node, Remote::Acting { epoch }).is_err() {
                            world.count_dropped("acting");
                        }
                    }
                }
            });
        }
    }

    /// Another node acts by the view of that epoch.
    pub fn heard_acting(self: &Arc<Self>, node: u64, epoch: u64) {
        {
            let mut nodes = lock(&self.moves.acting.nodes);
            let acts = nodes.entry(node).or_default();
            *acts = epoch.max(*acts);
        }
        self.let_departed_go();
        self.let_those_here_begin();
    }

    /// The view by which all others act at least.
    pub(super) fn all_act(&self) -> u64 {
        self.moves.acting.all_act(&self.others())
    }

    /// Slots have left: says so to their new owner, now or as soon as all act by the view in which they are its own.
    pub(super) fn departed(&self, role: Role, to: u64, mut slots: Vec<u16>) {
        let (epoch, since) = (self.epoch(), Instant::now());
        let acting = &self.moves.acting;
        let others = self.others();
        // Under the lock, so that they are said in order.
        let mut departed = lock(&acting.departed);
        let is_said = acting.all_act(&others) >= epoch && self.say_moved(role, to, &slots);
        if is_said || !others.contains(&to) {
            return;
        }
        // Slots leave by the thousand, one by one.
        match departed.last_mut() {
            Some(last) if (last.role, last.to, last.epoch) == (role, to, epoch) => {
                last.slots.append(&mut slots)
            }
            _ => departed.push(Departed { role, to, slots, epoch, since }),
        }
    }

    /// Says of slots that they have moved if nothing for them can come over this node any more, or it took too long.
    pub fn let_departed_go(&self) {
        let acting = &self.moves.acting;
        let mut departed = lock(&acting.departed);
        if departed.is_empty() {
            return;
        }
        let others = self.others();
        lock(&acting.nodes).retain(|node, _| others.contains(node));
        let all_act = acting.all_act(&others);
        departed.retain(|it| {
            let waits = all_act < it.epoch && it.since.elapsed() <= ACTING_TIME_MAX;
            waits || !self.say_moved(it.role, it.to, &it.slots) && others.contains(&it.to)
        });
    }

    /// Whether it could be said; if not it is said again later, as long as that node is there.
    fn say_moved(&self, role: Role, to: u64, slots: &[u16]) -> bool {
        let (epoch, rooms, slots) = (self.epoch(), role == Role::Rooms, slots.to_vec());
        let said = self.send(to, Remote::SlotsMoved { epoch, rooms, slots, asked: false }).is_ok();
        if !said {
            self.count_dropped("slots_moved");
        }
        said
    }

    /// A machine came whose slot is to go on from here: so does the machine.
    pub fn pass_on<M: Owned>(self: &Arc<Self>, address: &BareJid) {
        let slot = Slot::of(address.as_str().as_bytes()).0;
        let to = self.moves.leaving.tell((M::ROLE, slot), address);
        if let Some(to) = to {
            M::office(self).call_if_there(slot, address, Call::Leave(to));
        }
    }

    /// A slot came here by a view in which it was ours, and by the one that this node acts by it is another's.
    pub(super) fn send_on(self: &Arc<Self>, (role, slot): Place) {
        let Some(to) = self.table().owner(role, Slot(slot)).map(|owner| owner.incarnation.0) else { return };
        self.moves.leaving.begin_or_go_on((role, slot), to);
        let leaving = HashMap::from_iter([((role, slot), to)]);
        match role {
            Role::Sessions => self.tell_to_leave::<Session>(&leaving),
            Role::Rooms => self.tell_to_leave::<Room>(&leaving),
        }
        self.moves.leaving.all_are_told([(role, slot)].into_iter(), |_| false, self);
    }
}
