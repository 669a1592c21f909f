//! An account in use: its bound resources, its roster, and everything that happens to them.

mod apply;
mod client;
pub mod delivery;
mod directed;
mod iq;
pub mod managed;
pub mod offline;
mod presence;
mod removal;
pub mod resources;
mod resume;
pub mod roster;
mod subscribing;
pub mod subscription;
mod unacked;
mod under_way;

use std::collections::BTreeMap;

use jid::{BareJid, Jid};
use serde::{Deserialize, Serialize};

use crate::machine::{Env, Machine, Out, SocketId, Timestamp};
use crate::stanza::{Condition, Stanza};
use crate::store::{Key, Page, Query, Reply, StoreError, collection};

pub use managed::{Managed, Word};
pub use offline::Offline;
pub use resources::Resource;
pub use resume::is_ahead;
pub use roster::{Item, Roster};
use under_way::UnderWay;

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
    /// Managed sessions whose time was over a while ago.
    pub ended: Vec<managed::Ended>,
    /// The last number of a message that went to several clients and may come back from one of them.
    pub shares: u64,
    /// What is under way in the world outside: not state, so not copied.
    #[serde(skip)]
    under_way: UnderWay,
}

/// How a connection comes to a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Ask {
    /// It wants a new one.
    Bind {
        /// The resource that the client asked for; the server chooses if `None`.
        resource: Option<String>,
        /// Logged in by SASL ANONYMOUS: the account exists only as long as this.
        anonymous: bool,
    },
    /// It wants to go on with one that the client had before (XEP-0198 §5).
    Resume {
        /// As [`ToSocket::Enabled`](crate::machine::ToSocket::Enabled) named it.
        id: String,
        /// The client has handled our stanzas up to this number.
        h: u32,
    },
}

/// What happens to an account.
pub enum Input {
    /// A socket has logged in and wants a session.
    Enter {
        /// Where it is.
        socket: SocketId,
        /// Which session.
        ask: Ask,
        /// Told that this one has what it asks for, it is there still
        /// ([`ToSocket::AskAgain`](crate::machine::ToSocket::AskAgain)).
        instead_of: Option<SocketId>,
    },
    /// A client of this account sent a stanza. `from` is not set yet.
    Client {
        /// Which session.
        sid: u64,
        /// What it said.
        stanza: Stanza,
    },
    /// A client whose stream is managed, or shall be, said something (XEP-0198).
    Word {
        /// Which session.
        sid: u64,
        /// By which connection.
        socket: SocketId,
        /// What it said.
        word: Word,
    },
    /// The node that held this account is gone and its socket is not: the socket goes on here.
    Reattach {
        /// Which session.
        sid: u64,
        /// Where it is.
        socket: SocketId,
        /// The number of the last stanza that it wrote, if its stream is managed.
        wrote: Option<u32>,
    },
    /// A socket is gone.
    Closed {
        /// Which one.
        socket: SocketId,
        /// Whether its client may come back.
        resumable: bool,
    },
    /// A stanza has arrived for this account or one of its resources.
    Stanza(Stanza),
    /// Every socket of that node is gone.
    NodeLost(u64),
    /// These accounts' sessions, and these rooms, died with their node: nobody is there any more.
    AddressesLost(LostAddresses),
    /// The administrator, or another account's session, says so.
    Order(Order),
}

/// Tells whether the session of an account, or a room, is lost.
pub type LostAddresses = std::sync::Arc<dyn Fn(&BareJid) -> bool + Send + Sync>;

/// What others may tell a session to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// The account was removed: close every stream and forget it.
    Remove,
    /// Its password was changed or it was disabled: close every stream with `<not-authorized/>`… and stay.
    EndStreams,
    /// Close the stream of this resource, if it is bound.
    EndResource(Box<str>),
}

