//! Rooms in which one occupant after the other speaks (XEP-0045): what one stanza costs that goes to many.

use std::time::Duration;

use memchr::memmem::find;

use super::body::{Letter, Reader, Run};
use super::gather::Gather;
use super::window::Window;
use super::{Report, Scene};
use crate::client::{ClientId, Clients, Load};
use crate::measure::{Faults, Latency, Order};

const LOOK: Duration = Duration::from_millis(10);
const QUIET_MAX: Duration = Duration::from_secs(3);
/// How long everybody together may take to come in.
const ENTER_MAX: Duration = Duration::from_secs(120);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    Entering,
    Inside,
}

struct Room {
    address: String,
    letter: Letter,
    sent: u64,
    came: u64,
}

/// R rooms of K occupants.
pub struct Rooms {
    scene: Scene,
    occupants: usize,
    window_size: u64,
    gather: Gather,
    rooms: Vec<Room>,
    places: Vec<Place>,
    inside: usize,
    orders: Vec<Order>,
    reader: Reader,
    enter_by: Option<Duration>,
    window: Option<Window>,
    sent: u64,
    delivered: u64,
    latency: Latency,
    came_at: Duration,
    stopped: bool,
}

impl Rooms {
    /// Fills `rooms` rooms of `conference` with `occupants` each; in each room `window` messages are under way.
    #[must_use]
    pub fn new(
        scene: Scene,
        conference: &str,
        rooms: usize,
        occupants: usize,
        window: u32,
        bytes: usize,
    ) -> Self {
        // Rooms of an earlier run may still be there.
        let run = Run::new();
        let room = |number| {
            let address = format!("bench-{}-{number}@{conference}", run.name());
            Room { letter: Letter::of(run, &address, "groupchat", bytes), address, sent: 0, came: 0 }
        };
        let count = rooms * occupants;
        Self {
            gather: Gather::new(count, scene.concurrency),
            scene,
            occupants,
            window_size: u64::from(window.max(1)),
            rooms: (0..rooms).map(room).collect(),
            places: vec![Place::Outside; count],
            inside: 0,
            orders: (0..count).map(|_| Order::default()).collect(),
            reader: Reader::new(run),
            enter_by: None,
            window: None,
            sent: 0,
            delivered: 0,
            latency: Latency::default(),
            came_at: Duration::ZERO,
            stopped: false,
        }
    }

    /// What was measured.
    #[must_use]
    pub fn report(&self) -> Report {
        let mut report = Report { load: "room".into(), clients: self.inside, ..Report::default() };
        if let Some(window) = &self.window {
            window.fill(&mut report, self.delivered);
        }
        report.sent_per_second = Some(self.sent as f64 / report.seconds.max(1e-9));
        let mut faults = Faults::default();
        for (id, order) in self.orders.iter().enumerate() {
            faults += order.faults(self.rooms[id / self.occupants].sent);
        }
        report.faults = Some(faults);
        report.latency_ms = Some(self.latency.percentiles());
        report.failed = self.gather.failed;
        report.why = self.gather.why.clone();
        report
    }

    fn enter(&mut self, id: ClientId, clients: &mut Clients) {
        self.places[id] = Place::Entering;
        let room = &self.rooms[id / self.occupants].address;
        let stanza = format!(
            "<presence to='{room}/n{id}'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>"
        );
        clients.send(id, stanza.as_bytes());
    }

    /// The first occupant opens the room as it is (XEP-0045 §10.1.2); the others follow.
    fn entered(&mut self, id: ClientId, clients: &mut Clients) {
        self.places[id] = Place::Inside;
        self.inside += 1;
        if id.is_multiple_of(self.occupants) {
            let room = &self.rooms[id / self.occupants].address;
            let stanza = format!(
                "<iq type='set' id='open' to='{room}'><query xmlns='http://jabber.org/protocol/muc#owner'>\
                 <x xmlns='jabber:x:data' type='submit'/></query></iq>"
            );
            clients.send(id, stanza.as_bytes());
        }
    }

    fn say(&mut self, number: usize, clients: &mut Clients) {
        let room = &mut self.rooms[number];
        let from = number * self.occupants + usize::try_from(room.sent).unwrap_or(0) % self.occupants;
        let stanza = room.letter.write(clients.now(), room.sent);
        room.sent += 1;
        clients.send(from, stanza);
        if self.window.as_ref().is_some_and(Window::is_open) {
            self.sent += 1;
        }
    }

    fn heard(&mut self, id: ClientId, stanza: &[u8], clients: &mut Clients) {
        let Some((at, number)) = self.reader.read(stanza) else { return };
        let now = clients.now();
        self.came_at = now;
        if !self.orders[id].see(number) {
            return;
        }
        if self.window.as_ref().is_some_and(Window::is_open) {
            self.delivered += 1;
            self.latency.add(now.saturating_sub(at));
        }
        let room = &mut self.rooms[id / self.occupants];
        room.came += 1;
        // All copies of the oldest are there: the next may go.
        if !self.stopped
            && room.came >= (room.sent + 1).saturating_sub(self.window_size) * self.occupants as u64
        {
            self.say(id / self.occupants, clients);
        }
    }
}

impl Load for Rooms {
    fn ready(&mut self, id: ClientId, clients: &mut Clients) {
        clients.send(id, b"<presence/>");
        self.gather.ready(clients.now());
    }

    fn stanza(&mut self, id: ClientId, stanza: &[u8], clients: &mut Clients) {
        if stanza.starts_with(b"<message") {
            self.heard(id, stanza, clients);
        } else if stanza.starts_with(b"<presence") {
            let own = self.places[id] == Place::Entering
                && (find(stanza, b"'110'").is_some() || find(stanza, b"\"110\"").is_some());
            if own {
                self.entered(id, clients);
            } else if self.places[id] == Place::Entering && find(stanza, b"<error").is_some() {
                self.gather.lost(&String::from_utf8_lossy(stanza));
            }
        } else if find(stanza, b"open").is_some() && find(stanza, b"result").is_some() {
            (id + 1..id + self.occupants).for_each(|other| self.enter(other, clients));
        }
    }

    fn lost(&mut self, _: ClientId, why: &str, _: &mut Clients) {
        self.gather.lost(why);
    }

    fn tick(&mut self, clients: &mut Clients) -> Option<Duration> {
        let now = clients.now();
        let Some(window) = &mut self.window else {
            self.gather.tick(clients);
            if self.gather.is_hopeless(now) || self.enter_by.is_some_and(|by| now > by) {
                self.gather.why.get_or_insert_with(|| "not all could enter".to_owned());
                return None;
            }
            if self.gather.is_done() && self.enter_by.is_none() {
                self.enter_by = Some(now + ENTER_MAX);
                (0..self.rooms.len()).for_each(|room| self.enter(room * self.occupants, clients));
            }
            if self.inside == self.places.len() {
                self.window = Some(Window::after(now, &self.scene));
                self.came_at = now;
                for _ in 0..self.window_size {
                    (0..self.rooms.len()).for_each(|room| self.say(room, clients));
                }
            }
            return Some(LOOK);
        };
        window.tick(now);
        if !window.is_over() {
            return Some(LOOK);
        }
        self.stopped = true;
        let quiet = now.saturating_sub(self.came_at) > QUIET_MAX;
        let all = self.rooms.iter().all(|room| room.came >= room.sent * self.occupants as u64);
        (!quiet && !all).then_some(LOOK)
    }
}
