//! One client: its wire, what it has still to write, and how far its log-in is.

use super::login::{Login, Next};
use super::wire::Wire;
use super::{Entrance, Framer, Manners};

/// Where a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Off,
    Connecting,
    LoggingIn,
    Ready,
}

pub(super) struct Connection {
    pub(super) wire: Wire,
    pub(super) framer: Framer,
    pub(super) out: Vec<u8>,
    pub(super) stage: Stage,
    pub(super) login: Option<Login>,
    /// What follows when all that was read has been looked at.
    pub(super) next: Next,
    /// Stanzas taken, which is what an acknowledgement says (XEP-0198 §4).
    pub(super) taken: u32,
    /// Stanzas sent since an acknowledgement was asked for.
    pub(super) unasked: u32,
    pub(super) dirty: bool,
    /// How it came in.
    pub(super) entrance: Entrance,
}

impl Connection {
    pub(super) fn off() -> Self {
        Self {
            wire: Wire::Gone,
            framer: Framer::default(),
            out: Vec::new(),
            stage: Stage::Off,
            login: None,
            next: Next::Wait,
            taken: 0,
            unasked: 0,
            dirty: false,
            entrance: Entrance::default(),
        }
    }

    /// A connection that is gone; what it has taken is what its session has.
    pub(super) fn gone(&mut self) {
        *self = Self { taken: self.taken, ..Self::off() };
    }

    /// Adds a stanza to what is written next.
    pub(super) fn send(&mut self, stanza: &[u8], manners: &Manners) {
        self.out.extend_from_slice(stanza);
        if manners.managed {
            self.unasked += 1;
            if self.unasked >= manners.ask_every {
                self.unasked = 0;
                self.out.extend_from_slice(b"<r xmlns='urn:xmpp:sm:3'/>");
            }
        }
    }

    /// Looks at a stanza of a ready stream for stream management. Returns whether the load is to see it.
    pub(super) fn counts(&mut self, stanza: &[u8]) -> bool {
        match stanza.get(1) {
            Some(b'm' | b'p' | b'i') => {
                self.taken = self.taken.wrapping_add(1);
                true
            }
            Some(b'r') => {
                let answer = format!("<a xmlns='urn:xmpp:sm:3' h='{}'/>", self.taken);
                self.out.extend_from_slice(answer.as_bytes());
                false
            }
            _ => false,
        }
    }

    /// Writes what the wire takes.
    pub(super) fn flush(&mut self) -> std::io::Result<()> {
        if self.out.is_empty() || self.stage == Stage::Connecting {
            return Ok(());
        }
        let written = self.wire.write(&self.out)?;
        if written == self.out.len() {
            self.out.clear();
        } else {
            self.out.drain(..written);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_counts_stanzas_and_nothing_else() {
        let mut connection = Connection::off();
        for stanza in ["<message/>", "<a xmlns='urn:xmpp:sm:3' h='1'/>", "<presence/>", "<iq/>"] {
            connection.counts(stanza.as_bytes());
        }
        assert!(!connection.counts(b"<r xmlns='urn:xmpp:sm:3'/>"));
        assert_eq!(connection.out, b"<a xmlns='urn:xmpp:sm:3' h='3'/>");
    }
}
