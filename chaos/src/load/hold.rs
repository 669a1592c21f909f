//! Sessions that are held, talk in pairs at a rate, and come back to another node when their connection breaks.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Scene;
use super::body::{Letter, Reader, Run};
use super::kept::Kept;
use crate::client::{ClientId, Clients, Load};
use crate::measure::{Faults, Latency, Order};

const PRESENCE: &[u8] = b"<presence/>";
const LOOK: Duration = Duration::from_millis(10);
/// After the n-th failure a client waits n times as long before it tries again, n at most 10.
const RETRY: Duration = Duration::from_millis(100);
/// How often a client tries before it gives up: together two minutes.
const ATTEMPTS_MAX: u8 = 130;

/// What the sessions are to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Come, and stay.
    Hold,
    /// Write to each other, too.
    Talk,
    /// Nothing more.
    End,
}

/// How things stand.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Status {
    /// Clients there are.
    pub clients: usize,
    /// Sessions that have been there.
    pub came: usize,
    /// Sessions that are connected now.
    pub connected: usize,
    /// Connections that broke.
    pub broken: u64,
    /// Sessions that were resumed.
    pub resumed: u64,
    /// Sessions that could not be resumed: their clients had to begin anew.
    pub ended: u64,
    /// Clients that gave up.
    pub gone: u64,
    /// Attempts to connect or log in that failed.
    pub refused: u64,
    /// What ended the first of all these.
    pub why: Option<String>,
    /// Messages sent.
    pub sent: u64,
    /// Messages that came, each counted once.
    pub delivered: u64,
}

/// Says what the sessions are to do, by the clock and by how things stand.
pub type Steer = Box<dyn FnMut(Duration, &Status) -> Phase>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    New,
    Up,
    Away,
    Gone,
}

struct Member {
    place: Place,
    opening: bool,
    attempts: u8,
    since: Duration,
    sent: u64,
    order: Order,
    kept: Kept,
}

/// N sessions, in pairs.
pub struct Hold {
    concurrency: usize,
    opening: usize,
    /// Those that may connect now, and those that wait until they may.
    ready: VecDeque<ClientId>,
    later: BinaryHeap<Reverse<(Duration, ClientId)>>,
    members: Vec<Member>,
    run: Run,
    bytes: usize,
    addresses: Box<dyn Fn(usize) -> String>,
    reader: Reader,
    steer: Steer,
    status: Status,
    rate: f64,
    next_at: Option<Duration>,
    next_from: usize,
    latency: Latency,
    away: Latency,
}

impl Hold {
    /// Holds `count` sessions, an even number; while they talk, they send `rate` messages of about `bytes` bytes in a second, all
    /// together.
    #[must_use]
    pub fn new(scene: &Scene, count: usize, rate: f64, bytes: usize, steer: Steer) -> Self {
        let (count, run) = (count - count % 2, Run::new());
        let member = |_| Member {
            place: Place::New,
            opening: false,
            attempts: 0,
            since: Duration::ZERO,
            sent: 0,
            order: Order::default(),
            kept: Kept::default(),
        };
        let accounts = scene.manners.accounts.clone();
        Self {
            concurrency: scene.concurrency.max(1),
            opening: 0,
            ready: (0..count).collect(),
            later: BinaryHeap::new(),
            members: (0..count).map(member).collect(),
            run,
            bytes,
            addresses: Box::new(move |id| accounts.full(id)),
            reader: Reader::new(run),
            steer,
            status: Status { clients: count, ..Status::default() },
            rate,
            next_at: None,
            next_from: 0,
            latency: Latency::default(),
            away: Latency::default(),
        }
    }

    /// How things stand.
    #[must_use]
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// What was lost, doubled or reordered of what was sent so far.
    #[must_use]
    pub fn faults(&self) -> Faults {
        let mut faults = Faults::default();
        for (id, member) in self.members.iter().enumerate() {
            faults += member.order.faults(self.members[id ^ 1].sent);
        }
        faults
    }

    /// From sending to receiving.
    #[must_use]
    pub fn latency(&self) -> &Latency {
        &self.latency
    }

    /// From when a connection broke until its session was resumed.
    #[must_use]
    pub fn away(&self) -> &Latency {
        &self.away
    }

