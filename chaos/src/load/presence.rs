//! Groups in which everybody has everybody in the roster (RFC 6121 §4.4): what a presence costs that goes to all contacts.

use std::time::Duration;

use memchr::memmem::{find, find_iter};

use super::body::{Reader, Run};
use super::gather::Gather;
use super::window::Window;
use super::{Report, Scene};
use crate::client::{ClientId, Clients, Load};
use crate::measure::{Faults, Latency, Order};

const LOOK: Duration = Duration::from_millis(10);
const QUIET_MAX: Duration = Duration::from_secs(3);
/// How long all may take to become each other's contacts.
const BEFRIEND_MAX: Duration = Duration::from_secs(300);

#[derive(Default)]
struct Group {
    sent: u64,
    came: u64,
}

/// Groups of members who all see each other.
pub struct Groups {
    scene: Scene,
    members: usize,
    gather: Gather,
    groups: Vec<Group>,
    /// How many contacts each has still to win; none is known before its roster is.
    wanted: Vec<Option<usize>>,
    orders: Vec<Order>,
    run: Run,
    reader: Reader,
    asked: bool,
    befriend_by: Option<Duration>,
    window: Option<Window>,
    delivered: u64,
    sent: u64,
    latency: Latency,
    came_at: Duration,
    stopped: bool,
}

impl Groups {
    /// Has `groups` groups of `members` each, in each of which one after the other changes its presence.
    #[must_use]
    pub fn new(scene: Scene, groups: usize, members: usize) -> Self {
        let (count, run) = (groups * members, Run::new());
        Self {
            gather: Gather::new(count, scene.concurrency),
            scene,
            members,
            groups: (0..groups).map(|_| Group::default()).collect(),
            wanted: vec![None; count],
            orders: (0..count).map(|_| Order::default()).collect(),
            run,
            reader: Reader::of(run, "<status>"),
            asked: false,
            befriend_by: None,
            window: None,
            delivered: 0,
            sent: 0,
            latency: Latency::default(),
            came_at: Duration::ZERO,
            stopped: false,
        }
    }

    /// What was measured.
    #[must_use]
    pub fn report(&self) -> Report {
        let mut report = Report { load: "presence".into(), clients: self.gather.ready, ..Report::default() };
        if let Some(window) = &self.window {
            window.fill(&mut report, self.delivered);
        }
        report.sent_per_second = Some(self.sent as f64 / report.seconds.max(1e-9));
        let mut faults = Faults::default();
        for (id, order) in self.orders.iter().enumerate() {
            faults += order.faults(self.groups[id / self.members].sent);
        }
        report.faults = Some(faults);
        report.latency_ms = Some(self.latency.percentiles());
        report.failed = self.gather.failed;
        report.why = self.gather.why.clone();
        report
    }

    fn others(&self, id: ClientId) -> impl Iterator<Item = ClientId> + use<> {
        let first = id - id % self.members;
        (first..first + self.members).filter(move |other| *other != id)
    }

    /// Wins those that are not in the roster yet.
    fn befriend(&mut self, id: ClientId, roster: &[u8], clients: &mut Clients) {
        let friends = find_iter(roster, "'both'").count() + find_iter(roster, "\"both\"").count();
        let missing = (self.members - 1).saturating_sub(friends);
        self.wanted[id] = Some(missing);
        if missing == 0 {
            return;
        }
        self.wanted[id] = Some(self.members - 1);
        for other in self.others(id) {
            let to = clients.manners().accounts.bare(other);
            clients.send(id, format!("<presence type='subscribe' to='{to}'/>").as_bytes());
        }
    }

    fn answer(&mut self, id: ClientId, stanza: &[u8], clients: &mut Clients) {
        if has(stanza, "subscribed") {
            if let Some(Some(wanted)) = self.wanted.get_mut(id) {
                *wanted = wanted.saturating_sub(1);
            }
        } else if has(stanza, "subscribe") {
            let from = self.others(id).map(|other| clients.manners().accounts.bare(other));
            let from = from.into_iter().find(|from| find(stanza, from.as_bytes()).is_some());
            if let Some(from) = from {
                clients.send(id, format!("<presence type='subscribed' to='{from}'/>").as_bytes());
            }
        }
    }

