//! What every owned machine is: input in; changes and effects out.
//!
//! A change is a record of the slot's log, and [`Machine::apply`] is the only code that mutates state, so whoever applies
//! the same records has the same machine. Effects are released by the caller once their changes are committed.

use jid::{BareJid, Jid};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::feature::Features;
use crate::options::Options;
use crate::sasl::Credentials;
use crate::session::Order;
use crate::stanza::{Condition, Stanza, StanzaError};
use crate::store::{Query, Reply, StoreError, Write};
use crate::stream::StreamError;

/// Milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub u64);

/// A connection somewhere in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SocketId {
    /// The incarnation of the node that holds it: unique in the cluster and over time.
    pub node: u64,
    /// Its number on that node.
    pub number: u64,
}

/// What a machine may know of the world: time, chance and settings are arguments.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    /// Now.
    pub now: Timestamp,
    /// Fresh random bits for this step.
    pub random: u64,
    /// Settings of the domain and limits.
    pub options: &'a Options,
    /// Every feature.
    pub features: &'a Features,
}

/// An owned state machine: a session or a room. Serialising it is its snapshot.
pub trait Machine: Serialize + DeserializeOwned + Sized + 'static {
    /// What happens to it.
    type Input: Send + 'static;
    /// A record of its log.
    type Change: Clone + Serialize + DeserializeOwned + Send + 'static;

    /// What to ask the store before the first input.
    fn load(address: &BareJid) -> Vec<Query>;

    /// Builds it from the answers to [`Machine::load`], in the same order.
    fn new(address: BareJid, replies: Vec<Reply>) -> Self;

    /// Takes one step.
    fn handle(&mut self, input: Self::Input, env: &Env<'_>, out: &mut Out<Self>);

    /// The only code that mutates it. Never fails, never looks at the world.
    fn apply(&mut self, change: Self::Change);

    /// When time does something to it the next time.
    fn alarm(&self) -> Option<Timestamp> {
        None
    }

    /// That time has come, or another one: it looks at the clock itself.
    fn ring(&mut self, _env: &Env<'_>, _out: &mut Out<Self>) {}

    /// It goes on at another owner, which makes so many writes of the former one again. Told anew when there are fewer.
    fn go_on(&mut self, _writes: usize, _env: &Env<'_>, _out: &mut Out<Self>) {}

    /// Whether it can be put away and rebuilt from the store without anyone noticing.
    fn is_idle(&self) -> bool;

    /// Applies a change and notes it for the log.
    fn commit(&mut self, change: Self::Change, out: &mut Out<Self>) {
        out.changed = true;
        if !out.is_unrecorded {
            out.changes.push(change.clone());
        }
        self.apply(change);
    }
}

/// What a step yields, in order.
pub struct Out<M: Machine> {
    /// Records for the slot's log.
    pub changes: Vec<M::Change>,
    /// Whether there were any.
    pub changed: bool,
    /// Nobody has a copy of the machine: its log is not kept.
    pub is_unrecorded: bool,
    /// What the world must do once the changes are committed.
    pub effects: Vec<Effect<M>>,
}

/// Goes on when the store has answered.
pub type Then<M> = Box<dyn FnOnce(&mut M, Result<Reply, StoreError>, &Env<'_>, &mut Out<M>) + Send>;
/// Goes on when a password has been turned into keys.
pub type Derived<M> = Box<dyn FnOnce(&mut M, Credentials, &Env<'_>, &mut Out<M>) + Send>;

/// What the world must do.
pub enum Effect<M: Machine> {
    /// Take it to the owner of the address in `to`: an account, a room, or another server.
    Route(Stanza),
    /// The same stanza to many addresses; its own `to` is ignored.
    Fanout {
        /// What they get.
        stanza: Stanza,
        /// Who gets it.
        to: Vec<Jid>,
    },
    /// Tell a socket.
    Socket(SocketId, ToSocket),
    /// Ask the store.
    Ask(Query, Then<M>),
    /// Write to the store; goes on with [`Reply::Done`] when it is durable.
    Store(Vec<Write>, Then<M>),
    /// Turn a password into keys: slow on purpose, so it happens elsewhere.
    Derive(Box<str>, Derived<M>),
    /// Tell the session of another account.
    Order(BareJid, Order),
}

/// What an owner tells a socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToSocket {
    /// Write this to the client.
    Stanza(Stanza),
    /// Its resource is bound.
    Bound {
        /// The session's number, which every later input names.
        sid: u64,
        /// The full JID.
        jid: jid::FullJid,
    },
    /// Its resource could not be bound.
    Refused(StanzaError),
    /// End the stream.
    End(StreamError),
    /// So many of what the client said has been handled: more may come.
    Handled(u64),
    /// Its stream is managed from now on (XEP-0198).
    Enabled {
        /// By which the client can resume it, if it can.
        id: Option<String>,
        /// For so many seconds.
        max: u32,
    },
    /// It is not.
    NotEnabled(Condition),
    /// It goes on where another connection was lost.
    Resumed(Box<Resumption>),
    /// It does not. Says how many of the client's stanzas were handled, if that is still known.
    NotResumed(Option<u32>),
    /// So many of the managed client's stanzas were handled.
    Ack(u32),
    /// Write this to the managed client. The number follows that of the last one, or something was lost.
    Counted(u32, Stanza),
    /// End the connection; the client may resume its stream.
    Interrupt(StreamError),
    /// Something that the managed client said was lost on its way, from the stanza of that number on: say again all that is not
    /// handled.
    Repeat(u32),
    /// That connection has what it asked for: ask again, if it is still there.
    AskAgain(SocketId),
}

/// How a managed stream goes on (XEP-0198 §5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumption {
    /// The session's number.
    pub sid: u64,
    /// The full JID.
    pub jid: jid::FullJid,
    /// So many of the client's stanzas were handled.
    pub heard: u32,
    /// The client has ours up to this number; the others follow.
    pub sent: u32,
    /// What those cost, in bytes.
    pub bytes: usize,
}

impl<M: Machine> Default for Out<M> {
    fn default() -> Self {
        Self { changes: Vec::new(), changed: false, is_unrecorded: false, effects: Vec::new() }
    }
}

impl<M: Machine> Out<M> {
    /// Takes a stanza to whom it is addressed.
    pub fn route(&mut self, stanza: Stanza) {
        self.effects.push(Effect::Route(stanza));
    }

    /// Tells a socket.
    pub fn socket(&mut self, socket: SocketId, what: ToSocket) {
        self.effects.push(Effect::Socket(socket, what));
    }

    /// Answers with an error, unless the stanza is an answer itself.
    pub fn refuse(&mut self, stanza: &Stanza, error: impl Into<StanzaError>) {
        if let Some(error) = stanza.error(error) {
            self.route(error);
        }
    }

    /// Asks the store and goes on with `then`.
    pub fn ask<F>(&mut self, query: Query, then: F)
    where
        F: FnOnce(&mut M, Result<Reply, StoreError>, &Env<'_>, &mut Self) + Send + 'static,
    {
        self.effects.push(Effect::Ask(query, Box::new(then)));
    }

    /// Writes to the store and goes on with `then` when it is durable or has failed.
    pub fn store<F>(&mut self, writes: Vec<Write>, then: F)
    where
        F: FnOnce(&mut M, Result<Reply, StoreError>, &Env<'_>, &mut Self) + Send + 'static,
    {
        self.effects.push(Effect::Store(writes, Box::new(then)));
    }

    /// Turns a password into keys and goes on with `then`.
    pub fn derive<F>(&mut self, password: impl Into<Box<str>>, then: F)
    where
        F: FnOnce(&mut M, Credentials, &Env<'_>, &mut Self) + Send + 'static,
    {
        self.effects.push(Effect::Derive(password.into(), Box::new(then)));
    }
}
