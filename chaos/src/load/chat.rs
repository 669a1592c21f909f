//! Pairs that write to each other, both ways at once: as fast as answers come (closed), or at a rate (open).

use std::time::Duration;

use super::body::{Letter, Reader, Run};
use super::gather::Gather;
use super::window::Window;
use super::{Report, Scene};
use crate::client::{ClientId, Clients, Load};
use crate::measure::{Faults, Latency, Order};

const LOOK: Duration = Duration::from_millis(10);
/// A poll cannot wait for less: from here on the next message is waited for awake.
const POLL_MIN: Duration = Duration::from_millis(1);
/// How long after the last message what is missing counts as lost.
const QUIET_MAX: Duration = Duration::from_secs(3);

/// How fast messages are sent.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// Each client has this many of its messages under way.
    Closed(u32),
    /// This many messages in a second, of all clients together, whether or not the server keeps up. Their latency counts
    /// from when they should have been sent.
    Open(f64),
}

/// Clients 2k and 2k+1 write to each other.
pub struct Chat {
    scene: Scene,
    pace: Pace,
    gather: Gather,
    letters: Vec<Letter>,
    sent: Vec<u64>,
    orders: Vec<Order>,
    reader: Reader,
    window: Option<Window>,
    /// When an open loop sends its next message.
    next_at: Duration,
    next_from: usize,
    latency: Latency,
    delivered: u64,
    /// All that came, measured or not, and when the last did.
    came: u64,
    came_at: Duration,
    stopped: bool,
}

impl Chat {
    /// Has `count` clients, an even number, write messages of about `bytes` bytes.
    #[must_use]
    pub fn new(scene: Scene, count: usize, pace: Pace, bytes: usize) -> Self {
        let (count, run) = (count - count % 2, Run::new());
        let to = |id: usize| scene.manners.accounts.full(id ^ 1);
        Self {
            letters: (0..count).map(|id| Letter::of(run, &to(id), "chat", bytes)).collect(),
            gather: Gather::new(count, scene.concurrency),
            scene,
            pace,
            sent: vec![0; count],
            orders: (0..count).map(|_| Order::default()).collect(),
            reader: Reader::new(run),
            window: None,
            next_at: Duration::ZERO,
            next_from: 0,
            latency: Latency::default(),
            delivered: 0,
            came: 0,
            came_at: Duration::ZERO,
            stopped: false,
        }
    }

    /// What was measured.
    #[must_use]
    pub fn report(&self) -> Report {
        let load = match self.pace {
            Pace::Closed(_) => "chat",
            Pace::Open(_) => "chat at a rate",
        };
        let mut report = Report { load: load.into(), clients: self.gather.ready, ..Report::default() };
        if let Some(window) = &self.window {
            window.fill(&mut report, self.delivered);
        }
        let mut faults = Faults::default();
        self.orders.iter().enumerate().for_each(|(id, order)| faults += order.faults(self.sent[id ^ 1]));
        report.faults = Some(faults);
        report.latency_ms = Some(self.latency.percentiles());
        report.failed = self.gather.failed;
        report.why = self.gather.why.clone();
        report
    }

    fn say(&mut self, id: ClientId, at: Duration, clients: &mut Clients) {
        let number = self.sent[id];
        self.sent[id] += 1;
        clients.send(id, self.letters[id].write(at, number));
    }

    fn begin(&mut self, now: Duration, clients: &mut Clients) {
        self.window = Some(Window::after(now, &self.scene));
        self.next_at = now;
        self.came_at = now;
        if let Pace::Closed(window) = self.pace {
            for id in (0..self.sent.len()).flat_map(|id| std::iter::repeat_n(id, window as usize)) {
                self.say(id, now, clients);
            }
        }
    }

    /// Sends what is due by now, and returns how long there is nothing to do.
    fn keep_pace(&mut self, now: Duration, clients: &mut Clients) -> Duration {
        let Pace::Open(rate) = self.pace else { return LOOK };
        let step = Duration::from_secs_f64(1.0 / rate.max(0.001));
        while self.next_at <= now {
            self.say(self.next_from, self.next_at, clients);
            self.next_from = (self.next_from + 1) % self.sent.len();
            self.next_at += step;
        }
        let wait = self.next_at.saturating_sub(now);
        if wait > POLL_MIN { LOOK.min(wait - POLL_MIN) } else { Duration::ZERO }
    }
}

impl Load for Chat {
    fn ready(&mut self, id: ClientId, clients: &mut Clients) {
        if clients.manners().purpose == crate::client::Purpose::Session {
            clients.send(id, b"<presence/>");
        }
        self.gather.ready(clients.now());
    }

    fn stanza(&mut self, id: ClientId, stanza: &[u8], clients: &mut Clients) {
        if !stanza.starts_with(b"<message") {
            return;
        }
        let Some((at, number)) = self.reader.read(stanza) else { return };
        let now = clients.now();
        self.came_at = now;
        if !self.orders[id].see(number) {
            return;
        }
        self.came += 1;
        if self.window.as_ref().is_some_and(Window::is_open) {
            self.delivered += 1;
            self.latency.add(now.saturating_sub(at));
        }
        if !self.stopped && matches!(self.pace, Pace::Closed(_)) {
            self.say(id ^ 1, now, clients);
        }
    }

    fn lost(&mut self, _: ClientId, why: &str, _: &mut Clients) {
        self.gather.lost(why);
    }

    fn tick(&mut self, clients: &mut Clients) -> Option<Duration> {
        let now = clients.now();
        let Some(window) = &mut self.window else {
            self.gather.tick(clients);
            if self.gather.is_hopeless(now) {
                return None;
            }
            if self.gather.is_done() {
                self.begin(now, clients);
                return Some(Duration::ZERO);
            }
            return Some(LOOK);
        };
        window.tick(now);
        if !window.is_over() {
            return Some(self.keep_pace(now, clients));
        }
        self.stopped = true;
        let quiet = now.saturating_sub(self.came_at) > QUIET_MAX;
        let all = self.came >= self.sent.iter().sum();
        (!quiet && !all).then_some(LOOK)
    }
}
