//! An account in use: its bound resources, its roster, and everything that happens to them.

pub mod offline;
pub mod resources;
pub mod roster;

use std::collections::BTreeMap;

use jid::{BareJid, Jid};
use serde::{Deserialize, Serialize};

use crate::machine::{Env, Machine, Out, SocketId};
use crate::stanza::Stanza;
use crate::store::{Query, Reply};

pub use offline::Offline;
pub use resources::Resource;
pub use roster::{Item, Roster};

/// An account in use. Serialised, it is its own snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Whose it is.
    pub address: BareJid,
    /// Whether the account exists (an anonymous one does while it is bound).
    pub exists: bool,
    /// Logged in by SASL ANONYMOUS: nothing of it is stored.
    pub anonymous: bool,
    /// Bound resources, oldest first.
    pub resources: Vec<Resource>,
    /// Its contacts.
    pub roster: Roster,
    /// Requests for a subscription that the user has not answered, by contact (RFC 6121 §3.1.3).
    pub requests: BTreeMap<BareJid, Stanza>,
    /// Messages that wait in the store.
    pub offline: Offline,
    /// The greatest number given to a session so far.
    pub sid_last: u64,
    /// What is under way in the world outside: not state, so not copied.
    #[serde(skip)]
    under_way: UnderWay,
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
    /// The account was made, after this machine had found none.
    Exists,
    /// A resource was bound; `true`: of an anonymous account.
    Bound(Resource, bool),
    /// A resource is gone.
    Unbound(u64),
    /// A resource has sent a presence: it is available with this priority, or `None`: unavailable.
    Presence(u64, Option<(Stanza, i8)>),
    /// A resource has asked for the roster.
    Interested(u64),
    /// Copies were switched (XEP-0280).
    Carbons(u64, bool),
    /// A resource has sent directed presence there; `false`: has taken it back.
    Directed(u64, Jid, bool),
    /// A roster item was set or removed.
    Item(BareJid, Option<Item>),
    /// A request for a subscription waits, or was answered.
    Request(BareJid, Option<Stanza>),
    /// A message was kept under this id.
    Kept(u64),
    /// It could not be kept after all.
    Lost(u64),
    /// So many kept messages, up to this id, were handed over.
    Taken(u64, u64),
    /// The account is no more.
    Forgotten,
}

/// Questions that the world has not answered yet.
#[derive(Clone, Debug, Default)]
struct UnderWay {
    questions: usize,
    handing_over: bool,
}

impl PartialEq for UnderWay {
    /// All are alike: a copy of the state does not know what is under way.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Session {
    /// Hands a stanza to one of the account's own clients, through [`crate::feature::Door::ToClient`].
    pub fn deliver(&mut self, _sid: u64, _stanza: Stanza, _env: &Env<'_>, _out: &mut Out<Self>) {}
}

impl Machine for Session {
    type Input = Input;
    type Change = Change;

    fn load(_address: &BareJid) -> Vec<Query> {
        vec![]
    }

    fn new(address: BareJid, _replies: Vec<Reply>) -> Self {
        Self {
            address,
            exists: false,
            anonymous: false,
            resources: vec![],
            roster: Roster::default(),
            requests: BTreeMap::new(),
            offline: Offline::default(),
            sid_last: 0,
            under_way: UnderWay::default(),
        }
    }

    fn handle(&mut self, _input: Input, _env: &Env<'_>, _out: &mut Out<Self>) {}

    fn apply(&mut self, _change: &Change) {}

    fn is_idle(&self) -> bool {
        self.resources.is_empty() && self.under_way.questions == 0
    }
}
