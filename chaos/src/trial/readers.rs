//! After everything was restarted: rosters are read, and the one who was away comes.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::client::{ClientId, Clients, Load, attribute};
use crate::history::History;

const LOOK: Duration = Duration::from_millis(20);
const TIME_MAX: Duration = Duration::from_secs(30);
/// Who could not come in tries again after this.
const AGAIN: Duration = Duration::from_millis(500);

/// Those who read.
pub(super) struct Readers {
    nodes: usize,
    /// Whose rosters are not read yet.
    unread: BTreeSet<ClientId>,
    absent: ClientId,
    expected: usize,
    found: Vec<(ClientId, usize, u64)>,
    read: Vec<ClientId>,
    for_absent: BTreeSet<String>,
    again: Vec<(Duration, ClientId)>,
    until: Option<Duration>,
}

impl Readers {
    /// Those whose rosters have changed, and the one who was away.
    pub(super) fn new(history: &History, nodes: usize, absent: ClientId) -> Self {
        Self {
            nodes,
            unread: history.changes.iter().map(|change| change.client).collect(),
            absent,
            expected: history.rest.left_for_absent,
            found: Vec::new(),
            read: Vec::new(),
            for_absent: BTreeSet::new(),
            again: Vec::new(),
            until: None,
        }
    }

    /// Notes what was read.
    pub(super) fn conclude(self, history: &mut History) {
        let rest = &mut history.rest;
        rest.restarted = true;
        rest.read_by_absent = self.for_absent.len();
        (rest.rosters, rest.rosters_read) = (self.found, self.read);
    }

    fn roster(&mut self, id: ClientId, stanza: &[u8]) {
        if attribute(stanza, "id").as_deref() != Some("roster") || !self.unread.remove(&id) {
            return;
        }
        self.read.push(id);
        for item in String::from_utf8_lossy(stanza).split("<item").skip(1) {
            let item = format!("<item{item}");
            let of = |name| attribute(item.as_bytes(), name);
            let contact =
                of("jid").and_then(|jid| jid.strip_prefix("contact-")?.split('@').next()?.parse().ok());
            if let (Some(contact), Some(name)) = (contact, of("name").and_then(|name| name.parse().ok())) {
                self.found.push((id, contact, name));
            }
        }
    }
}

impl Load for Readers {
    fn ready(&mut self, id: ClientId, clients: &mut Clients) {
        if id == self.absent {
            clients.send(id, b"<presence/>");
        } else {
            clients.send(id, b"<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>");
        }
    }

    fn stanza(&mut self, id: ClientId, stanza: &[u8], _: &mut Clients) {
        match stanza.get(1) {
            Some(b'i') => self.roster(id, stanza),
            Some(b'm') if id == self.absent => {
                let text = String::from_utf8_lossy(stanza);
                let body = text.split_once("<body>").and_then(|(_, rest)| rest.split_once("</body>"));
                self.for_absent.extend(body.map(|(body, _)| body.to_owned()));
            }
            _ => {}
        }
    }

    fn lost(&mut self, id: ClientId, _: &str, clients: &mut Clients) {
        self.again.push((clients.now() + AGAIN, id));
    }

    fn tick(&mut self, clients: &mut Clients) -> Option<Duration> {
        let now = clients.now();
        if self.until.is_none() {
            let all: Vec<_> = self.unread.iter().copied().chain([self.absent]).collect();
            self.again = all.into_iter().map(|id| (now, id)).collect();
        }
        let until = *self.until.get_or_insert(now + TIME_MAX);
        let (due, later) = std::mem::take(&mut self.again).into_iter().partition(|(at, _)| *at <= now);
        self.again = later;
        let due: Vec<(Duration, ClientId)> = due;
        due.into_iter().for_each(|(_, id)| clients.open_at(id, id % self.nodes, None));
        let over = self.unread.is_empty() && self.for_absent.len() >= self.expected;
        (!over && now <= until).then_some(LOOK)
    }
}
