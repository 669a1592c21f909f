//! An account in use: its bound resources, its roster, and everything that happens to them.

use jid::{BareJid, FullJid, Jid};
use serde::{Deserialize, Serialize};

use crate::machine::{Env, Machine, Out, SocketId};
use crate::stanza::Stanza;
use crate::store::{Query, Reply};

/// An account in use. Serialised, it is its own snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    /// Whose it is.
    pub address: BareJid,
    /// Whether the account exists (an anonymous one does while it is bound).
    pub exists: bool,
    /// Bound resources, oldest first.
    pub resources: Vec<Resource>,
}

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

/// What happens to an account.
pub enum Input {
    /// A socket has logged in and wants a resource.
    Bind {
        /// Where it is.
        socket: SocketId,
        /// What the client asked for; the server chooses if `None`.
        resource: Option<String>,
        /// Logged in by SASL ANONYMOUS: the account exists only as long as this.
        anonymous: bool,
    },
    /// A client of this account sent a stanza. `from` is not set yet.
    Client {
        /// Which session.
        sid: u64,
        /// What it said.
        stanza: Stanza,
    },
    /// A socket is gone, for whatever reason.
    Closed {
        /// Which session.
        sid: u64,
    },
    /// A stanza has arrived for this account or one of its resources.
    Stanza(Stanza),
    /// Every socket of that node is gone.
    NodeLost(u64),
    /// The sessions of these accounts died with their node: their resources are not there any more.
    AccountsLost(LostAccounts),
    /// The administrator, or another account's session, says so.
    Order(Order),
}

/// Tells whether the session of an account is lost.
pub type LostAccounts = std::sync::Arc<dyn Fn(&BareJid) -> bool + Send + Sync>;

/// What others may tell a session to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// The account was removed: close every stream and forget it.
    Remove,
    /// Its password was changed or it was disabled: close every stream with `<not-authorized/>`… and stay.
    EndStreams,
}

/// Records of a session's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// A resource was bound.
    Bound(Resource),
    /// A resource is gone.
    Unbound(u64),
    /// Carbons were switched.
    Carbons(u64, bool),
}

impl Machine for Session {
    type Input = Input;
    type Change = Change;

    fn load(_address: &BareJid) -> Vec<Query> {
        vec![]
    }

    fn new(address: BareJid, _replies: Vec<Reply>) -> Self {
        Self { address, exists: false, resources: vec![] }
    }

    fn handle(&mut self, _input: Input, _env: &Env<'_>, _out: &mut Out<Self>) {}

    fn apply(&mut self, _change: &Change) {}

    fn is_idle(&self) -> bool {
        self.resources.is_empty()
    }
}
