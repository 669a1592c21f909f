//! The life of one incarnation: what the council decides is done, and what happens is told to it.

mod calls;
mod gossiping;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::council::{Council, Effect, Input, Rumour, Wish};
use crate::gossip::Seal;
use crate::link::{self, Ends, Event, Ground, Remote};
use crate::map::HashMap;
use crate::quiet::Quiet;
use crate::shared::Shared;
use crate::simulation::Ether;
use crate::wire::Control;
use crate::{
    Config, Fate, Incarnation, Member, NodeId, Peer, Role, Roles, State, Table, View, ViewRegister,
    metrics as names,
};
use calls::{claim, load, propose};
use gossiping::{gossip, rumours};

/// Time is looked at this often.
const TICK: Duration = Duration::from_millis(100);
/// And so often by a node without a network.
const TICK_ALONE: Duration = Duration::from_secs(1);
/// The metrics of links are told once in so many ticks.
const TICKS_PER_LOOK: u32 = 10;
/// How long a node that leaves waits for its peers to confirm what it sent.
const FLUSH_TIME_MAX: Duration = Duration::from_secs(1);

/// What the handle asks.
#[derive(Debug)]
pub(crate) enum Command {
    Wish(Wish),
    Forget(NodeId),
    Rejoin(oneshot::Sender<Incarnation>),
    Stop,
}

/// Why a life ended.
pub(crate) enum End {
    /// For good.
    Stop,
    /// To begin again as a new incarnation, with the same wish.
    Rejoin(oneshot::Sender<Incarnation>, Wish),
}

/// What was bound at the start, and outlives incarnations.
pub(crate) struct Bound {
    pub(crate) links: Arc<TcpListener>,
    pub(crate) gossip: Arc<UdpSocket>,
    pub(crate) link_address: SocketAddr,
    pub(crate) gossip_address: SocketAddr,
    pub(crate) seal: Seal,
}

/// What outlives incarnations.
pub(crate) struct Estate {
    pub(crate) config: Config,
    pub(crate) shared: Arc<Shared>,
    pub(crate) register: Arc<dyn ViewRegister>,
    pub(crate) ends: Ends,
    pub(crate) bound: Option<Bound>,
    /// A simulation's, in place of what would be bound.
    pub(crate) ether: Option<Arc<dyn Ether>>,
    pub(crate) quiet: Arc<Quiet>,
}

/// One incarnation at work.
pub(crate) struct Life<'a> {
    estate: &'a Estate,
    council: Council,
    ground: Arc<Ground>,
    events: mpsc::UnboundedReceiver<Event>,
    /// Calls to the register, listeners, gossip: all end with the life.
    calls: JoinSet<Input>,
    tasks: JoinSet<()>,
    dials: HashMap<Incarnation, AbortHandle>,
    wish: Wish,
    leaving: Option<Instant>,
    /// The lease held when last looked at.
    held: bool,
    /// Times that the operator was told.
    ticks: u32,
}

impl Estate {
    fn is_alone(&self) -> bool {
        self.bound.is_none() && self.ether.is_none()
    }

    fn member(&self, incarnation: Incarnation) -> Member {
        Member {
            node: self.config.node.clone(),
            incarnation,
            zone: self.config.zone.clone(),
            weight: self.config.weight,
            roles: self.config.roles & Roles::all(),
            state: State::Joining,
            voter: false,
            link: self.bound.as_ref().map(|b| b.link_address).or(self.ether.as_ref().map(|e| e.address())),
        }
    }
}

