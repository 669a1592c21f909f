//! What a client keeps of a session so that it can be resumed (XEP-0198 §5).

use std::collections::VecDeque;

use crate::client::{Ticket, attribute};

/// A session's name, and what was sent in it and not acknowledged.
#[derive(Debug, Default)]
pub(super) struct Kept {
    id: Option<Box<str>>,
    sent: u32,
    unacked: VecDeque<Box<[u8]>>,
}

impl Kept {
    /// A session that has just begun.
    pub(super) fn new(id: Option<String>) -> Self {
        Self { id: id.map(String::into_boxed_str), ..Self::default() }
    }

    /// What it is resumed with by a client that has taken so many stanzas.
    pub(super) fn ticket(&self, taken: u32) -> Option<Ticket> {
        self.id.as_ref().map(|id| Ticket { previd: id.to_string(), h: taken })
    }

    /// A stanza was sent.
    pub(super) fn sent(&mut self, stanza: &[u8]) {
        self.sent = self.sent.wrapping_add(1);
        self.unacked.push_back(stanza.into());
    }

    /// An element came that may be an acknowledgement.
    pub(super) fn word(&mut self, word: &[u8]) {
        if word.starts_with(b"<a")
            && let Some(h) = attribute(word, "h").and_then(|h| h.parse().ok())
        {
            self.acked(h);
        }
    }

    /// The server has handled so many.
    pub(super) fn acked(&mut self, h: u32) {
        let open = self.sent.wrapping_sub(h) as usize;
        // A server that counts what it was not sent is not believed.
        if open <= self.unacked.len() {
            self.unacked.drain(..self.unacked.len() - open);
            if self.unacked.is_empty() {
                self.unacked = VecDeque::new();
            }
        }
    }

    /// What is sent again on a new connection.
    pub(super) fn again(&self) -> impl Iterator<Item = &[u8]> {
        self.unacked.iter().map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_handled_is_sent_again() {
        let mut kept = Kept::new(Some("id".into()));
        for stanza in ["<message id='1'/>", "<message id='2'/>", "<message id='3'/>"] {
            kept.sent(stanza.as_bytes());
        }
        kept.word(b"<r xmlns='urn:xmpp:sm:3'/>");
        kept.word(b"<a xmlns='urn:xmpp:sm:3' h='1'/>");
        assert_eq!(kept.again().count(), 2);
        assert_eq!(kept.ticket(7), Some(Ticket { previd: "id".into(), h: 7 }));
        kept.acked(2);
        assert_eq!(kept.again().collect::<Vec<_>>(), [b"<message id='3'/>"]);
    }
}
