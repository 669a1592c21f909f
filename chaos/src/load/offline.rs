//! Messages for those who are away: what it costs to store one, and to hand it over when its receiver comes.

use std::collections::VecDeque;
use std::time::Duration;

use super::body::{Letter, Reader, Run};
use super::gather::Gather;
use super::{Report, Scene};
use crate::client::{ClientId, Clients, Load};
use crate::measure::{Faults, Latency, Order};

const LOOK: Duration = Duration::from_millis(10);
/// A server that uses less than this in a look of `REST` has nothing left to do.
const REST_CPU: Duration = Duration::from_millis(20);
const REST: Duration = Duration::from_millis(500);
const REST_MAX: Duration = Duration::from_secs(20);
const QUIET_MAX: Duration = Duration::from_secs(10);
/// Senders have this many questions open: an answer means that all before it was handled.
const AHEAD: u32 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Gather,
    Store,
    Rest,
    Come,
    Fetch,
}

/// One sender for each receiver; client 2k writes to account 2k+1.
pub struct Offline {
    scene: Scene,
    each: u64,
    run: Run,
    reader: Reader,
    act: Act,
    since: Duration,
    /// Those that log in, a few at a time: first the senders, then the receivers.
    gather: Gather,
    waiting: VecDeque<ClientId>,
    letters: Vec<Letter>,
    sent: Vec<u64>,
    answered: Vec<u32>,
    orders: Vec<Order>,
    busy: Duration,
    looked: (Duration, Duration),
    stored: (Duration, Duration),
    fetched: (Duration, Duration),
    came: u64,
    came_at: Duration,
    latency: Latency,
}

impl Offline {
    /// Has `pairs` senders write `each` messages of about `bytes` bytes to receivers who come later.
    #[must_use]
    pub fn new(scene: Scene, pairs: usize, each: u64, bytes: usize) -> Self {
        let run = Run::new();
        let to = |pair: usize| scene.manners.accounts.bare(2 * pair + 1);
        Self {
            each,
            run,
            reader: Reader::new(run),
            act: Act::Gather,
            since: Duration::ZERO,
            gather: Gather::of((0..pairs).map(|pair| 2 * pair), scene.concurrency),
            waiting: (0..pairs).map(|pair| 2 * pair + 1).collect(),
            letters: (0..pairs).map(|pair| Letter::of(run, &to(pair), "chat", bytes)).collect(),
            sent: vec![0; pairs],
            answered: vec![0; pairs],
            orders: (0..pairs).map(|_| Order::default()).collect(),
            busy: Duration::ZERO,
            looked: (Duration::ZERO, Duration::ZERO),
            stored: (Duration::ZERO, Duration::ZERO),
            fetched: (Duration::ZERO, Duration::ZERO),
            came: 0,
            came_at: Duration::ZERO,
            latency: Latency::default(),
            scene,
        }
    }

    /// What was measured.
    #[must_use]
    pub fn report(&self) -> Report {
        let total: u64 = self.sent.iter().sum();
        let each = |used: Duration| used.as_secs_f64() * 1e6 / total.max(1) as f64;
        let rate = |took: Duration| total as f64 / took.as_secs_f64().max(1e-9);
        let mut faults = Faults::default();
        self.orders.iter().zip(&self.sent).for_each(|(order, sent)| faults += order.faults(*sent));
        Report {
            load: "offline".into(),
            clients: 2 * self.sent.len(),
            units: self.came,
            seconds: (self.stored.0 + self.fetched.0).as_secs_f64(),
            per_second: rate(self.stored.0),
            server_cpu_us: each(self.stored.1),
            fetch_cpu_us: Some(each(self.fetched.1)),
            fetched_per_second: Some(rate(self.fetched.0)),
            latency_ms: Some(self.latency.percentiles()),
            faults: Some(faults),
            memory: self.scene.server.memory(),
            failed: self.gather.failed,
            why: self.gather.why.clone(),
            ..Report::default()
        }
    }

    fn turn(&mut self, act: Act, now: Duration) {
        self.act = act;
        self.since = now;
        self.busy = self.scene.server.cpu();
        self.looked = (now, self.busy);
    }

