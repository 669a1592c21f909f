//! Clients that change their rosters, one change after the other (RFC 6121 §2.3).

use std::time::Duration;

use super::{Size, Traffic};
use crate::client::{ClientId, attribute};
use crate::history::Change;
use crate::play::Stage;

const CLIENTS: usize = 3;
/// Contacts that a client gives new names.
const CONTACTS: usize = 4;
/// A client makes the next change so long after the answer to the last one.
const EVERY: Duration = Duration::from_millis(500);

/// Rosters under change.
pub(super) struct Rosters {
    first: ClientId,
    domain: String,
    /// For each client: the change that waits for its answer, and when the next one is due.
    open: Vec<Option<usize>>,
    next: Vec<Duration>,
    opened: bool,
}

pub(super) fn make(first: ClientId, size: &Size) -> Box<dyn Traffic> {
    let count = size.of(CLIENTS);
    Box::new(Rosters {
        first,
        domain: size.domain.clone(),
        open: vec![None; count],
        next: vec![Duration::ZERO; count],
        opened: false,
    })
}

impl Traffic for Rosters {
    fn clients(&self) -> usize {
        self.open.len()
    }

    fn bound(&mut self, id: ClientId, stage: &mut Stage<'_>) {
        // What was asked in a session that is gone is answered to nobody.
        self.open[id - self.first] = None;
        stage.say(id, "<presence/>");
    }

    fn heard(&mut self, id: ClientId, stanza: &[u8], stage: &mut Stage<'_>) {
        let number = attribute(stanza, "id").and_then(|id| id.strip_prefix("roster")?.parse::<usize>().ok());
        let index = id - self.first;
        let (Some(number), true) = (number, stanza.starts_with(b"<iq")) else { return };
        if self.open[index] != Some(number) {
            return;
        }
        self.open[index] = None;
        self.next[index] = stage.now + EVERY;
        if attribute(stanza, "type").as_deref() == Some("result") {
            let now = stage.now;
            stage.history().changes[number].done_at = Some(now);
        }
    }

    fn tick(&mut self, stage: &mut Stage<'_>) {
        if !self.opened {
            self.opened = true;
            (0..self.open.len()).for_each(|index| stage.open(self.first + index));
        }
        for index in 0..self.open.len() {
            let id = self.first + index;
            if !stage.composing
                || !stage.is_in(id)
                || self.open[index].is_some()
                || stage.now < self.next[index]
            {
                continue;
            }
            let number = stage.history().changes.len();
            let contact = number % CONTACTS;
            stage.history().changes.push(Change {
                client: id,
                contact,
                number: number as u64,
                done_at: None,
            });
            self.open[index] = Some(number);
            let item = format!("<item jid='contact-{contact}@{}' name='{number}'/>", self.domain);
            let query = format!("<query xmlns='jabber:iq:roster'>{item}</query>");
            stage.say(id, format!("<iq type='set' id='roster{number}'>{query}</iq>"));
        }
    }
}
