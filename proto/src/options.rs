//! Settings that decide what XMPP says: domains and limits. Every limit is finite.

use std::time::Duration;

use jid::BareJid;
use serde::{Deserialize, Serialize};

/// What the machines need of the configuration.
#[derive(Clone, Debug)]
pub struct Options {
    /// The domains that this cluster is.
    pub domains: Vec<Domain>,
    /// What one user may cost us.
    pub limits: Limits,
    /// A secret of the whole domain, the same on every node: the salts shown for unknown users come from it.
    pub sasl_secret: [u8; 32],
    /// Rounds of PBKDF2 for new passwords, and pretended for unknown users. At least [`crate::sasl::ITERATIONS_MIN`].
    pub sasl_iterations: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            domains: Vec::new(),
            limits: Limits::default(),
            sasl_secret: [0; 32],
            sasl_iterations: crate::sasl::ITERATIONS,
        }
    }
}

/// One domain (virtual host).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// The domain of its rooms, `conference.<name>` by default.
    pub conference: String,
    /// Accounts that may administer it (XEP-0133).
    pub admins: Vec<BareJid>,
    /// Whether anybody may log in without an account (SASL ANONYMOUS).
    pub anonymous: bool,
    /// Whether anybody may register an account (XEP-0077).
    pub registration: bool,
}

/// What one user may cost us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Largest stanza accepted, in bytes. At least 10 000 (RFC 6120 §13.12). Worst-case memory is this times the
    /// number of connections.
    pub stanza_bytes_max: usize,
    /// Deepest nesting of elements in a stanza.
    pub depth_max: usize,
    /// Most attributes of one element, namespace declarations included.
    pub attributes_max: usize,
    /// Seconds from connecting to a bound or resumed session; then the stream is closed. A client that has proved who it is,
    /// or waits for the server, has four times as long.
    pub login_seconds_max: u64,
    /// Failed log-ins on one connection; then the stream is closed (RFC 6120 §6.4.5).
    pub login_attempts_max: u32,
    /// Bytes waiting to be written to one client; over it the stream ends and the client may come back.
    pub unsent_bytes_max: usize,
    /// Resources of one account at once.
    pub resources_max: usize,
    /// Items in one roster.
    pub roster_items_max: usize,
    /// Messages that wait for one account.
    pub offline_messages_max: usize,
    /// Addresses that one session may send directed presence to (rooms it is in, mostly).
    pub directed_presence_max: usize,
    /// Largest vCard, in bytes.
    pub vcard_bytes_max: usize,
    /// Occupants of one room.
    pub room_occupants_max: usize,
    /// Messages that a room remembers for those who enter.
    pub room_history_max: usize,
    /// Affiliations (owners, admins, members, outcasts) of one room.
    pub room_affiliations_max: usize,
    /// Seconds without a byte from a client after which the server asks whether it is there.
    pub idle_seconds_max: u64,
    /// Seconds that a client which has lost its connection may take to resume (XEP-0198); it stays present meanwhile.
    /// From 60 on up to a tenth more, a minute at most.
    pub resume_seconds_max: u64,
    /// Stanzas that wait for such a client; over it its session ends. Eight times as many may wait for the
    /// acknowledgement of a client that is connected.
    pub resume_queue_max: usize,
    /// Bytes that wait for one client's acknowledgement, connected or not; over it its session ends.
    pub resume_queue_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            stanza_bytes_max: 256 * 1024,
            depth_max: 64,
            attributes_max: 64,
            login_seconds_max: 30,
            login_attempts_max: 5,
            unsent_bytes_max: 1024 * 1024,
            resources_max: 32,
            roster_items_max: 5_000,
            offline_messages_max: 1_000,
            directed_presence_max: 500,
            vcard_bytes_max: 128 * 1024,
            room_occupants_max: 2_000,
            room_history_max: 100,
            room_affiliations_max: 5_000,
            idle_seconds_max: 300,
            resume_seconds_max: 600,
            resume_queue_max: 1_000,
            resume_queue_bytes_max: 4 * 1024 * 1024,
        }
    }
}

impl Limits {
    /// Time from connecting to a bound or resumed session.
    pub fn login_time(&self) -> Duration {
        Duration::from_secs(self.login_seconds_max)
    }
}

impl Options {
    /// The domain of this name.
    pub fn domain(&self, name: &str) -> Option<&Domain> {
        self.domains.iter().find(|domain| domain.name == name)
    }

    /// The domain whose rooms live at this name.
    pub fn conference(&self, name: &str) -> Option<&Domain> {
        self.domains.iter().find(|domain| domain.conference == name)
    }

    /// Whether this account administers its domain.
    pub fn is_admin(&self, jid: &BareJid) -> bool {
        self.domains.iter().any(|domain| domain.admins.contains(jid))
    }
}