impl<'a> Life<'a> {
    /// Begins an incarnation: listens, gossips, and reads the register.
    pub(crate) fn begin(estate: &'a Estate, incarnation: Incarnation, wish: Wish) -> Life<'a> {
        let shared = &estate.shared;
        let me = estate.member(incarnation);
        let (sender, events) = mpsc::unbounded_channel();
        let network = estate.config.network.as_ref();
        let ground = Arc::new(Ground {
            me: Peer { node: me.node.clone(), incarnation },
            cluster: network.map(|n| n.cluster_id.clone()).unwrap_or_default(),
            limits: estate.config.limits.clone(),
            tls: shared.tls.clone(),
            remotes: shared.remotes.clone(),
            epoch: Arc::new(AtomicU64::new(0)),
            events: sender,
            ends: estate.ends.clone(),
            awaited: Arc::default(),
            quiet: estate.quiet.clone(),
            ether: estate.ether.clone(),
        });
        if !estate.is_alone() {
            shared.set_lease(Duration::ZERO);
        }
        let mut tasks = JoinSet::new();
        if !estate.is_alone() {
            tasks.spawn_local(link::beat(ground.clone()));
        }
        if let Some(bound) = &estate.bound {
            tasks.spawn_local(link::listen(ground.clone(), bound.links.clone()));
            tasks.spawn_local(gossip(estate, bound, &me, ground.clone()));
        }
        if let Some(ether) = &estate.ether {
            tasks.spawn_local(link::listen_to(ground.clone(), ether.clone()));
            tasks.spawn_local(rumours(ether.clone(), shared.clone(), me.clone(), ground.clone()));
        }
        Life {
            council: Council::new(me, wish, estate.is_alone(), &estate.config.limits),
            estate,
            ground,
            events,
            calls: JoinSet::new(),
            tasks,
            dials: HashMap::default(),
            wish,
            leaving: None,
            held: false,
            ticks: 0,
        }
    }

    /// Lives until told otherwise.
    pub(crate) async fn run(mut self, commands: &mut mpsc::UnboundedReceiver<Command>) -> End {
        let mut tick = interval(if self.estate.is_alone() { TICK_ALONE } else { TICK });
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let input = tokio::select! {
                // So that a simulation can repeat it; what others say is bounded by their links.
                biased;
                Some(event) = self.events.recv() => {
                    self.sign(&event);
                    self.translate(event)
                }
                Some(answer) = self.calls.join_next() => Some(answer.unwrap_or(Input::Away)),
                _ = tick.tick() => {
                    self.bury();
                    self.signs();
                    self.step(Input::Tick);
                    self.tell_operator();
                    None
                }
                command = commands.recv() => match command {
                    Some(Command::Wish(Wish::Gone)) => {
                        self.leaving.get_or_insert_with(Instant::now);
                        None
                    }
                    Some(Command::Wish(wish)) => {
                        self.wish = wish;
                        Some(Input::Wish(wish))
                    }
                    Some(Command::Forget(node)) => Some(Input::Forget(node)),
                    Some(Command::Rejoin(reply)) => return self.end(End::Rejoin(reply, self.wish)),
                    Some(Command::Stop) | None => return self.end(End::Stop),
                },
            };
            if let Some(input) = input {
                self.step(input);
            }
            if self.leaving.is_some_and(|since| since.elapsed() >= FLUSH_TIME_MAX || self.is_flushed()) {
                self.leaving = None;
                self.step(Input::Wish(Wish::Gone));
            }
            if self.council.left() {
                self.part().await;
                return self.end(End::Stop);
            }
        }
    }

    fn end(&self, end: End) -> End {
        self.part_from_all();
        end
    }

    fn step(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.council.handle(input, self.ground.now(), &mut effects);
        // Before the table is published: who waits for it may ask at once whether the node is ready.
        self.estate.shared.ready.store(self.council.is_ready(), Ordering::Relaxed);
        self.estate.shared.set_lease(self.council.lease());
        for (peer, remote) in self.ground.remotes.load().iter() {
            remote.promises(self.council.promises(*peer));
        }
        for effect in effects {
            self.perform(effect);
        }
        let register = self.council.register();
        if self.estate.shared.register.swap(register, Ordering::Relaxed) != register {
            tracing::info!(reached = register, "the view register");
            metrics::gauge!(names::REGISTER_UP).set(f64::from(u8::from(register)));
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Load => {
                let register = self.estate.register.clone();
                self.calls.spawn_local(async move { load(&*register).await });
            }
            Effect::Propose { expected, view } => {
                let register = self.estate.register.clone();
                self.calls.spawn_local(async move { propose(&*register, expected, view).await });
            }
            Effect::Adopt { view, tell } => self.adopt(view, tell),
            Effect::Ask { suspect } => {
                let epoch = self.council.view().epoch;
                self.tell_all(&Control::Ask { epoch, suspect });
            }
            Effect::Claim { epoch, asked } => {
                let (register, me) = (self.estate.register.clone(), self.ground.me.incarnation);
                self.calls.spawn_local(async move { claim(&*register, me, epoch, asked).await });
            }
            Effect::Answer { to, epoch, suspect, agree } => {
                self.tell(to, &Control::Vote { epoch, suspect, agree });
            }
            Effect::Reset(peer) => {
                if let Some(remote) = self.ground.remotes.load().get(&peer) {
                    tracing::info!(peer = %remote.who.node, "silent: the link is made anew");
                    remote.reset();
                }
            }
            Effect::Ousted => {
                tracing::warn!(incarnation = %self.ground.me.incarnation, "put out of the cluster");
                self.part_from_all();
                self.estate.shared.fate.send_replace(Fate::Ousted);
            }
        }
    }

