//! Links: two TLS connections per pair of nodes, one for what keeps the cluster together and one, its lane, for messages,
//! which come in order, none lost and none doubled while both incarnations live.

mod accept;
mod connection;
mod dial;
mod heart;
mod lane;
mod machine;
mod outbox;
mod stream;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, Notify, mpsc, watch};

pub(crate) use accept::{listen, listen_to};
pub(crate) use dial::keep;
pub(crate) use heart::{PEERS_MANY, beat};
pub(crate) use lane::{Awaited, Lanes};
pub(crate) use outbox::Outbox;

use crate::map::HashMap;
use crate::quiet::Quiet;
use crate::simulation::Ether;
use crate::tls::Tls;
use crate::wire::codec::{self, CodecError};
use crate::wire::frame::FrameError;
use crate::wire::{Control, Refusal};
use crate::{Incarnation, Limits, Peer, clock, metrics as names};

/// The members with whom this node links, by incarnation.
pub(crate) type Remotes = ArcSwap<HashMap<Incarnation, Arc<Remote>>>;

/// Takes the payloads of messages: decodes them and hands them on.
pub(crate) trait Sink: Send + Sync {
    /// Takes one.
    ///
    /// # Errors
    /// It is no message of ours.
    fn take(&self, from: &Peer, payload: &[u8]) -> Result<(), CodecError>;
}

/// Where messages of others go, and on which threads.
#[derive(Clone)]
pub(crate) struct Ends {
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) lanes: Arc<Lanes>,
}

/// What links tell.
#[derive(Debug)]
pub(crate) enum Event {
    /// The link stands.
    Up(Incarnation),
    /// It broke.
    Lost(Incarnation),
    /// Nobody listens there, or another incarnation does.
    Gone(Incarnation),
    /// The peer said something.
    Said(Incarnation, Control),
    /// A peer knows a view of that epoch.
    Epoch(u64),
    /// A stranger, who may be a member of a newer view, asked for a link.
    Stranger,
}

/// What all links of one incarnation share.
#[derive(Clone)]
pub(crate) struct Ground {
    /// This node.
    pub(crate) me: Peer,
    /// The cluster's name.
    pub(crate) cluster: String,
    /// Bounds.
    pub(crate) limits: Limits,
    /// Certificates; replaced when they are renewed.
    pub(crate) tls: Arc<ArcSwap<Option<Tls>>>,
    /// Who may link.
    pub(crate) remotes: Arc<Remotes>,
    /// The epoch that this node knows.
    pub(crate) epoch: Arc<AtomicU64>,
    /// Where events go.
    pub(crate) events: mpsc::UnboundedSender<Event>,
    /// Where messages go.
    pub(crate) ends: Ends,
    /// Lanes that are to come.
    pub(crate) awaited: Arc<Awaited>,
    /// Log lines of refusals.
    pub(crate) quiet: Arc<Quiet>,
    /// A simulation's network.
    pub(crate) ether: Option<Arc<dyn Ether>>,
}

impl Ground {
    pub(crate) fn now(&self) -> Duration {
        clock::now()
    }

    fn session(&self) -> Result<openssl::ssl::Ssl, LinkError> {
        match &**self.tls.load() {
            Some(tls) => tls.session().map_err(|e| LinkError::Tls(e.to_string())),
            None => Err(LinkError::Tls("there are no certificates".into())),
        }
    }

    pub(crate) fn tell(&self, event: Event) {
        // Nobody listens any more when the incarnation has ended, and its links end with it.
        let _ = self.events.send(event);
    }

    /// Counts a peer that was refused, and logs it once a minute.
    fn refused(&self, reason: &'static str, from: SocketAddr, error: &dyn std::fmt::Display) {
        metrics::counter!(names::REFUSED, "reason" => reason).increment(1);
        if let Some(times) = self.quiet.due(reason) {
            tracing::warn!(%from, reason, times, %error, "refused a link");
        }
    }
}