    /// Sends what may be under way, with a question behind every tenth of a sender's share.
    fn say(&mut self, pair: usize, clients: &mut Clients) {
        let now = clients.now();
        let share = self.each.div_ceil(u64::from(AHEAD)).max(1);
        for _ in 0..share {
            let number = self.sent[pair];
            if number >= self.each {
                return;
            }
            clients.send(2 * pair, self.letters[pair].write(now, number));
            self.sent[pair] += 1;
        }
        let ping = format!("<iq type='get' id='p-{}'><ping xmlns='urn:xmpp:ping'/></iq>", self.run.name());
        clients.send(2 * pair, ping.as_bytes());
    }

    /// Whether the server has nothing left to do, as far as its use of time tells.
    fn rests(&mut self, now: Duration) -> bool {
        if now < self.looked.0 + REST {
            return false;
        }
        let busy = self.scene.server.cpu();
        let (_, before) = std::mem::replace(&mut self.looked, (now, busy));
        busy.saturating_sub(before) < REST_CPU || now > self.since + REST_MAX
    }

    fn go_on(&mut self, now: Duration, clients: &mut Clients) -> Option<Duration> {
        match self.act {
            Act::Gather | Act::Come => {
                self.gather.tick(clients);
                if self.gather.is_hopeless(now) {
                    return None;
                }
                if self.gather.is_done() && self.rests(now) {
                    if self.act == Act::Gather {
                        self.turn(Act::Store, now);
                        (0..self.sent.len()).for_each(|pair| self.say(pair, clients));
                    } else {
                        self.turn(Act::Fetch, now);
                        self.came_at = now;
                        (0..self.sent.len()).for_each(|pair| clients.send(2 * pair + 1, b"<presence/>"));
                    }
                }
            }
            Act::Store => {
                let all = self.sent.iter().all(|sent| *sent >= self.each);
                let answered =
                    self.answered.iter().zip(&self.sent).all(|(n, sent)| {
                        u64::from(*n) * self.each.div_ceil(u64::from(AHEAD)).max(1) >= *sent
                    });
                if all && answered {
                    self.stored.0 = now.saturating_sub(self.since);
                    self.act = Act::Rest;
                } else if now > self.since + REST_MAX * 6 {
                    return None;
                }
            }
            Act::Rest => {
                if self.rests(now) {
                    self.stored.1 = self.looked.1.saturating_sub(self.busy);
                    let receivers = std::mem::take(&mut self.waiting);
                    let (failed, why) = (self.gather.failed, self.gather.why.take());
                    self.gather = Gather::of(receivers, self.scene.concurrency);
                    (self.gather.failed, self.gather.why) = (failed, why);
                    self.turn(Act::Come, now);
                }
            }
            Act::Fetch => {
                let all = self.came >= self.sent.iter().sum();
                let quiet = now > self.came_at + QUIET_MAX;
                if all || quiet {
                    self.fetched.0 = self.came_at.saturating_sub(self.since);
                    // What is left to do after the last message, such as forgetting them, is of the price, too.
                    if self.rests(now) || quiet {
                        self.fetched.1 = self.scene.server.cpu().saturating_sub(self.busy);
                        return None;
                    }
                }
            }
        }
        Some(LOOK)
    }
}

impl Load for Offline {
    fn ready(&mut self, _: ClientId, clients: &mut Clients) {
        self.gather.ready(clients.now());
    }

    fn stanza(&mut self, id: ClientId, stanza: &[u8], clients: &mut Clients) {
        let pair = id / 2;
        if id.is_multiple_of(2) {
            if stanza.starts_with(b"<iq") {
                self.answered[pair] += 1;
                if self.sent[pair] < self.each {
                    self.say(pair, clients);
                }
            }
            return;
        }
        if let Some((_, number)) = self.reader.read(stanza)
            && self.orders[pair].see(number)
        {
            let now = clients.now();
            (self.came, self.came_at) = (self.came + 1, now);
            self.latency.add(now.saturating_sub(self.since));
        }
    }

    fn lost(&mut self, _: ClientId, why: &str, _: &mut Clients) {
        self.gather.lost(why);
    }

    fn tick(&mut self, clients: &mut Clients) -> Option<Duration> {
        self.go_on(clients.now(), clients)
    }
}