    fn adopt(&mut self, view: View, tell: bool) {
        let shared = &self.estate.shared;
        let before = shared.table.load_full();
        for member in &view.members {
            let was = before.member(&member.node).map(|m| (m.incarnation, m.state));
            if was != Some((member.incarnation, member.state)) {
                tracing::info!(epoch = view.epoch, member = %member.node, state = ?member.state, "the view changed");
            }
        }
        self.ground.epoch.store(view.epoch, Ordering::Relaxed);
        self.link_with(&view);
        if tell {
            self.tell_all(&Control::View { bytes: view.to_bytes() });
        }
        self.tell_all(&Control::Known { epoch: self.ground.epoch.load(Ordering::Relaxed) });
        let table = Arc::new(if before.epoch() == 0 { Table::new(view) } else { before.next(view) });
        report(&table, self.ground.me.incarnation);
        shared.table.store(table.clone());
        shared.watch.send_replace(table);
    }

    /// Links with all members that are not down, and with nobody else.
    fn link_with(&mut self, view: &View) {
        let mine = self.ground.me.incarnation;
        let own_end = view.member_of(mine).is_some_and(|m| m.state == State::Down) && !self.council.left();
        let mut remotes = HashMap::clone(&self.ground.remotes.load());
        let wanted = |m: &Member| m.state != State::Down && m.node != self.ground.me.node && !own_end;
        remotes.retain(|incarnation, remote| {
            let keep = view.member_of(*incarnation).is_some_and(wanted);
            if !keep {
                remote.end();
                self.dials.remove(incarnation).inspect(AbortHandle::abort);
            }
            keep
        });
        let mut fresh = Vec::new();
        for member in view.members.iter().filter(|m| wanted(m)) {
            let Some(address) = member.link else { continue };
            remotes.entry(member.incarnation).or_insert_with(|| {
                let who = Peer { node: member.node.clone(), incarnation: member.incarnation };
                let remote = Arc::new(Remote::new(who, address, &self.ground.limits));
                fresh.push(remote.clone());
                remote
            });
        }
        self.ground.remotes.store(Arc::new(remotes));
        if !self.estate.is_alone() {
            for remote in fresh {
                let incarnation = remote.who.incarnation;
                let task = self.tasks.spawn_local(link::keep(self.ground.clone(), remote));
                self.dials.insert(incarnation, task);
            }
        }
    }

    fn part_from_all(&self) {
        for remote in self.ground.remotes.swap(Arc::default()).values() {
            remote.end();
        }
        self.estate.shared.ready.store(false, Ordering::Relaxed);
        if !self.estate.is_alone() {
            self.estate.shared.set_lease(Duration::ZERO);
        }
    }

