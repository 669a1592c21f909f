//! Bound resources (RFC 6120 §7): how they come and go, and how to find them.

use jid::{FullJid, Jid};
use serde::{Deserialize, Serialize};

use super::Session;
use crate::machine::SocketId;
use crate::stanza::Stanza;

/// One bound resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// The session's number.
    pub sid: u64,
    /// Its full JID.
    pub jid: FullJid,
    /// Where its connection is.
    pub socket: SocketId,
    /// Its last available presence, broadcast or not; `None` until then and after `unavailable`.
    pub presence: Option<Stanza>,
    /// From that presence.
    pub priority: i8,
    /// Asked for the roster, so gets pushes (RFC 6121 §2.1.6).
    pub interested: bool,
    /// Wants copies (XEP-0280).
    pub carbons: bool,
    /// Who got directed presence from it (RFC 6121 §4.6).
    pub directed: Vec<Jid>,
}

impl Resource {
    /// Whether it has sent available presence and not taken it back.
    pub fn is_available(&self) -> bool {
        self.presence.is_some()
    }

    /// Whether it is available and wants messages for the account (RFC 6121 §4.7.2.3).
    pub fn wants_messages(&self) -> bool {
        self.is_available() && self.priority >= 0
    }
}

impl Session {
    /// The resource of that session.
    pub fn resource(&self, sid: u64) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.sid == sid)
    }

    /// The resource of that name, prepared (RFC 7622 §3.4).
    pub fn resource_named(&self, name: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.jid.resource().as_str() == name)
    }

    /// The resources that have sent presence, oldest first.
    pub fn available(&self) -> impl Iterator<Item = &Resource> {
        self.resources.iter().filter(|resource| resource.is_available())
    }

    /// The sessions that want copies (XEP-0280), without these.
    pub fn carbon_targets(&self, excluding: &[u64]) -> Vec<u64> {
        let wanting = self.resources.iter().filter(|resource| resource.carbons);
        wanting.map(|resource| resource.sid).filter(|sid| !excluding.contains(sid)).collect()
    }

    /// Whether this account asks for it itself: `from` is one of its own addresses.
    pub fn is_own(&self, jid: &Jid) -> bool {
        jid.to_bare() == self.address
    }
}
