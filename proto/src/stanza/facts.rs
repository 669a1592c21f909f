//! What routing asks about a stanza's children, found in the one parse.

use serde::{Deserialize, Serialize};

use crate::ns;

bitflags::bitflags! {
    /// What is inside a stanza.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
    pub struct Facts: u32 {
        /// `<body/>`.
        const BODY = 1;
        /// `<subject/>`.
        const SUBJECT = 1 << 1;
        /// `<thread/>`.
        const THREAD = 1 << 2;
        /// A chat state (XEP-0085).
        const CHAT_STATE = 1 << 3;
        /// A delivery receipt or a request for one (XEP-0184).
        const RECEIPT = 1 << 4;
        /// A chat marker (XEP-0333).
        const MARKER = 1 << 5;
        /// `<private/>` of XEP-0280.
        const PRIVATE = 1 << 6;
        /// `<no-copy/>` of XEP-0334.
        const NO_COPY = 1 << 7;
        /// `<no-store/>` or `<no-permanent-store/>` of XEP-0334.
        const NO_STORE = 1 << 8;
        /// `<store/>` of XEP-0334.
        const STORE = 1 << 9;
        /// A carbon copy, `<sent/>` or `<received/>` (XEP-0280).
        const CARBON = 1 << 10;
        /// `<x/>` of XEP-0045, as a joining client sends it.
        const MUC = 1 << 11;
        /// `<x/>` of XEP-0045 for users: invitations, statuses.
        const MUC_USER = 1 << 12;
        /// A direct invitation (XEP-0249).
        const INVITE = 1 << 13;
        /// A delay stamp (XEP-0203).
        const DELAY = 1 << 14;
        /// `<error/>`.
        const ERROR = 1 << 15;
        /// A child that is none of these.
        const OTHER = 1 << 31;
    }
}

/// The name and namespace of what an IQ carries.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Payload {
    /// Its namespace.
    pub ns: Box<str>,
    /// Its local name.
    pub name: Box<str>,
}

impl Facts {
    /// What one child says.
    pub fn of(name: &str, child_ns: &str) -> Self {
        match (name, child_ns) {
            ("body", ns::CLIENT | ns::SERVER) => Self::BODY,
            ("subject", ns::CLIENT | ns::SERVER) => Self::SUBJECT,
            ("thread", ns::CLIENT | ns::SERVER) => Self::THREAD,
            ("error", ns::CLIENT | ns::SERVER) => Self::ERROR,
            (_, ns::CHAT_STATES) => Self::CHAT_STATE,
            (_, ns::RECEIPTS) => Self::RECEIPT,
            (_, ns::MARKERS) => Self::MARKER,
            ("private", ns::CARBONS) => Self::PRIVATE,
            ("sent" | "received", ns::CARBONS) => Self::CARBON,
            ("no-copy", ns::HINTS) => Self::NO_COPY,
            ("no-store" | "no-permanent-store", ns::HINTS) => Self::NO_STORE,
            ("store", ns::HINTS) => Self::STORE,
            ("x", ns::MUC) => Self::MUC,
            ("x", ns::MUC_USER) => Self::MUC_USER,
            ("x", ns::CONFERENCE) => Self::INVITE,
            ("delay", ns::DELAY) => Self::DELAY,
            _ => Self::OTHER,
        }
    }

    /// Nothing but a chat state, perhaps with a thread or hints: of no use to someone who is not there.
    pub fn only_chat_state(self) -> bool {
        let company = Self::THREAD | Self::NO_STORE | Self::NO_COPY | Self::PRIVATE;
        self.contains(Self::CHAT_STATE) && (Self::CHAT_STATE | company).contains(self)
    }
}
