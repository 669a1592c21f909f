//! The network between nodes, and between clients and nodes: what is cut, what is slow, and who listens.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::chance::Chance;
use crate::pipe::{End, Wire};

/// A node's number. Clients are all at [`OUTSIDE`].
pub type Place = usize;

/// Where clients are.
pub const OUTSIDE: Place = usize::MAX;

/// What listens at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Port {
    /// For other nodes.
    Links,
    /// For clients.
    Clients,
}

/// The network.
#[derive(Clone)]
pub struct Network(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Something was healed, or listens now.
    changed: Notify,
}

struct State {
    chance: Chance,
    cut: BTreeSet<(Place, Place)>,
    slow: BTreeMap<(Place, Place), Duration>,
    listeners: BTreeMap<(Place, Port), Arc<Listener>>,
    /// Machines that answer nothing, not even that nobody listens.
    dark: BTreeSet<Place>,
    wires: Vec<Weak<Wire>>,
}

#[derive(Default)]
struct Listener {
    waiting: Mutex<VecDeque<End>>,
    arrived: Notify,
}

impl Network {
    /// One in which everything is well.
    pub fn new(chance: Chance) -> Self {
        let (cut, slow) = (BTreeSet::new(), BTreeMap::new());
        let (listeners, dark, wires) = (BTreeMap::new(), BTreeSet::new(), vec![]);
        let state = Mutex::new(State { chance, cut, slow, listeners, dark, wires });
        Self(Arc::new(Shared { state, changed: Notify::new() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether bytes pass from one to the other.
    pub fn passes(&self, from: Place, to: Place) -> bool {
        !self.state().cut.contains(&(from, to))
    }

    /// How long a few bytes take now.
    pub fn delay(&self, from: Place, to: Place) -> Duration {
        let mut state = self.state();
        let slow = state.slow.get(&(from, to)).copied().unwrap_or_default();
        let jitter = state.chance.millis(1, 3);
        let more = if slow.is_zero() {
            slow
        } else {
            slow / 2 + state.chance.millis(0, 1 + slow.as_millis() as u64 / 2)
        };
        jitter + more
    }

    /// Begins to listen there.
    pub fn listen(&self, at: Place, port: Port) {
        let mut state = self.state();
        state.dark.remove(&at);
        state.listeners.insert((at, port), Arc::default());
        drop(state);
        self.0.changed.notify_waiters();
    }

    /// Takes the next connection.
    pub async fn accept(&self, at: Place, port: Port) -> End {
        let Some(listener) = self.state().listeners.get(&(at, port)).cloned() else {
            return std::future::pending().await;
        };
        loop {
            let next = listener.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            match next {
                Some(end) => return end,
                None => listener.arrived.notified().await,
            }
        }
    }

    /// Opens a connection. Refused if nobody listens; takes for ever if nothing comes back.
    pub async fn dial(&self, from: Place, to: Place, port: Port) -> io::Result<End> {
        loop {
            sleep(self.delay(from, to)).await;
            let changed = self.0.changed.notified();
            let dark = self.state().dark.contains(&to);
            if dark || !self.passes(from, to) || !self.passes(to, from) {
                changed.await;
                continue;
            }
            sleep(self.delay(to, from)).await;
            let Some(listener) = self.state().listeners.get(&(to, port)).cloned() else {
                return Err(io::ErrorKind::ConnectionRefused.into());
            };
            let (mine, theirs, wire) = End::pair(self.clone(), from, to);
            self.state().wires.push(Arc::downgrade(&wire));
            listener.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(theirs);
            listener.arrived.notify_one();
            return Ok(mine);
        }
    }

    /// Cuts one direction, or heals it.
    pub fn cut(&self, from: Place, to: Place, is_cut: bool) {
        let changed = match is_cut {
            true => self.state().cut.insert((from, to)),
            false => self.state().cut.remove(&(from, to)),
        };
        if changed && !is_cut {
            self.0.changed.notify_waiters();
            self.wires().iter().for_each(|wire| wire.wake());
        }
    }

    /// Makes one direction slow.
    pub fn slow(&self, from: Place, to: Place, by: Duration) {
        match by.is_zero() {
            true => self.state().slow.remove(&(from, to)),
            false => self.state().slow.insert((from, to), by),
        };
    }

    /// Heals everything.
    pub fn heal(&self) {
        let cut: Vec<_> = self.state().cut.iter().copied().collect();
        cut.into_iter().for_each(|(from, to)| self.cut(from, to, false));
        self.state().slow.clear();
    }

    /// Breaks the connections between two places; what was on its way is lost.
    pub fn reset(&self, one: Place, other: Place) {
        for wire in self.wires() {
            if wire.is_between(one, other) {
                wire.reset();
            }
        }
    }

    /// A process is gone. If its machine is gone, too, nobody is told.
    pub fn gone(&self, place: Place, silently: bool) {
        let mut state = self.state();
        let listeners = std::mem::take(&mut state.listeners).into_iter();
        let (gone, left): (Vec<_>, Vec<_>) = listeners.partition(|((at, _), _)| *at == place);
        state.listeners = left.into_iter().collect();
        if silently {
            state.dark.insert(place);
        }
        // What nobody had accepted is closed, and asks how long that takes.
        drop(state);
        drop(gone);
        let lost = !silently && self.state().chance.one_in(2);
        for wire in self.wires() {
            wire.lose(place, silently, lost);
        }
    }

    fn wires(&self) -> Vec<Arc<Wire>> {
        let mut state = self.state();
        state.wires.retain(|wire| wire.strong_count() > 0);
        state.wires.iter().filter_map(Weak::upgrade).collect()
    }

    /// When what is sent now arrives, if `last` was sent before it.
    pub fn arrival(&self, from: Place, to: Place, last: Instant) -> Instant {
        (Instant::now() + self.delay(from, to)).max(last)
    }
}
