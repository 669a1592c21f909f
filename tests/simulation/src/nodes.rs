//! The nodes of a history, each with all of a node's real parts in a local set of its own: one that is paused is not polled,
//! one that is killed is dropped.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use muster_actors::{ClientListener, ListenerTls, Status, System};
use muster_cluster::{Config, Limits, simulation};
use muster_proto::options::Options;
use tokio::task::{AbortHandle, LocalSet};
use tokio::time::Instant;

use crate::chance::Chance;
use crate::commits::Commits;
use crate::ether::{self, Clock, NodeEther, Rumours};
use crate::history::History;
use crate::network::{Network, Place, Port};
use crate::note;
use crate::store::Store;

/// All nodes. A handle.
#[derive(Clone)]
pub struct Nodes(Rc<RefCell<All>>);

struct All {
    nodes: Vec<Node>,
    chance: Chance,
    network: Network,
    rumours: Rumours,
    commits: Commits,
    store: Store,
    history: History,
    options: Options,
    limits: Limits,
    since: Instant,
    longest_drain: Duration,
}

struct Node {
    clock: Clock,
    run: Option<Run>,
    paused: bool,
}

/// A process.
struct Run {
    local: Rc<RefCell<LocalSet>>,
    ether: Arc<NodeEther>,
    system: System,
    line: AbortHandle,
}

impl Nodes {
    /// So many nodes, none of which runs.
    pub fn new(
        count: usize,
        (options, limits): (Options, Limits),
        network: Network,
        store: Store,
        history: History,
        mut chance: Chance,
    ) -> Self {
        let since = Instant::now();
        let nodes =
            (0..count).map(|_| Node { clock: clock(since, &mut chance), run: None, paused: false }).collect();
        let (rumours, commits) = (Rumours::default(), Commits::default());
        Self(Rc::new(RefCell::new(All {
            nodes,
            chance,
            network,
            rumours,
            commits,
            store,
            history,
            options,
            limits,
            since,
            longest_drain: Duration::ZERO,
        })))
    }

    /// One more node, which does not run.
    pub fn add(&self) -> Place {
        let mut all = self.0.borrow_mut();
        let clock = clock(all.since, &mut all.chance.clone());
        all.nodes.push(Node { clock, run: None, paused: false });
        all.nodes.len() - 1
    }

    /// Who has committed what.
    pub fn commits(&self) -> Commits {
        self.0.borrow().commits.clone()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.borrow().nodes.len()
    }

    /// Starts a node's process.
    ///
    /// # Panics
    /// It runs already, or is misconfigured.
    pub fn start(&self, place: Place) {
        let mut all = self.0.borrow_mut();
        assert!(all.nodes[place].run.is_none(), "it runs already");
        note!(all.history, "n{place} starts");
        let chance = all.chance.fork();
        let (line, lane) = all.store.line(place, chance);
        let line_task = tokio::task::spawn_local(lane).abort_handle();
        all.network.listen(place, Port::Links);
        all.network.listen(place, Port::Clients);
        let ether = Arc::new(NodeEther {
            place,
            clock: all.nodes[place].clock,
            chance: Mutex::new(all.chance.fork()),
            network: all.network.clone(),
            rumours: all.rumours.clone(),
            commits: all.commits.clone(),
        });
        let local = LocalSet::new();
        let guard = local.enter();
        let outside = enter(&ether);
        let config = Config { limits: all.limits.clone(), ..Config::alone(ether::name(place)) };
        let system = System::simulate(all.options.clone(), config, Arc::new(line), ether.clone());
        let system = system.expect("the configuration is plain");
        tokio::task::spawn_local(accept(all.network.clone(), place, system.clone()));
        drop(outside);
        drop(guard);
        let run = Run { local: Rc::new(RefCell::new(local)), ether, system, line: line_task };
        all.nodes[place].run = Some(run);
        all.nodes[place].paused = false;
    }

    /// Kills a node's process, or its whole machine, so that nobody is told.
    pub fn kill(&self, place: Place, silently: bool) {
        let mut all = self.0.borrow_mut();
        let Some(run) = all.nodes[place].run.take() else { return };
        all.nodes[place].paused = false;
        note!(all.history, "n{place} is killed{}", if silently { " with its machine" } else { "" });
        all.network.gone(place, silently);
        drop(all);
        end(run);
    }

    /// Stops a node's process where it stands, or lets it go on.
    pub fn pause(&self, place: Place, paused: bool) {
        let mut all = self.0.borrow_mut();
        if all.nodes[place].paused != paused {
            note!(all.history, "n{place} is {}", if paused { "paused" } else { "woken" });
            all.nodes[place].paused = paused;
        }
    }

    /// How long the longest took of all nodes that were stopped in order.
    pub fn longest_drain(&self) -> Duration {
        self.0.borrow().longest_drain
    }

