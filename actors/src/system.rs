//! A node's actors, started and stopped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_rt::Arbiter;
use jid::{BareJid, Jid};
use muster_cluster::simulation::{Ether, Pipe};
use muster_cluster::{Cluster, Fate, Load, Member, MemberStatus, MoveError, Phase, Role, Slot, TlsMaterial};
use muster_proto::feature::{Feature, Features};
use muster_proto::features;
use muster_proto::options::Options;
use muster_proto::session::Order;
use muster_proto::stream::{StreamCondition, StreamError};
use tokio::time::Instant;

use crate::fence::FENCED_TIME_MAX;
use crate::floor::Floor;
use crate::inbox::Mailroom;
use crate::listener::ClientListener;
use crate::metrics;
use crate::receipt::Via;
use crate::remote::Remote;
use crate::socket::{Connection, Wire};
use crate::status::{NodeStatus, RingStatus, Status};
use crate::storage::{self, Keyring, Remembered, Storage};
use crate::throttle::{Guards, Throttle};
use crate::world::{Parts, World};

/// How often gauges, gossip and late slots are looked after.
const TICK: Duration = Duration::from_millis(500);
/// How long slots may take to leave before the node stops all the same.
const LEAVE_TIME_MAX: Duration = Duration::from_secs(20);
/// How often a drain says what it waits for.
const SAY_EVERY: Duration = Duration::from_secs(2);
/// How long a new node waits with its readiness for slots and second copies.
const SETTLE_TIME_MAX: Duration = Duration::from_secs(60);
/// Sockets closed per tenth of a second while draining: their clients come back somewhere else.
const CLOSED_PER_STEP: usize = 200;

/// What a node's actors need.
pub struct Setup {
    /// Domains and limits.
    pub options: Options,
    /// Threads for actors, at least one.
    pub arbiters: usize,
    /// Where things are kept.
    pub storage: storage::Config,
    /// What of it is remembered while it is away.
    pub remembered: Remembered,
    /// The node and its cluster.
    pub cluster: muster_cluster::Config,
    /// Limits per address.
    pub guards: Guards,
    /// How long clients are kept while the node has no lease.
    pub fenced_time_max: Duration,
    /// How many copies there must be of what is committed: one or two.
    pub copies_min: u8,
    /// Whether logs may name accounts.
    pub log_jids: bool,
    /// Features beside those of the list, met after them.
    pub more_features: Vec<Box<dyn Feature>>,
}

