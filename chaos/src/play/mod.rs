//! Traffic on a cluster that is being broken: sessions that are resumed wherever a node takes them, and what is said in them.

mod enter;
mod session;
mod stage;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;

use session::{Place, Session};
pub(crate) use stage::Stage;

use crate::client::{ClientId, Clients, Load};
use crate::history::{Chronicle, Kind};
use crate::load::body::Reader;
use crate::traffic::Traffic;

const LOOK: Duration = Duration::from_millis(10);
/// A server that says nothing for so long when it is asked is left.
const PATIENCE: Duration = Duration::from_secs(5);
/// A client that waits for an acknowledgement asks so often; one that does not, when this is over.
const ASK_EVERY: Duration = Duration::from_millis(500);
const ASK_IDLE: Duration = Duration::from_secs(3);
/// Everybody must be in by then for the first time.
const ENTER_MAX: Duration = Duration::from_secs(90);
/// Messages are composed for so long after everything is healed: service is demanded.
const SERVICE: Duration = Duration::from_secs(4);
/// What was said may take so long to arrive once everything is healed.
const REST_MAX: Duration = Duration::from_secs(40);

/// What the clients and those who break things tell each other.
#[derive(Debug, Default)]
pub struct Signals {
    /// All clients are in.
    pub began: AtomicBool,
    /// All faults are healed, and none follows.
    pub healed: AtomicBool,
    /// The run cannot go on.
    pub broken: AtomicBool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Entering,
    Running,
    Serving { until: Duration },
    Resting { until: Duration },
    Asking { until: Duration },
    Done,
}

/// All traffic of a run.
pub struct Play {
    chronicle: Chronicle,
    signals: Arc<Signals>,
    chance: StdRng,
    sessions: Vec<Session>,
    reader: Reader,
    traffic: Vec<Box<dyn Traffic>>,
    /// Whose traffic a client is.
    owner: Vec<usize>,
    phase: Phase,
    /// Targets that run from the beginning.
    nodes: usize,
}

impl Play {
    /// Traffic on `nodes` nodes; client ids are given out in the order of the list.
    #[must_use]
    pub fn new(
        traffic: Vec<Box<dyn Traffic>>,
        nodes: usize,
        seed: u64,
        chronicle: Chronicle,
        signals: Arc<Signals>,
    ) -> Self {
        let owner: Vec<_> = traffic
            .iter()
            .enumerate()
            .flat_map(|(index, traffic)| std::iter::repeat_n(index, traffic.clients()))
            .collect();
        Self {
            chronicle,
            signals,
            chance: StdRng::seed_from_u64(seed),
            sessions: owner.iter().map(|_| Session::new()).collect(),
            reader: Reader::default(),
            traffic,
            owner,
            phase: Phase::Entering,
            nodes,
        }
    }

    /// How many clients there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.owner.len()
    }

    /// Lets one traffic act, with everything it may act on.
    fn with<T>(
        &mut self,
        index: usize,
        clients: &mut Clients,
        act: impl FnOnce(&mut dyn Traffic, &mut Stage<'_>) -> T,
    ) -> T {
        let mut stage = Stage {
            clients,
            sessions: &mut self.sessions,
            chronicle: &self.chronicle,
            reader: &self.reader,
            now: self.chronicle.now(),
            composing: matches!(self.phase, Phase::Running | Phase::Serving { .. }),
        };
        act(&mut *self.traffic[index], &mut stage)
    }

    /// Moves on to the next phase when it is time.
    fn advance(&mut self, clients: &mut Clients) {
        let now = self.chronicle.now();
        if self.signals.broken.load(Ordering::Relaxed) {
            self.phase = Phase::Done;
        }
        self.phase = match self.phase {
            Phase::Entering if self.is_in_or_closed() || now > ENTER_MAX => {
                self.signals.began.store(true, Ordering::Relaxed);
                Phase::Running
            }
            Phase::Running if self.signals.healed.load(Ordering::Relaxed) => {
                self.chronicle.write().rest.healed_at = now;
                Phase::Serving { until: now + SERVICE }
            }
            Phase::Serving { until } if now > until => {
                for index in 0..self.traffic.len() {
                    self.with(index, clients, |traffic, stage| traffic.rest(stage));
                }
                Phase::Resting { until: now + REST_MAX }
            }
            Phase::Resting { until } if now > until || self.is_quiet() => {
                for index in 0..self.traffic.len() {
                    self.with(index, clients, |traffic, stage| traffic.ask(stage));
                }
                Phase::Asking { until: now + PATIENCE * 2 }
            }
            Phase::Asking { until } if now > until || self.is_answered() => {
                self.count_up();
                Phase::Done
            }
            phase => phase,
        };
    }

    fn is_in_or_closed(&self) -> bool {
        self.sessions.iter().all(|session| matches!(session.place, Place::In | Place::Closed))
    }

    /// Nobody owes anybody anything.
    fn is_quiet(&self) -> bool {
        let owed = self
            .sessions
            .iter()
            .any(|session| session.place != Place::Closed && (session.is_owed() || !session.is_in()));
        let history = self.chronicle.write();
        let missing = history.messages.iter().any(|message| {
            let awaited = message.kind != Kind::Room && message.refused_at.is_none();
            awaited && message.acked_at.is_some() && message.arrived_at.is_none()
        });
        !owed && !missing
    }

    fn is_answered(&self) -> bool {
        let owed = self.sessions.iter().any(|session| session.is_in() && session.is_owed());
        !owed && self.traffic.iter().all(|traffic| traffic.is_answered())
    }

    /// What each session that lives has said, and what the server has counted.
    fn count_up(&self) {
        let of = |session: &Session| Some((session.life?, session.sent(), session.acked()));
        let counts = self.sessions.iter().filter(|session| session.is_in()).filter_map(of).collect();
        let mut history = self.chronicle.write();
        history.rest.counts = counts;
        self.traffic.iter().for_each(|traffic| traffic.conclude(&mut history));
    }
}

impl Load for Play {
    fn ready(&mut self, id: ClientId, clients: &mut Clients) {
        self.enter(id, clients);
    }

    fn stanza(&mut self, id: ClientId, stanza: &[u8], clients: &mut Clients) {
        self.with(self.owner[id], clients, |traffic, stage| traffic.heard(id, stanza, stage));
    }

    fn word(&mut self, id: ClientId, word: &[u8], _: &mut Clients) {
        if !word.starts_with(b"<a") {
            return;
        }
        self.sessions[id].asked_at = None;
        if let Some(h) = crate::client::attribute(word, "h").and_then(|h| h.parse().ok()) {
            self.handled(id, h);
        }
    }

    fn lost(&mut self, id: ClientId, why: &str, _: &mut Clients) {
        self.lose(id, why);
    }

    fn tick(&mut self, clients: &mut Clients) -> Option<Duration> {
        self.keep_in_touch(clients);
        for index in 0..self.traffic.len() {
            self.with(index, clients, |traffic, stage| traffic.tick(stage));
        }
        self.advance(clients);
        (self.phase != Phase::Done).then_some(LOOK)
    }
}