    fn connect(&mut self, now: Duration, clients: &mut Clients) {
        while let Some(Reverse((at, id))) = self.later.peek().copied()
            && at <= now
        {
            self.later.pop();
            self.ready.push_back(id);
        }
        while self.opening < self.concurrency
            && let Some(id) = self.ready.pop_front()
        {
            self.opening += 1;
            let member = &mut self.members[id];
            member.opening = true;
            // Where it was, nobody may be.
            let hop = usize::from(member.attempts) + usize::from(member.place == Place::Away);
            let ticket = member.kept.ticket(clients.taken(id));
            clients.open_at(id, clients.target(id, hop), ticket);
        }
    }

    /// A client is connected again, or for the first time. Returns where it was before.
    fn up(&mut self, id: ClientId) -> Place {
        let member = &mut self.members[id];
        if std::mem::take(&mut member.opening) {
            self.opening -= 1;
        }
        self.status.connected += 1;
        member.attempts = 0;
        std::mem::replace(&mut member.place, Place::Up)
    }

    fn say(&mut self, id: ClientId, at: Duration, clients: &mut Clients) {
        let to = (self.addresses)(id ^ 1);
        let member = &mut self.members[id];
        let mut letter = Letter::of(self.run, &to, "chat", self.bytes);
        let stanza = letter.write(at, member.sent);
        clients.send(id, stanza);
        member.kept.sent(stanza);
        member.sent += 1;
        self.status.sent += 1;
    }

    /// Sends what is due by now. Who is away does not write.
    fn talk(&mut self, now: Duration, clients: &mut Clients) {
        let step = Duration::from_secs_f64(1.0 / self.rate.max(0.001));
        let mut next_at = self.next_at.unwrap_or(now);
        while next_at <= now {
            let from = self.next_from;
            self.next_from = (from + 1) % self.members.len();
            if self.members[from].place == Place::Up {
                self.say(from, next_at, clients);
            }
            next_at += step;
        }
        self.next_at = Some(next_at);
    }
}

impl Load for Hold {
    fn ready(&mut self, id: ClientId, clients: &mut Clients) {
        let (before, entrance) = (self.up(id), clients.take_entrance(id));
        let member = &mut self.members[id];
        if let Some(h) = entrance.resumed {
            member.kept.acked(h);
            member.kept.again().for_each(|stanza| clients.say(id, stanza));
            self.status.resumed += 1;
            self.away.add(clients.now().saturating_sub(member.since));
            return;
        }
        member.kept = Kept::new(entrance.id);
        clients.send(id, PRESENCE);
        member.kept.sent(PRESENCE);
        match before {
            Place::New => self.status.came += 1,
            Place::Up | Place::Away | Place::Gone => self.status.ended += 1,
        }
    }

    fn word(&mut self, id: ClientId, word: &[u8], _: &mut Clients) {
        self.members[id].kept.word(word);
    }

    fn stanza(&mut self, id: ClientId, stanza: &[u8], clients: &mut Clients) {
        if !stanza.starts_with(b"<message") {
            return;
        }
        let Some((at, number)) = self.reader.read(stanza) else { return };
        if self.members[id].order.see(number) {
            self.status.delivered += 1;
            self.latency.add(clients.now().saturating_sub(at));
        }
    }

    fn lost(&mut self, id: ClientId, why: &str, clients: &mut Clients) {
        let now = clients.now();
        let member = &mut self.members[id];
        self.status.why.get_or_insert_with(|| why.to_owned());
        if std::mem::take(&mut member.opening) {
            self.opening -= 1;
            self.status.refused += 1;
            member.attempts += 1;
        } else {
            self.status.broken += 1;
            self.status.connected -= 1;
            member.since = now;
            member.place = Place::Away;
        }
        if member.attempts > ATTEMPTS_MAX {
            member.place = Place::Gone;
            self.status.gone += 1;
        } else {
            let wait = RETRY * u32::from(member.attempts.min(10));
            self.later.push(Reverse((now + wait, id)));
        }
    }

    fn tick(&mut self, clients: &mut Clients) -> Option<Duration> {
        let now = clients.now();
        self.connect(now, clients);
        match (self.steer)(now, &self.status) {
            Phase::Hold => self.next_at = None,
            Phase::Talk => self.talk(now, clients),
            Phase::End => return None,
        }
        Some(LOOK)
    }
}
