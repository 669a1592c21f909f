//! What traffic may do: say things, come and go, and note what happened.

use std::time::Duration;

use super::session::{Place, Session};
use crate::client::{ClientId, Clients};
use crate::history::{Chronicle, Complaint, History, Kind, LifeId, Message, MessageId, Receipt};
use crate::load::body::{Letter, Reader};

/// All clients and the history, for one moment.
pub(crate) struct Stage<'a> {
    pub(crate) clients: &'a mut Clients,
    pub(super) sessions: &'a mut [Session],
    pub(crate) chronicle: &'a Chronicle,
    pub(super) reader: &'a Reader,
    /// Since the run began.
    pub(crate) now: Duration,
    /// Whether new messages may be composed.
    pub(crate) composing: bool,
}

impl Stage<'_> {
    /// The history, for a moment.
    pub(crate) fn history(&self) -> std::sync::MutexGuard<'_, History> {
        self.chronicle.write()
    }

    /// The address of a client.
    pub(crate) fn bare(&self, id: ClientId) -> String {
        self.clients.manners().accounts.bare(id)
    }

    /// The address of a client with its resource.
    pub(crate) fn full(&self, id: ClientId) -> String {
        self.clients.manners().accounts.full(id)
    }

    /// Whether a client is online.
    pub(crate) fn is_in(&self, id: ClientId) -> bool {
        self.sessions[id].is_in()
    }

    /// The session that a client is in, or may still go on with.
    pub(crate) fn life(&self, id: ClientId) -> Option<LifeId> {
        self.sessions[id].life
    }

    /// The node that a client is at.
    pub(crate) fn node(&self, id: ClientId) -> usize {
        self.sessions[id].node
    }

    /// Has a client come online.
    pub(crate) fn open(&mut self, id: ClientId) {
        if self.sessions[id].place == Place::Closed {
            self.sessions[id].place = Place::Away { next: self.now };
        }
    }

    /// Ends a client's session in order.
    pub(crate) fn close(&mut self, id: ClientId) {
        if let Some(life) = self.sessions[id].life {
            self.history().lives[life].to = Some(self.now);
        }
        self.clients.close(id);
        self.sessions[id].end();
    }

    /// Says a stanza, now or as soon as there is a connection.
    pub(crate) fn say(&mut self, id: ClientId, stanza: impl Into<Vec<u8>>) {
        self.push(id, stanza.into(), None);
    }

    /// Composes a message and says it.
    pub(crate) fn compose(&mut self, kind: Kind, id: ClientId, to: usize, letter: &mut Letter) {
        let message = self.history().messages.len();
        let stanza = letter.write(self.now, message as u64).to_vec();
        self.history().messages.push(Message {
            kind,
            from: id,
            to,
            composed_at: self.now,
            written: None,
            acked_at: None,
            arrived_at: None,
            refused_at: None,
        });
        self.push(id, stanza, Some(message));
    }

    fn push(&mut self, id: ClientId, stanza: Vec<u8>, message: Option<MessageId>) {
        self.sessions[id].push(stanza, message);
        if self.sessions[id].is_in() {
            self.write(id);
        }
    }

    /// Writes what a client has not written yet.
    pub(super) fn write(&mut self, id: ClientId) {
        let life = self.sessions[id].life;
        let mut history = self.chronicle.write();
        for (stanza, message) in self.sessions[id].write() {
            self.clients.send(id, stanza);
            if let (Some(message), Some(life)) = (message, life) {
                history.messages[message].written.get_or_insert((life, self.now));
            }
        }
    }

    /// Notes a message that arrived. Returns which, if it is one of ours.
    pub(crate) fn receive(&mut self, id: ClientId, stanza: &[u8]) -> Option<MessageId> {
        let life = self.sessions[id].life?;
        let refused = crate::client::attribute(stanza, "type").as_deref() == Some("error");
        let message = if refused {
            crate::client::attribute(stanza, "id")?.strip_prefix('m')?.parse().ok()?
        } else {
            usize::try_from(self.reader.read(stanza)?.1).ok()?
        };
        let at = self.now;
        let mut history = self.chronicle.write();
        let found = history.messages.get_mut(message)?;
        if refused {
            found.refused_at.get_or_insert(at);
            return None;
        }
        found.arrived_at.get_or_insert(at);
        history.receipts.push(Receipt { message, life, at });
        Some(message)
    }

    /// Notes what must not be.
    pub(crate) fn complain(&self, about: &'static str, what: String) {
        self.history().complaints.push(Complaint { at: self.now, about, what });
    }
}
