//! What every actor of a node shares. Handles only: nothing on a stanza's way is a singleton.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use jid::{BareJid, Jid};
use muster_cluster::{Cluster, Member, Role, Slot, Table, simulation};
use muster_proto::feature::Features;
use muster_proto::machine::{Env, Timestamp};
use muster_proto::options::Options;
use muster_proto::room::Room;
use muster_proto::session::Session;

use crate::copies::Copies;
use crate::deliveries::Deliveries;
use crate::fence::Fence;
use crate::floor::Floor;
use crate::gate::Gate;
use crate::moves::Moves;
use crate::office::Office;
use crate::owned::Strain;
use crate::parts::Joined;
use crate::remote::Remote;
use crate::replication::Replication;
use crate::sabotage;
use crate::shown::Shown;
use crate::sockets::Sockets;
use crate::storage::{Known, Storage};
use crate::throttle::Throttle;
use crate::warden::Warden;

/// The shared handle.
pub struct World {
    /// Settings of the domain, and limits.
    pub options: Options,
    /// Every feature.
    pub features: Features,
    /// Where things are kept.
    pub storage: Arc<dyn Storage>,
    /// The keys that are remembered of it.
    pub known: Arc<Known>,
    /// The sessions that live here.
    pub sessions: Office<Session>,
    /// The rooms that live here.
    pub rooms: Office<Room>,
    /// Second copies of sessions that live elsewhere.
    pub session_copies: Copies<Session>,
    /// Second copies of rooms that live elsewhere.
    pub room_copies: Copies<Room>,
    /// The connections that are here.
    pub sockets: Sockets,
    /// Slots on their way.
    pub moves: Moves,
    /// Messages of which not all parts have come.
    pub parts: Joined,
    /// What is on its way to other nodes and not safe there yet.
    pub deliveries: Deliveries,
    /// What is about to be on its way.
    pub strain: Strain,
    /// Who panicked.
    pub warden: Warden,
    /// Who may connect and try.
    pub throttle: Throttle,
    /// How many log in at once.
    pub gate: Arc<Gate>,
    /// Whether new connections are refused.
    pub draining: AtomicBool,
    /// What becomes of its clients while it has no lease.
    pub fence: Fence,
    /// Where actors run.
    pub floors: Vec<Floor>,
    /// Machines that lack their second copy.
    pub replication: Replication,
    /// Since it started, its slots have come and all nodes had their second copies.
    pub settled: AtomicBool,
    table: ArcSwap<Table>,
    /// See [`World::is_alone`].
    alone: AtomicBool,
    me: AtomicU64,
    cluster: OnceLock<Cluster<Remote>>,
    log_jids: bool,
}

/// What a [`World`] is made of.
pub struct Parts {
    /// See [`World::options`].
    pub options: Options,
    /// See [`World::features`].
    pub features: Features,
    /// See [`World::storage`].
    pub storage: Arc<dyn Storage>,
    /// See [`World::known`].
    pub known: Arc<Known>,
    /// See [`World::throttle`].
    pub throttle: Throttle,
    /// Where actors run.
    pub floors: Vec<Floor>,
    /// See [`World::fence`].
    pub fenced_time_max: Duration,
    /// See [`Replication::copies_min`].
    pub copies_min: u8,
    /// Whether logs may name accounts.
    pub log_jids: bool,
}

impl World {
    /// A world without a cluster yet.
    pub fn new(parts: Parts) -> Self {
        let idle_time_max = Duration::from_secs(parts.options.limits.idle_seconds_max);
        let sockets = Sockets::new(&parts.floors, idle_time_max);
        let warden = Warden::new((!parts.log_jids).then_some(parts.options.sasl_secret));
        Self {
            options: parts.options,
            features: parts.features,
            storage: parts.storage,
            known: parts.known,
            sessions: Office::new(&parts.floors),
            rooms: Office::new(&parts.floors),
            session_copies: Copies::default(),
            room_copies: Copies::default(),
            sockets,
            moves: Moves::default(),
            parts: Joined::default(),
            deliveries: Deliveries::new(parts.floors[0].clone()),
            strain: Strain::default(),
            warden,
            gate: parts.throttle.gate(),
            throttle: parts.throttle,
            draining: AtomicBool::new(false),
            fence: Fence::new(parts.fenced_time_max),
            floors: parts.floors,
            replication: Replication::new(parts.copies_min),
            settled: AtomicBool::new(false),
            table: ArcSwap::from_pointee(Table::default()),
            alone: AtomicBool::new(true),
            me: AtomicU64::new(0),
            cluster: OnceLock::new(),
            log_jids: parts.log_jids,
        }
    }