/// One incarnation of another node, and the link with it.
#[derive(Debug)]
pub(crate) struct Remote {
    /// Who it is.
    pub(crate) who: Peer,
    /// Where its link listener is.
    pub(crate) address: SocketAddr,
    /// Messages that wait for it.
    pub(crate) outbox: Outbox,
    /// What else does.
    pub(crate) words: Outbox,
    up: watch::Sender<bool>,
    received: AtomicU64,
    heard: AtomicU64,
    rtt: AtomicU64,
    /// How far this node's clock is ahead of the peer's last ping that has no answer yet; zero if there is none.
    owed: AtomicU64,
    /// Pings since the last that was answered.
    unanswered: AtomicU32,
    /// When the last ping was sent that the peer has answered, knowing no newer view than this node.
    answered: AtomicU64,
    /// The epoch that the peer said it knows.
    known: AtomicU64,
    /// Answers to its pings promise nothing.
    silenced: AtomicBool,
    gone: AtomicBool,
    reset: Notify,
    hurry: Notify,
    turn: Arc<Mutex<()>>,
}

impl Remote {
    pub(crate) fn new(who: Peer, address: SocketAddr, limits: &Limits) -> Remote {
        Remote {
            who,
            address,
            outbox: Outbox::new(limits),
            words: Outbox::new(limits),
            up: watch::Sender::new(false),
            received: AtomicU64::new(0),
            heard: AtomicU64::new(0),
            rtt: AtomicU64::new(0),
            owed: AtomicU64::new(0),
            unanswered: AtomicU32::new(0),
            answered: AtomicU64::new(0),
            known: AtomicU64::new(0),
            silenced: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            reset: Notify::new(),
            hurry: Notify::new(),
            turn: Arc::default(),
        }
    }

    /// Whether the link stands.
    pub(crate) fn is_up(&self) -> bool {
        *self.up.borrow()
    }

    /// When the peer was last heard that hears this node, on the ground's clock.
    pub(crate) fn heard(&self) -> Duration {
        Duration::from_micros(self.heard.load(Ordering::Relaxed))
    }

    /// The last round trip, if there was one.
    pub(crate) fn rtt(&self) -> Option<Duration> {
        match self.rtt.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(Duration::from_micros(micros)),
        }
    }

    /// When the last ping was sent that it answered and that counts, on this node's clock; zero if there is none.
    pub(crate) fn answered(&self) -> Duration {
        Duration::from_micros(self.answered.load(Ordering::Relaxed))
    }

    /// From now on answers to its pings promise it something, or nothing.
    pub(crate) fn promises(&self, promises: bool) {
        self.silenced.store(!promises, Ordering::Relaxed);
    }

    /// Ends the connection that stands; another is made.
    pub(crate) fn reset(&self) {
        self.reset.notify_waiters();
    }

    /// The incarnation is no member any more: its connection ends and none is made again.
    pub(crate) fn end(&self) {
        self.gone.store(true, Ordering::Relaxed);
        self.reset();
    }

    /// Says something on the connection that stands, if one does.
    pub(crate) fn say(&self, control: &Control) {
        if !self.is_up() {
            return;
        }
        match codec::control(control) {
            Ok(frame) => self.words.push_control(&frame),
            Err(error) => tracing::error!(peer = %self.who.node, %error, "a control frame cannot be sent"),
        }
    }
}

/// Why a connection ended, or never was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error("nobody listens there")]
    Closed,
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("TLS: {0}")]
    Tls(String),
    #[error("the certificate has another name")]
    Name,
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Codec(#[from] CodecError),
    #[error("a frame out of turn")]
    Turn,
    #[error("a lane that nobody awaits any more")]
    Late,
    #[error("it refused: {0}")]
    Refused(Refusal),
    #[error("refused: {0}")]
    Refusing(Refusal),
    #[error("took too long")]
    Timeout,
    #[error("was reset")]
    Reset,
}

impl LinkError {
    /// The value of the metric's label.
    fn label(&self) -> &'static str {
        match self {
            LinkError::Closed | LinkError::Io(_) => "io",
            LinkError::Tls(_) => "tls",
            LinkError::Name => "name",
            LinkError::Frame(FrameError::Oversized(_)) => "oversized",
            LinkError::Frame(FrameError::Version(_)) => "version",
            LinkError::Frame(FrameError::Kind(_) | FrameError::Checksum) | LinkError::Codec(_) => "frame",
            LinkError::Turn => "frame",
            LinkError::Refused(refusal) | LinkError::Refusing(refusal) => refusal.label(),
            LinkError::Timeout | LinkError::Late => "timeout",
            LinkError::Reset => "reset",
        }
    }
}