    /// Lets the last view reach the peers.
    async fn part(&self) {
        let told = async {
            while self.ground.remotes.load().values().any(|r| r.is_up() && r.words.has_control()) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let _ = timeout(FLUSH_TIME_MAX, told).await;
    }

    fn is_flushed(&self) -> bool {
        self.ground.remotes.load().values().all(|r| r.outbox.bytes() == 0)
    }

    fn tell(&self, to: Incarnation, control: &Control) {
        if let Some(remote) = self.ground.remotes.load().get(&to) {
            remote.say(control);
        }
    }

    fn tell_all(&self, control: &Control) {
        for remote in self.ground.remotes.load().values() {
            remote.say(control);
        }
    }

    /// What links tell, in the council's words.
    fn translate(&self, event: Event) -> Option<Input> {
        match event {
            Event::Up(peer) => {
                let view = self.council.view();
                if view.epoch > 0 {
                    self.tell(peer, &Control::View { bytes: view.to_bytes() });
                }
                Some(Input::Up(peer))
            }
            Event::Lost(peer) => Some(Input::Lost(peer)),
            Event::Gone(peer) => Some(Input::Gone(peer)),
            Event::Epoch(epoch) => Some(Input::Epoch(epoch)),
            Event::Stranger => Some(Input::Stranger),
            Event::Said(_, Control::View { bytes }) => View::from_bytes(&bytes).ok().map(Input::Heard),
            Event::Said(by, Control::Ask { suspect, .. }) => Some(Input::Asked { by, suspect }),
            Event::Said(by, Control::Vote { epoch, suspect, agree }) => {
                Some(Input::Voted { by, epoch, suspect, agree })
            }
            Event::Said(by, Control::Known { epoch }) => Some(Input::Knows(by, epoch)),
            Event::Said(..) => None,
        }
    }

    /// Forgets tasks that ended: links with members that are gone, or, as should not be, those that panicked.
    fn bury(&mut self) {
        while let Some(ended) = self.tasks.try_join_next() {
            if let Err(error) = ended
                && error.is_panic()
            {
                tracing::error!(%error, "a task of the cluster panicked");
            }
        }
    }

    /// Tells the council when each peer was last heard, and what is known of it.
    fn signs(&mut self) {
        for (peer, remote) in self.ground.remotes.load_full().iter() {
            self.sign_of(*peer, remote);
        }
        self.estate.shared.missing.store(self.council.missing(self.ground.now()), Ordering::Relaxed);
    }

    /// Tells the operator of the lease and, less often, of the links.
    fn tell_operator(&mut self) {
        self.look_at_lease();
        self.ticks = self.ticks.wrapping_add(1);
        if !self.ticks.is_multiple_of(TICKS_PER_LOOK) {
            return;
        }
        for remote in self.ground.remotes.load().values() {
            let node = remote.who.node.to_string();
            metrics::gauge!(names::OUTBOX, "node" => node.clone()).set(remote.outbox.bytes() as f64);
            if let Some(rtt) = remote.rtt() {
                metrics::gauge!(names::RTT, "node" => node).set(rtt.as_secs_f64());
            }
        }
    }

    /// Tells the operator when the lease is lost or comes back.
    fn look_at_lease(&mut self) {
        let holds = self.estate.shared.holds_lease();
        if holds != self.held {
            self.held = holds;
            match holds {
                true => tracing::info!("the lease holds: this node may act as an owner"),
                false => {
                    metrics::counter!(names::FENCED).increment(1);
                    tracing::warn!("the lease is lost: this node waits until a majority answers again");
                }
            }
        }
        metrics::gauge!(names::LEASE).set(f64::from(u8::from(holds)));
    }

    /// What is decided about a peer is decided by the last that was heard of it.
    fn sign(&mut self, event: &Event) {
        if let Event::Lost(peer) | Event::Said(_, Control::Ask { suspect: peer, .. }) = event
            && let Some(remote) = self.ground.remotes.load().get(peer)
        {
            self.sign_of(*peer, remote);
        }
    }

    /// No step of its own: what follows from it is seen in the one that it is for.
    fn sign_of(&mut self, peer: Incarnation, remote: &Remote) {
        let facts = self.estate.shared.facts.load();
        let fact = facts.get(&remote.who.node).filter(|f| f.incarnation == peer);
        let rumour = fact.map(|f| Rumour { alive: f.alive, missing: f.missing });
        let signs = Input::Signs { peer, heard: remote.heard(), answered: remote.answered(), rumour };
        let mut effects = Vec::new();
        self.council.handle(signs, self.ground.now(), &mut effects);
        effects.into_iter().for_each(|effect| self.perform(effect));
    }
}

fn report(table: &Table, me: Incarnation) {
    metrics::gauge!(names::EPOCH).set(table.epoch() as f64);
    for (label, state) in
        [("joining", State::Joining), ("up", State::Up), ("draining", State::Draining), ("down", State::Down)]
    {
        let count = table.view().members.iter().filter(|m| m.state == state).count();
        metrics::gauge!(names::MEMBERS, "state" => label).set(count as f64);
    }
    for (label, role) in [("sessions", Role::Sessions), ("rooms", Role::Rooms)] {
        let share = table.share(role, me);
        metrics::gauge!(names::SLOTS, "role" => label, "copy" => "owner").set(f64::from(share.owned));
        metrics::gauge!(names::SLOTS, "role" => label, "copy" => "backup").set(f64::from(share.backed));
    }
}