    /// Joins it to its cluster, once.
    pub fn connect(&self, cluster: Cluster<Remote>) {
        self.set_me(cluster.incarnation().0);
        drop(self.cluster.set(cluster));
    }

    /// The cluster.
    pub fn cluster(&self) -> Option<&Cluster<Remote>> {
        self.cluster.get()
    }

    /// This node's incarnation.
    pub fn me(&self) -> u64 {
        self.me.load(Ordering::Acquire)
    }

    /// This node has come back as another incarnation.
    pub fn set_me(&self, incarnation: u64) {
        self.me.store(incarnation, Ordering::Release);
    }

    /// Whether this node has no lease: it must not act as an owner now.
    pub fn is_fenced(&self) -> bool {
        self.lacks_lease() && !sabotage::is_on(sabotage::FENCE_OFF)
    }

    /// Whether it has none and goes on, alone: never, but on purpose.
    pub fn ignores_fence(&self) -> bool {
        sabotage::is_on(sabotage::FENCE_OFF) && self.lacks_lease()
    }

    fn lacks_lease(&self) -> bool {
        self.cluster.get().is_some_and(|cluster| !cluster.holds_lease())
    }

    /// Who owns what, as this node acts by it.
    pub fn table(&self) -> Arc<Table> {
        self.table.load_full()
    }

    /// Acts by another table from now on.
    pub fn set_table(&self, table: Arc<Table>) {
        let others = |member: &Member| member.incarnation.0 != self.me();
        self.alone.store(!table.view().members.iter().any(others), Ordering::Release);
        self.table.store(table);
    }

    /// Whether no other node is a member, be it down: then nobody could outlive this one, and nobody has died of whom
    /// something may come again.
    pub fn is_alone(&self) -> bool {
        self.alone.load(Ordering::Acquire)
    }

    /// Whether `table` is still what this node acts by.
    pub fn acts_by(&self, table: &Arc<Table>) -> bool {
        Arc::ptr_eq(table, &self.table.load())
    }

    /// The epoch of that table.
    pub fn epoch(&self) -> u64 {
        self.table.load().epoch()
    }

    /// Whose an address is: an account's session, or a room.
    pub fn role_of(&self, address: &BareJid) -> Role {
        match self.options.conference(address.domain().as_str()) {
            Some(_) => Role::Rooms,
            None => Role::Sessions,
        }
    }

    /// The node that keeps the second copy of a slot of ours, if there is one.
    pub fn backup(&self, role: Role, slot: u16) -> Option<u64> {
        if self.is_alone() {
            return None;
        }
        let backup = self.table.load().backup(role, Slot(slot)).map(|member| member.incarnation.0);
        backup.filter(|backup| *backup != self.me())
    }

    /// Time, chance and settings for one step of a machine.
    pub fn env(&self) -> Env<'_> {
        Env { now: now(), random: simulation::random(), options: &self.options, features: &self.features }
    }

    /// What a log line may say of a JID.
    pub fn shown<'a>(&'a self, jid: &'a Jid) -> Shown<'a> {
        Shown { jid, secret: (!self.log_jids).then_some(&self.options.sasl_secret) }
    }

    /// From now on, other nodes are told whose keys change here: they may remember others.
    pub fn tell_changed_keys(self: &Arc<Self>) {
        let world = Arc::downgrade(self);
        self.known.on_change(move |account| {
            let Some(world) = world.upgrade() else { return };
            for member in &world.table().view().members {
                let account = account.to_owned();
                let is_other =
                    member.state != muster_cluster::State::Down && member.incarnation.0 != world.me();
                if is_other && world.send(member.incarnation.0, Remote::KeysChanged { account }).is_err() {
                    world.count_dropped("keys_changed");
                }
            }
        });
    }

    /// Something was dropped on purpose; the metric says what.
    pub fn count_dropped(&self, what: &'static str) {
        metrics::counter!("muster_dropped_total", "what" => what).increment(1);
    }
}

/// The wall clock, for stamps.
pub fn now() -> Timestamp {
    Timestamp(u64::try_from(simulation::wall().as_millis()).unwrap_or(u64::MAX))
}
