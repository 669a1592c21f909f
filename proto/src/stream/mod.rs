//! A client's stream (RFC 6120): bytes in, effects out.
//!
//! It parses, negotiates TLS, log-in and resource, and then yields checked stanzas. It never fails to its caller: what
//! goes wrong is written as a stream error, followed by [`Effect::Close`].

mod bound;
pub mod error;
mod features;
mod header;
mod login;
mod management;
mod register;
mod steps;
#[cfg(test)]
mod tests;

use jid::{BareJid, FullJid};

pub use error::{StreamCondition, StreamError};
pub use management::Wrote;

use crate::machine::{Env, Resumption};
use crate::sasl::{Credentials, Derivation, Derived, Exchange, Hash};
use crate::session::{Ask, Word};
use crate::stanza::{Condition, Stanza, StanzaError};
use crate::store::StoreError;
use crate::xml::reader::Reader;

/// What a stream runs over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// No TLS yet: STARTTLS is required (RFC 6120 §5).
    Clear,
    /// No TLS ever, on a loopback listener: log-in by any mechanism is allowed.
    Plain,
    /// TLS stands, by STARTTLS or from the first byte (XEP-0368). Nobody wants to know more of it after the log-in.
    Tls(Option<Box<TlsFacts>>),
}

impl Channel {
    /// One that TLS protects.
    pub fn tls(facts: TlsFacts) -> Self {
        Self::Tls(Some(Box::new(facts)))
    }
}

/// What log-in wants to know of a TLS connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFacts {
    /// 32 bytes of keying material, label `EXPORTER-Channel-Binding`, empty context (RFC 9266); only with TLS 1.3, or with
    /// 1.2 and the extended master secret.
    pub exporter: Option<Vec<u8>>,
    /// The hash of our certificate (RFC 5929 §4).
    pub server_end_point: Option<Vec<u8>>,
    /// The accounts that the client's verified certificate names (`id-on-xmppAddr`, RFC 6120 §13.7.1.4).
    pub client_identities: Vec<BareJid>,
}

/// What happens to a stream.
#[derive(Debug)]
pub enum Input<'a> {
    /// Bytes came from the client.
    Bytes(&'a [u8]),
    /// TLS stands, as [`Effect::StartTls`] asked.
    Encrypted(TlsFacts),
    /// The answer to [`Effect::Lookup`].
    Credentials(Result<Option<Credentials>, StoreError>),
    /// The answer to [`Effect::Derive`].
    Derived(Derived),
    /// The answer to [`Ask::Bind`]: the resource is bound.
    Bound(FullJid),
    /// The answer to [`Ask::Bind`]: it is not.
    Refused(StanzaError),
    /// The answer to [`Effect::Register`].
    Registered(Result<(), StanzaError>),
    /// The answer to [`Word::Enable`]: the stream is managed, and can be resumed by this id for so many seconds.
    Enabled {
        /// The id, if it can be resumed.
        id: Option<String>,
        /// The seconds.
        max: u32,
    },
    /// The answer to [`Word::Enable`]: it is not.
    NotEnabled(Condition),
    /// The answer to [`Ask::Resume`]: it goes on.
    Resumed(Resumption),
    /// The answer to [`Ask::Resume`]: it does not. So many of the client's stanzas were handled, if that is known.
    NotResumed(Option<u32>),
    /// Time passed.
    Timeout(Timeout),
    /// The server ends the stream.
    End(StreamError),
    /// The connection is gone, or the client closed its sending side.
    PeerClosed,
}

/// Time that passed. The caller measures it; limits are in [`crate::options::Limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// `login_seconds_max` since the connection was made. Nothing happens if a resource is bound.
    Login,
    /// `idle_seconds_max` since the last byte came. The first asks the client whether it is there; the second without a
    /// byte between them ends the stream.
    Idle,
    /// A while since a numbered stanza was written, and [`Stream::has_unasked`].
    Ack,
}

/// What the world must do, in order.
#[derive(Debug)]
pub enum Effect {
    /// Write these bytes.
    Write(Vec<u8>),
    /// Start TLS as the server once everything before is written, drop every clear byte that was read, and say
    /// [`Input::Encrypted`].
    StartTls,
    /// Fetch what is stored of this account's password and say [`Input::Credentials`].
    Lookup(BareJid),
    /// Run [`Derivation::run`] where slow things run and say [`Input::Derived`].
    Derive(Derivation),
    /// The client is this account.
    LoggedIn(BareJid),
    /// A log-in failed: for rate limits and metrics. The account may not exist.
    LogInFailed(Option<BareJid>),
    /// Make this account, unless it is there, and say [`Input::Registered`].
    Register {
        /// Which.
        account: BareJid,
        /// Its password.
        password: String,
    },
    /// Ask the account that logged in for a session, and say [`Input::Bound`] or [`Input::Refused`], [`Input::Resumed`] or
    /// [`Input::NotResumed`].
    Enter(Ask),
    /// A bound client's stanza: `from` is checked and removed, `to` as sent.
    Stanza(Stanza),
    /// What a client says that is managed, or wants to be: its session must hear it in this order. Stanzas as in
    /// [`Effect::Stanza`].
    Word(Word),
    /// The stream is over: write what is left, end TLS and the connection.
    Close(Ending),
}

/// How a stream ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The client closed it in order (RFC 6120 §4.4).
    Closed,
    /// The connection broke.
    Lost,
    /// One side did what the other could not bear.
    Failed(StreamError),
}