    /// Stops a node in order; returns when its process has ended, or was killed meanwhile.
    pub async fn drain(&self, place: Place) {
        let since = Instant::now();
        let task = {
            let all = self.0.borrow();
            let Some(run) = &all.nodes[place].run else { return };
            note!(all.history, "n{place} is drained");
            let (system, _outside) = (run.system.clone(), enter(&run.ether));
            let local = run.local.borrow();
            local.spawn_local(async move {
                system.drain().await;
                system.stop().await;
            })
        };
        if task.await.is_ok() {
            let mut all = self.0.borrow_mut();
            let Some(run) = all.nodes[place].run.take() else { return };
            note!(all.history, "n{place} has ended");
            all.longest_drain = all.longest_drain.max(since.elapsed());
            all.network.gone(place, false);
            drop(all);
            end(run);
        }
    }

    /// Whether its process runs and is not paused.
    pub fn is_running(&self, place: Place) -> bool {
        let all = self.0.borrow();
        all.nodes[place].run.is_some() && !all.nodes[place].paused
    }

    /// Whether its process exists.
    pub fn exists(&self, place: Place) -> bool {
        self.0.borrow().nodes[place].run.is_some()
    }

    /// Whether clients are sent there.
    pub fn is_ready(&self, place: Place) -> bool {
        self.why_not_ready(place).is_none()
    }

    /// Why clients are not sent there.
    pub fn why_not_ready(&self, place: Place) -> Option<&'static str> {
        if !self.is_running(place) {
            return Some("it does not run");
        }
        self.ask(place, |system| system.is_ready().err()).flatten()
    }

    /// What an operator sees.
    pub fn status(&self, place: Place) -> Option<Status> {
        self.ask(place, System::status)
    }

    fn ask<T>(&self, place: Place, ask: impl FnOnce(&System) -> T) -> Option<T> {
        let all = self.0.borrow();
        let run = all.nodes[place].run.as_ref()?;
        let _outside = enter(&run.ether);
        Some(ask(&run.system))
    }

    /// Gives every node that is not paused a turn, in an order of chance.
    pub fn poll(&self, cx: &mut Context<'_>) {
        let mut turns: Vec<_> = {
            let mut all = self.0.borrow_mut();
            let going = all.nodes.iter().filter(|node| !node.paused).filter_map(|node| node.run.as_ref());
            let mut turns: Vec<_> = going.map(|run| (run.local.clone(), run.ether.clone())).collect();
            all.chance.shuffle(&mut turns);
            turns
        };
        for (local, ether) in &mut turns {
            let _outside = enter(ether);
            let _: Poll<()> = Pin::new(&mut *local.borrow_mut()).poll(cx);
        }
    }
}

fn clock(since: Instant, chance: &mut Chance) -> Clock {
    // Quartz is right to a tenth of a percent; wall clocks may be off by whatever their keepers allow.
    let rate = 999 + chance.draw() % 3;
    let wild = chance.one_in(4);
    let rate = if wild { 950 + chance.draw() % 101 } else { rate };
    Clock::new(since, rate, chance.millis(0, 400))
}

/// What runs until this is dropped belongs to that node.
struct Entered(Option<Arc<NodeEther>>);

thread_local! {
    static ENTERED: RefCell<Option<Arc<NodeEther>>> = const { RefCell::new(None) };
}

/// The world outside of the nodes has clocks and chance, too.
pub fn enter(ether: &Arc<NodeEther>) -> impl Drop + use<> {
    simulation::enter(Some(ether.clone()));
    Entered(ENTERED.replace(Some(ether.clone())))
}

/// Which node runs now; [`crate::network::OUTSIDE`] is none.
pub fn current() -> Option<Place> {
    ENTERED.with_borrow(|ether| ether.as_ref().map(|ether| ether.place))
}

impl Drop for Entered {
    fn drop(&mut self) {
        let before = self.0.take();
        simulation::enter(before.clone().map(|ether| ether as _));
        ENTERED.set(before);
    }
}

fn end(run: Run) {
    run.line.abort();
    let Run { local, ether, system, .. } = run;
    let _outside = enter(&ether);
    // Whoever polls it now has it, too; then it ends there.
    drop(system);
    drop(local);
}

async fn accept(network: Network, place: Place, system: System) {
    let listener = Arc::new(ClientListener::new(ListenerTls::None, false, None));
    loop {
        let end = network.accept(place, Port::Clients).await;
        system.connect(Box::new(end), &listener);
    }
}

/// How long nothing is expected of a cluster that has just been healed of one fault.
pub const SETTLE: Duration = Duration::from_secs(8);
/// And of several: slots whose giver died on the way are given up after ten seconds, and clients that met them then try again.
pub const SETTLE_LONG: Duration = Duration::from_secs(30);
