//! When all is healed: somebody new logs in at each node, hears what it says to itself, and leaves word for one who is away.

use std::time::Duration;

use crate::client::{ClientId, Clients, Load, attribute};
use crate::history::History;

const LOOK: Duration = Duration::from_millis(20);
const TIME_MAX: Duration = Duration::from_secs(20);
/// Presence, a message to itself, a message to the absent one.
const SAID: u32 = 3;

#[derive(Clone, Debug, Default)]
struct Newcomer {
    heard: bool,
    acked: bool,
    why: Option<String>,
}

/// One for each node.
pub(super) struct Newcomers {
    first: ClientId,
    absent: ClientId,
    all: Vec<Newcomer>,
    until: Option<Duration>,
}

impl Newcomers {
    /// Accounts from `first` on, one a node; what they leave is for `absent`.
    pub(super) fn new(first: ClientId, nodes: usize, absent: ClientId) -> Self {
        Self { first, absent, all: vec![Newcomer::default(); nodes], until: None }
    }

    /// Notes how it went.
    pub(super) fn conclude(&self, history: &mut History) {
        for (node, newcomer) in self.all.iter().enumerate() {
            let done = match newcomer {
                Newcomer { why: Some(why), .. } => Err(why.clone()),
                Newcomer { heard: false, .. } => Err("it did not hear what it said to itself".to_owned()),
                Newcomer { acked: false, .. } => Err("what it said was not acknowledged".to_owned()),
                Newcomer { heard: true, acked: true, why: None } => Ok(()),
            };
            history.rest.left_for_absent += usize::from(newcomer.acked);
            history.rest.newcomers.push((node, done));
        }
    }

    fn of(&mut self, id: ClientId) -> Option<&mut Newcomer> {
        self.all.get_mut(id.checked_sub(self.first)?)
    }
}

impl Load for Newcomers {
    fn ready(&mut self, id: ClientId, clients: &mut Clients) {
        let (own, absent) =
            (clients.manners().accounts.full(id), clients.manners().accounts.bare(self.absent));
        clients.send(id, b"<presence/>");
        clients.send(id, format!("<message to='{own}' type='chat'><body>myself</body></message>").as_bytes());
        let word = format!("<message to='{absent}' type='chat'><body>left by {id}</body></message>");
        clients.send(id, word.as_bytes());
        clients.say(id, b"<r xmlns='urn:xmpp:sm:3'/>");
    }

    fn stanza(&mut self, id: ClientId, stanza: &[u8], _: &mut Clients) {
        if let Some(newcomer) = self.of(id).filter(|_| stanza.starts_with(b"<message")) {
            newcomer.heard |= attribute(stanza, "type").as_deref() != Some("error");
        }
    }

    fn word(&mut self, id: ClientId, word: &[u8], clients: &mut Clients) {
        let Some(newcomer) = self.of(id) else { return };
        let h = attribute(word, "h").and_then(|h| h.parse().ok());
        newcomer.acked |= word.starts_with(b"<a") && h == Some(SAID);
        if word.starts_with(b"<a") && !newcomer.acked {
            clients.say(id, b"<r xmlns='urn:xmpp:sm:3'/>");
        }
    }

    fn lost(&mut self, id: ClientId, why: &str, _: &mut Clients) {
        if let Some(newcomer) = self.of(id) {
            newcomer.why = Some(why.to_owned());
        }
    }

    fn tick(&mut self, clients: &mut Clients) -> Option<Duration> {
        let now = clients.now();
        let until = *self.until.get_or_insert_with(|| {
            (0..self.all.len()).for_each(|node| clients.open_at(self.first + node, node, None));
            now + TIME_MAX
        });
        let over = self.all.iter().all(|one| one.why.is_some() || (one.heard && one.acked));
        if over || now > until {
            (0..self.all.len()).for_each(|node| clients.close(self.first + node));
            return None;
        }
        Some(LOOK)
    }
}