impl Ending {
    /// Whether a managed client may resume. Not if it closed the stream, or broke the rules (XEP-0198 §7).
    pub fn is_resumable(&self) -> bool {
        match self {
            Self::Closed => false,
            Self::Lost => true,
            Self::Failed(error) => matches!(
                error.condition,
                StreamCondition::ConnectionTimeout
                    | StreamCondition::InternalServerError
                    | StreamCondition::Reset
                    | StreamCondition::ResourceConstraint
                    | StreamCondition::SeeOtherHost
                    | StreamCondition::SystemShutdown
            ),
        }
    }
}

/// One client's stream.
#[derive(Debug)]
pub struct Stream {
    channel: Channel,
    chance: Chance,
    /// The id of the last header that was sent.
    id: [u8; 16],
    /// Made anew for every stream that runs over the connection.
    reader: Option<Reader>,
    state: State,
    /// Bytes that came while an answer was waited for.
    pending: Vec<u8>,
    /// Whether our header is written for the present stream.
    greeted: bool,
    /// The domain that the client talks to, once it has said so.
    domain: Option<Box<str>>,
    /// Who has logged in; kept to the end and after it.
    who: Option<Who>,
    /// The language of stanzas that do not say theirs (RFC 6120 §8.1.5).
    lang: Option<Box<str>>,
    /// Failed log-ins.
    failures: u32,
    idle: Idle,
    /// Set once it is managed.
    numbers: Option<Box<management::Numbers>>,
}

/// Where the stream stands. Each step consumes it, so nothing is half-done after an error. What only passes is boxed: an
/// open stream holds none of it.
#[derive(Debug)]
enum State {
    /// The client must open the stream.
    Opening,
    /// The client must start TLS.
    Clear,
    /// TLS is being negotiated.
    Securing,
    /// The client must log in.
    LogIn,
    /// The world must make an account, which answers this IQ.
    Registering(Box<Stanza>),
    /// It must go on with it.
    Responding(Box<Exchange>),
    /// The world must answer before it can.
    Asking(Box<Exchange>),
    /// It has logged in and must open the stream again.
    Reopening,
    /// It must bind a resource.
    Unbound,
    /// Its account must agree, which answers this IQ.
    Binding(Box<Stanza>),
    /// Its account must agree that it goes on with the session of this id.
    Resuming(String),
    /// It talks.
    Open(FullJid),
    /// Its account must agree that its stream is managed.
    Enabling(FullJid),
    /// Nothing comes of it any more.
    Closed,
}

/// Who has logged in.
#[derive(Clone, Debug)]
struct Who {
    account: BareJid,
    anonymous: bool,
}

/// Whether a silent client is still there.
#[derive(Debug, Default)]
struct Idle {
    /// The id of the ping that it has not answered.
    asked: Option<Box<str>>,
    /// Whether no byte came since.
    silent: bool,
}

/// Unpredictable ids and nonces from one secret.
#[derive(Debug)]
struct Chance {
    seed: [u8; 32],
    count: u32,
}

impl Chance {
    /// 16 bytes as hexadecimal digits.
    fn draw(&mut self, env: &Env<'_>) -> String {
        self.count += 1;
        let what = [u64::from(self.count), env.now.0, env.random].map(u64::to_be_bytes).concat();
        let bytes = Hash::Sha256.hmac(&self.seed, &what);
        bytes[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Stream {
    /// A stream over a new connection. `seed` is secret and from a cryptographic generator: stream ids and nonces come
    /// from it.
    pub fn new(channel: Channel, seed: [u8; 32]) -> Self {
        Self {
            channel,
            chance: Chance { seed, count: 0 },
            id: [0; 16],
            reader: None,
            state: State::Opening,
            pending: Vec::new(),
            greeted: false,
            domain: None,
            who: None,
            lang: None,
            failures: 0,
            idle: Idle::default(),
            numbers: None,
        }
    }

    /// Whether it takes bytes now. While it waits for an answer (TLS, look-up, derivation, bind) the socket stops
    /// reading; bytes that come all the same are kept, as many as one stanza may have.
    pub fn wants_bytes(&self) -> bool {
        !self.is_at_work() && !matches!(self.state, State::Securing | State::Closed)
    }

    /// Whether the client waits for this server: for a look-up, a derivation, a session.
    pub fn is_at_work(&self) -> bool {
        matches!(
            self.state,
            State::Asking(_)
                | State::Registering(_)
                | State::Binding(..)
                | State::Resuming(..)
                | State::Enabling(..)
        )
    }

    /// Whether the stream is over: nothing comes of it any more.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// The id of its last header (RFC 6120 §4.7.3), which clients log too.
    pub fn id(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.id))
    }

    /// Who is logged in, or was when the stream ended.
    pub fn account(&self) -> Option<&BareJid> {
        self.who.as_ref().map(|who| &who.account)
    }

    /// What is bound.
    pub fn jid(&self) -> Option<&FullJid> {
        match &self.state {
            State::Open(jid) | State::Enabling(jid) => Some(jid),
            _ => None,
        }
    }

    /// Whether a resource is bound.
    pub fn is_bound(&self) -> bool {
        self.jid().is_some()
    }

    /// Whether TLS protects it.
    pub fn is_encrypted(&self) -> bool {
        matches!(self.channel, Channel::Tls(_))
    }
}