/// Records of a session's log. Variants are only appended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// The account was made, after this machine had found none.
    Exists,
    /// A resource was bound; `true`: of an anonymous account.
    Bound(Resource, bool),
    /// A resource is gone.
    Unbound(u64),
    /// A client's stream is managed from now on.
    Managed(u64, Managed),
    /// The stanzas of a managed client were handled up to this number.
    Counted(u64, u32),
    /// One more was sent to it.
    Sent(u64, managed::Queued),
    /// It has handled them up to this number.
    Acked(u64, u32),
    /// A client that is not managed got what is shared under this number.
    Read(u64),
    /// A managed client has no connection.
    Detached(u64, managed::Detached),
    /// It has this one, and has handled our stanzas up to this number.
    Attached(u64, SocketId, u32),
    /// Its time was over.
    Ended(managed::Ended),
    /// Those that ended long before then are not known any more.
    EndedForgotten(Timestamp),
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
    Lost,
    /// So many kept messages, up to this id, were handed over.
    Taken(u64, u64),
    /// The account is no more.
    Forgotten,
    /// A message was refused.
    Refused,
}

impl Machine for Session {
    type Input = Input;
    type Change = Change;

    fn load(address: &BareJid) -> Vec<Query> {
        let key = |collection| Key::new(collection, address.as_str());
        let newest = Page { limit: 1, newest: true, ..Page::default() };
        vec![
            Query::Document(key(collection::CREDENTIALS)),
            Query::Map(key(collection::ROSTER)),
            Query::Map(key(collection::REQUESTS)),
            Query::Count(key(collection::OFFLINE)),
            Query::Page(key(collection::OFFLINE), newest),
        ]
    }

    fn new(address: BareJid, replies: Vec<Reply>) -> Self {
        let mut replies = replies.into_iter();
        let mut next = || replies.next().unwrap_or(Reply::Done);
        let exists = matches!(next(), Reply::Document(Some(_)));
        let (roster, requests) = (Roster::read(next()), roster::read_requests(next()));
        let offline = Offline::read(&next(), &next());
        let under_way = UnderWay::default();
        Self {
            address,
            exists,
            anonymous: false,
            resources: vec![],
            roster,
            requests,
            offline,
            sid_last: 0,
            ended: vec![],
            shares: 0,
            under_way,
        }
    }

    fn handle(&mut self, input: Input, env: &Env<'_>, out: &mut Out<Self>) {
        let first = out.effects.len();
        self.under_way.share = None;
        match input {
            Input::Enter { socket, ask, instead_of } => self.asked(socket, ask, instead_of, env, out),
            Input::Client { sid, stanza } => self.client(sid, stanza, env, out),
            Input::Word { sid, socket, word } => self.word(sid, socket, word, env, out),
            Input::Reattach { sid, socket, wrote } => self.reattach(sid, socket, wrote, out),
            Input::Closed { socket, resumable } => self.closed(socket, resumable, env, out),
            Input::Stanza(stanza) => self.receive(stanza, env, out),
            Input::NodeLost(node) => self.node_lost(node, env, out),
            Input::AddressesLost(lost) => {
                self.contacts_lost(&lost, env, out);
                self.rooms_lost(&lost, env, out);
            }
            Input::Order(Order::Remove) => self.remove(env, out),
            Input::Order(Order::EndStreams) => self.end_streams(env, out),
            Input::Order(Order::EndResource(name)) => self.end_resource(&name, env, out),
        }
        self.settle(first, env, out);
    }

    fn apply(&mut self, change: Change) {
        self.apply_change(change);
    }

    fn go_on(&mut self, writes: usize, env: &Env<'_>, out: &mut Out<Self>) {
        let first = out.effects.len();
        self.under_way.writes_again = writes;
        self.hand_over(out);
        self.settle(first, env, out);
    }

    fn is_idle(&self) -> bool {
        self.resources.is_empty() && self.ended.is_empty() && self.under_way.questions == 0
    }

    fn alarm(&self) -> Option<Timestamp> {
        self.next_alarm()
    }

    fn ring(&mut self, env: &Env<'_>, out: &mut Out<Self>) {
        let first = out.effects.len();
        self.expire_all(env, out);
        self.settle(first, env, out);
    }
}

/// What a sender is told when the store did not do as it was asked.
fn condition(error: &StoreError) -> Condition {
    match error {
        StoreError::Away(_) => Condition::ResourceConstraint,
        StoreError::Stale | StoreError::Failed(_) => Condition::InternalServerError,
    }
}

#[cfg(test)]
mod tests;