/// Why a node's actors could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store.
    #[error(transparent)]
    Storage(#[from] storage::StartError),
    /// The cluster.
    #[error(transparent)]
    Cluster(#[from] muster_cluster::StartError),
    /// A thread.
    #[error("a thread could not be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// A node's actors.
#[derive(Clone)]
pub struct System {
    world: Arc<World>,
    cluster: Cluster<Remote>,
    arbiters: Arc<Vec<Arbiter>>,
    since: Instant,
}

impl System {
    /// Opens the store (as long as it takes), starts the threads, and enters the cluster.
    ///
    /// # Errors
    /// Something that trying again will not mend; it names what to fix.
    pub async fn start(setup: Setup) -> Result<Self, StartError> {
        metrics::describe();
        let keyring = Keyring::new(open_storage(&setup.storage).await?, setup.remembered);
        let (known, storage): (_, Arc<dyn Storage>) = (keyring.known(), Arc::new(keyring));
        let arbiters =
            (0..setup.arbiters.max(1)).map(|_| Arbiter::try_new()).collect::<Result<Vec<_>, _>>()?;
        let mut all = features::all();
        all.extend(setup.more_features);
        let world = Arc::new(World::new(Parts {
            options: setup.options,
            features: Features::new(all),
            storage: storage.clone(),
            known,
            throttle: Throttle::new(setup.guards),
            floors: arbiters.iter().map(|arbiter| Floor::Arbiter(arbiter.handle())).collect(),
            fenced_time_max: setup.fenced_time_max,
            copies_min: setup.copies_min,
            log_jids: setup.log_jids,
        }));
        let mailroom = Arc::new(Mailroom::default());
        mailroom.open(&world);
        world.tell_changed_keys();
        let mut threads = Vec::new();
        for floor in &world.floors {
            threads.extend(floor.thread().await);
        }
        let cluster = Cluster::start(setup.cluster, register(&storage), mailroom, threads).await?;
        world.connect(cluster.clone());
        Ok(Self { world, cluster, arbiters: Arc::new(arbiters), since: Instant::now() }.begin())
    }

    /// As [`System::start`], for a simulation: in the caller's local set and on its one thread.
    ///
    /// # Errors
    /// The configuration cannot be used.
    pub fn simulate(
        options: Options,
        config: muster_cluster::Config,
        storage: Arc<dyn Storage>,
        ether: Arc<dyn Ether>,
    ) -> Result<Self, StartError> {
        let world = Arc::new(World::new(Parts {
            options,
            features: Features::new(features::all()),
            storage: storage.clone(),
            known: Arc::default(),
            throttle: Throttle::new(Guards::default()),
            floors: vec![Floor::Here],
            fenced_time_max: FENCED_TIME_MAX,
            copies_min: 1,
            log_jids: true,
        }));
        let mailroom = Arc::new(Mailroom::default());
        mailroom.open(&world);
        let cluster = Cluster::simulate(config, register(&storage), mailroom, ether)?;
        world.connect(cluster.clone());
        Ok(Self { world, cluster, arbiters: Arc::default(), since: Instant::now() }.begin())
    }

    fn begin(self) -> Self {
        actix_rt::spawn(self.clone().follow_tables());
        actix_rt::spawn(self.clone().follow_fate());
        actix_rt::spawn(self.clone().look_after());
        actix_rt::spawn(self.clone().join());
        self
    }

    /// Takes a connection of a simulation.
    pub fn connect(&self, pipe: Box<dyn Pipe>, listener: &Arc<ClientListener>) {
        let peer = std::net::IpAddr::from([127, 0, 0, 1]);
        let Some(admission) = self.world.throttle.admit(peer, false) else { return };
        if !self.world.draining.load(Ordering::Relaxed) {
            let listener = listener.clone();
            let wire = Wire::Simulated(pipe);
            self.world.sockets.open(&self.world, Connection { wire, listener, admission });
        }
    }

    /// Takes a connection, or drops it if its address has too many or the node is draining.
    pub fn accept(&self, tcp: std::net::TcpStream, peer: SocketAddr, listener: &Arc<ClientListener>) {
        if self.world.draining.load(Ordering::Relaxed) || self.world.fence.is_closed() {
            return;
        }
        let Some(admission) = self.world.throttle.admit(peer.ip(), listener.guarded) else {
            return metrics::connection_refused();
        };
        let connection = Connection { wire: Wire::Tcp(tcp), listener: listener.clone(), admission };
        self.world.sockets.open(&self.world, connection);
    }

    /// How many clients are connected.
    pub fn connections(&self) -> usize {
        self.world.sockets.count()
    }

    /// Where things are kept.
    pub fn storage(&self) -> Arc<dyn Storage> {
        self.world.storage.clone()
    }

    /// Rounds of PBKDF2 for new passwords.
    pub fn iterations(&self) -> u32 {
        self.world.options.sasl_iterations
    }

    /// How many new connections a second the node takes on guarded listeners.
    pub fn log_ins_per_second(&self) -> u32 {
        self.world.throttle.log_ins_per_second(self.arbiters.len())
    }

    /// Tells the session of an account.
    pub fn order(&self, account: &BareJid, order: Order) {
        self.world.order(account, order, Via::default());
    }

    /// Uses other certificates for links made from now on.
    ///
    /// # Errors
    /// They cannot be used; the old ones stay.
    pub fn reload_links(&self, material: &TlsMaterial) -> Result<(), StartError> {
        Ok(self.cluster.reload_tls(material)?)
    }

    /// Whether clients may be sent here.
    ///
    /// # Errors
    /// Why not.
    pub fn is_ready(&self) -> Result<(), &'static str> {
        if self.world.draining.load(Ordering::Relaxed) {
            return Err("draining");
        }
        // Not the store: what it is not needed for goes on without it, and every other node is without it too.
        if self.world.is_fenced() && self.world.epoch() > 0 {
            return Err("no lease: cut off from most of the other nodes, or paused until now");
        }
        if !self.cluster.is_ready() || self.world.epoch() == 0 {
            return Err("not a member of the view, or cut off from most of it");
        }
        // The table that is acted by may lag behind the view.
        if self.world.table().owner(Role::Sessions, Slot(0)).is_none() {
            return Err("no node owns accounts yet");
        }
        if !self.world.settled.load(Ordering::Relaxed) {
            if !self.is_settled() {
                return Err("new: slots come, and second copies are made");
            }
            self.world.settled.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Whether its slots have come and all nodes have their second copies, or that takes too long: then the next node may
    /// be stopped.
    fn is_settled(&self) -> bool {
        let status = self.cluster.status();
        let has_copies = |seen: &MemberStatus| {
            seen.gossip.as_ref().is_some_and(|facts| facts.load.has_copies(status.epoch))
        };
        let others_have =
            status.members.iter().filter(|seen| self.is_up_besides(&seen.member)).all(has_copies);
        let is_behind = self.world.epoch() < status.epoch;
        let is_done = !is_behind && others_have && self.world.moves.arriving_count() == 0;
        is_done || self.since.elapsed() > SETTLE_TIME_MAX
    }

    /// The cluster and this node, as an operator may see them.
    pub fn status(&self) -> Status {
        let table = self.world.table();
        let cluster = self.cluster.status();
        let nodes = cluster.members.iter().map(|seen| NodeStatus::of(seen, &table)).collect();
        Status {
            epoch: table.epoch(),
            view_epoch: cluster.epoch,
            me: cluster.me.to_string(),
            register_reachable: cluster.register,
            slots_arriving: self.world.moves.arriving_count(),
            slots_leaving: self.world.moves.leaving_count(),
            deliveries_unconfirmed: self.world.deliveries.count(),
            load: self.load(),
            nodes,
        }
    }

    /// Which nodes an account or a room belongs to.
    pub fn ring(&self, jid: &Jid) -> RingStatus {
        let table = self.world.table();
        let slot = Slot::of(jid.to_bare().as_str().as_bytes());
        let role = self.world.role_of(&jid.to_bare());
        let preference = table.preference(role, slot).iter().map(|member| member.node.to_string()).collect();
        let owner = table.owner(role, slot).map(|member| member.node.to_string());
        RingStatus { jid: jid.to_bare().to_string(), slot: slot.0, owner, preference }
    }

    /// Hands everything over and closes the connections at a measured pace. Takes no new ones from now on.
    pub async fn drain(&self) {
        if self.world.draining.swap(true, Ordering::AcqRel) {
            return;
        }
        tracing::info!("draining: slots move first, connections close after");
        if let Err(error) = self.cluster.drain().await {
            tracing::warn!(%error, "others could not be told in time");
        }
        let world = &self.world;
        let until = tokio::time::Instant::now() + LEAVE_TIME_MAX;
        wait_while("slots", until, || self.to_hand_over()).await;
        let why = StreamError::because(
            StreamCondition::SystemShutdown,
            "this node is being stopped; please connect again",
        );
        wait_while("connections", until, || {
            world.sockets.end_some(CLOSED_PER_STEP, &why);
            world.sockets.count()
        })
        .await;
        // The word that a connection closed may still be on its way to another node.
        wait_while("slots", until, || world.moves.leaving_count()).await;
        // What nobody has confirmed when this node is gone may be dropped.
        wait_while("deliveries", until, || world.deliveries.count()).await;
        // Who took them may not have another copy yet.
        wait_while("copies", until, || self.only_copies()).await;
        tracing::info!("drained");
    }

    /// How many copies this node keeps that others may still need, until they have made their own.
    fn only_copies(&self) -> usize {
        let world = &self.world;
        if world.table().view().members.iter().filter(|member| self.is_up_besides(member)).count() < 2 {
            return 0;
        }
        let is_alive = |of| !world.is_dead(of);
        world.session_copies.count_of(is_alive) + world.room_copies.count_of(is_alive)
    }

    /// Whether it is another node, and up.
    fn is_up_besides(&self, member: &Member) -> bool {
        member.state == muster_cluster::State::Up && member.incarnation.0 != self.world.me()
    }

    /// How many slots are to move away; all of them, for all we know, while the view that says so is not acted by.
    fn to_hand_over(&self) -> usize {
        let table = self.cluster.table();
        let is_up = |member: &&Member| member.state == muster_cluster::State::Up;
        let is_alone = table.view().members.iter().filter(is_up).count() == 0;
        match self.world.epoch() < table.epoch() {
            _ if is_alone => 0,
            true => usize::from(Slot::COUNT),
            false => self.world.moves.leaving_count(),
        }
    }

    /// Leaves the cluster and ends the threads.
    pub async fn stop(&self) {
        if let Err(error) = self.cluster.leave().await {
            tracing::warn!(%error, "the view could not be told that this node is gone");
        }
        self.world.storage.close().await;
        self.arbiters.iter().for_each(|arbiter| {
            arbiter.stop();
        });
    }

    /// Ends at once and tells nobody, as a process that is killed.
    pub fn kill(&self) {
        self.cluster.stop();
        self.arbiters.iter().for_each(|arbiter| {
            arbiter.stop();
        });
    }

    /// Asks for slots, once the others can be told that they moved.
    async fn join(self) {
        match self.cluster.join().await {
            Ok(()) => tracing::info!("a member of the cluster: slots come"),
            Err(error) => tracing::warn!(%error, "the cluster was not joined"),
        }
    }

    async fn follow_tables(self) {
        let mut tables = self.cluster.watch();
        loop {
            let table = tables.borrow_and_update().clone();
            self.world.adopt_table(table);
            if tables.changed().await.is_err() {
                return;
            }
        }
    }

    /// Others have declared this node dead: what it owned is theirs now, so it forgets everything and comes back.
    async fn follow_fate(self) {
        let mut fate = self.cluster.fate();
        loop {
            let now = *fate.borrow_and_update();
            match now {
                Fate::Member => {}
                Fate::Stopped => return,
                Fate::Ousted => {
                    tracing::error!(
                        "this node was declared down; its clients are sent away and it comes back anew"
                    );
                    self.world.sessions.forget_all();
                    self.world.rooms.forget_all();
                    self.world.deliveries.forget_all();
                    self.world.moves.forget();
                    self.world.session_copies.clear();
                    self.world.room_copies.clear();
                    let why = StreamError::because(StreamCondition::SystemShutdown, "this node was cut off");
                    self.world.sockets.end_some(usize::MAX, &why);
                    match self.cluster.rejoin().await {
                        Ok(incarnation) => self.world.set_me(incarnation.0),
                        Err(MoveError::Stopped) => return,
                        Err(error) => tracing::warn!(%error, "could not come back yet"),
                    }
                }
            }
            if fate.changed().await.is_err() {
                return;
            }
        }
    }

    async fn look_after(self) {
        let mut tick = tokio::time::interval(TICK);
        let mut before = 0;
        while *self.cluster.fate().borrow() != Fate::Stopped {
            tick.tick().await;
            self.world.moves.give_up_waiting(&self.world);
            self.world.dismiss_copies();
            self.world.deliver_again();
            self.world.look_at_fence();
            self.world.sockets.look();
            self.world.copy_what_is_lacking();
            // Who lacks a copy by a new view is known when all have heard of it.
            let load = Load { epoch: before, ..self.load() };
            before = self.world.epoch();
            self.world.gate.look(tokio::time::Instant::now());
            metrics::gauges(&self.world, load);
            self.cluster.report_load(load);
        }
    }

    fn load(&self) -> Load {
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let phase = match (self.world.draining.load(Ordering::Relaxed), self.world.epoch()) {
            (true, _) => Phase::Draining,
            (false, 0) => Phase::Starting,
            (false, _) => Phase::Serving,
        };
        Load {
            connections: number(self.world.sockets.count()),
            sessions: number(self.world.sessions.count()),
            rooms: number(self.world.rooms.count()),
            lacking: number(self.world.replication.lacking_count()),
            epoch: self.world.epoch(),
            phase,
        }
    }
}

/// Waits while there is some of that, but not longer; an operator who waits, too, reads for what.
async fn wait_while(what: &str, until: tokio::time::Instant, count: impl Fn() -> usize) {
    let mut step = tokio::time::interval(Duration::from_millis(100));
    let mut said = tokio::time::Instant::now();
    loop {
        let count = count();
        if count == 0 || tokio::time::Instant::now() >= until {
            return;
        }
        if said.elapsed() >= SAY_EVERY {
            said = tokio::time::Instant::now();
            tracing::warn!(count, "the drain waits for {what}");
        }
        step.tick().await;
    }
}

async fn open_storage(config: &storage::Config) -> Result<Arc<dyn Storage>, storage::StartError> {
    const AGAIN_AFTER: Duration = Duration::from_secs(1);
    const LOG_EVERY: u64 = 60;
    for attempt in 0_u64.. {
        match storage::open(config).await {
            Err(error) if error.is_temporary() => {
                if attempt.is_multiple_of(LOG_EVERY) {
                    tracing::error!(attempt, %error, "the store cannot be reached; trying again each second, not ready until then");
                }
                tokio::time::sleep(AGAIN_AFTER).await;
            }
            opened => {
                return opened.inspect(|_| {
                    if attempt > 0 {
                        tracing::info!(attempt, "the store is reached");
                    }
                });
            }
        }
    }
    unreachable!("a node does not live that many seconds")
}

fn register(storage: &Arc<dyn Storage>) -> Arc<dyn muster_cluster::ViewRegister> {
    storage.register()
}