    fn say(&mut self, number: usize, clients: &mut Clients) {
        let group = &mut self.groups[number];
        let from = number * self.members + usize::try_from(group.sent).unwrap_or(0) % self.members;
        let stamp = self.run.stamp(clients.now(), group.sent);
        let stanza = format!("<presence><status>{stamp}on the way</status></presence>");
        // Nobody is a contact of themselves.
        self.orders[from].see(group.sent);
        group.sent += 1;
        clients.send(from, stanza.as_bytes());
        if self.window.as_ref().is_some_and(Window::is_open) {
            self.sent += 1;
        }
    }

    fn saw(&mut self, id: ClientId, stanza: &[u8], clients: &mut Clients) {
        let Some((at, number)) = self.reader.read(stanza) else { return };
        let own = usize::try_from(number).unwrap_or(0) % self.members == id % self.members;
        if own || self.window.is_none() {
            return;
        }
        let now = clients.now();
        self.came_at = now;
        if !self.orders[id].see(number) {
            return;
        }
        if self.window.as_ref().is_some_and(Window::is_open) {
            self.delivered += 1;
            self.latency.add(now.saturating_sub(at));
        }
        let group = &mut self.groups[id / self.members];
        group.came += 1;
        if !self.stopped && group.came >= group.sent * (self.members as u64 - 1) {
            self.say(id / self.members, clients);
        }
    }

    fn prepare(&mut self, now: Duration, clients: &mut Clients) -> Option<Duration> {
        self.gather.tick(clients);
        if self.gather.is_hopeless(now) || self.befriend_by.is_some_and(|by| now > by) {
            self.gather.why.get_or_insert_with(|| "not all became contacts".to_owned());
            return None;
        }
        if self.gather.is_done() && !self.asked {
            self.asked = true;
            self.befriend_by = Some(now + BEFRIEND_MAX);
            let ask = b"<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>";
            (0..self.wanted.len()).for_each(|id| clients.send(id, ask));
        }
        if self.wanted.iter().all(|wanted| *wanted == Some(0)) {
            self.window = Some(Window::after(now, &self.scene));
            self.came_at = now;
            (0..self.groups.len()).for_each(|group| self.say(group, clients));
        }
        Some(LOOK)
    }
}

impl Load for Groups {
    fn ready(&mut self, id: ClientId, clients: &mut Clients) {
        clients.send(id, b"<presence/>");
        self.gather.ready(clients.now());
    }

    fn stanza(&mut self, id: ClientId, stanza: &[u8], clients: &mut Clients) {
        if stanza.starts_with(b"<presence") {
            if has(stanza, "<status>") {
                self.saw(id, stanza, clients);
            } else {
                self.answer(id, stanza, clients);
            }
        } else if has(stanza, "result") && self.wanted[id].is_none() {
            self.befriend(id, stanza, clients);
        }
    }

    fn lost(&mut self, _: ClientId, why: &str, _: &mut Clients) {
        self.gather.lost(why);
    }

    fn tick(&mut self, clients: &mut Clients) -> Option<Duration> {
        let now = clients.now();
        let Some(window) = &mut self.window else { return self.prepare(now, clients) };
        window.tick(now);
        if !window.is_over() {
            return Some(LOOK);
        }
        self.stopped = true;
        let quiet = now.saturating_sub(self.came_at) > QUIET_MAX;
        let others = self.members as u64 - 1;
        let all = self.groups.iter().all(|group| group.came >= group.sent * others);
        (!quiet && !all).then_some(LOOK)
    }
}

fn has(stanza: &[u8], what: &str) -> bool {
    find(stanza, what.as_bytes()).is_some()
}
