//! One client: its wire, what it has still to write, and how far its log-in is.

use memchr::memmem::find;

use super::login::{Login, Next, attribute};
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
    pub(super) login: Option<Box<Login>>,
    /// What follows when all that was read has been looked at.
    pub(super) next: Next,
    /// Stanzas taken, which is what an acknowledgement says (XEP-0198 §4).
    pub(super) taken: u32,
    /// Stanzas sent since an acknowledgement was asked for.
    pub(super) unasked: u32,
    pub(super) dirty: bool,
    /// It is to be told that it was lost.
    pub(super) failed: bool,
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
            failed: false,
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

    /// Answers a ping (XEP-0199), by which servers look for clients that are silent; where streams are managed
    /// they ask for acknowledgements. Returns whether it was one.
    pub(super) fn answers(&mut self, stanza: &[u8], manners: &Manners) -> bool {
        if manners.managed || stanza.get(1) != Some(&b'i') || find(stanza, b"urn:xmpp:ping").is_none() {
            return false;
        }
        let Some(id) =
            attribute(stanza, "id").filter(|_| attribute(stanza, "type").as_deref() == Some("get"))
        else {
            return false;
        };
        let to = attribute(stanza, "from").map_or_else(String::new, |from| format!(" to='{from}'"));
        self.send(format!("<iq type='result' id='{id}'{to}/>").as_bytes(), manners);
        true
    }

    /// Writes what the wire takes. `thrifty` gives the room back that this took.
    pub(super) fn flush(&mut self, thrifty: bool) -> std::io::Result<()> {
        if self.out.is_empty() || self.stage == Stage::Connecting {
            return Ok(());
        }
        let written = self.wire.write(&self.out)?;
        if written < self.out.len() {
            self.out.drain(..written);
        } else if thrifty {
            self.out = Vec::new();
        } else {
            self.out.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Accounts, Mechanism, Purpose, Security};

    #[test]
    fn an_acknowledgement_counts_stanzas_and_nothing_else() {
        let mut connection = Connection::off();
        for stanza in ["<message/>", "<a xmlns='urn:xmpp:sm:3' h='1'/>", "<presence/>", "<iq/>"] {
            connection.counts(stanza.as_bytes());
        }
        assert!(!connection.counts(b"<r xmlns='urn:xmpp:sm:3'/>"));
        assert_eq!(connection.out, b"<a xmlns='urn:xmpp:sm:3' h='3'/>");
    }

    #[test]
    fn a_ping_is_answered_and_nothing_else_is() {
        let manners = Manners {
            accounts: Accounts { domain: "d".into(), password: "p".into(), resource: "r".into(), first: 0 },
            security: Security::Plain,
            mechanism: Mechanism::Plain,
            managed: false,
            resumes: false,
            ask_every: 1,
            purpose: Purpose::Session,
            eager: false,
        };
        let mut connection = Connection::off();
        assert!(
            !connection.answers(b"<iq type='get' id='1'><query xmlns='jabber:iq:version'/></iq>", &manners)
        );
        assert!(
            connection
                .answers(b"<iq type=\"get\" from='d' id='2'><ping xmlns='urn:xmpp:ping'/></iq>", &manners)
        );
        assert_eq!(connection.out, b"<iq type='result' id='2' to='d'/>");
    }
}
