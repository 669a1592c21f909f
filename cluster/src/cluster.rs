//! The handle: what the rest of the program sees of the cluster.

use std::cell::RefCell;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::council::Wish;
use crate::life::Command;
use crate::link::{Ends, Lanes, Outbox, Sink};
use crate::shared::{Addresses, Shared};
use crate::simulation::Ether;
use crate::tls::Tls;
use crate::wire::codec::{self, CodecError};
use crate::wire::frame::Kind;
use crate::{
    Config, Fate, Incarnation, Load, MoveError, NodeId, SendError, StartError, State, Status, Table,
    TlsMaterial, View, ViewRegister, metrics as names, thread,
};

/// What nodes send each other. Implemented for everything that fits.
pub trait Message: Serialize + DeserializeOwned + Send + 'static {}

impl<T: Serialize + DeserializeOwned + Send + 'static> Message for T {}

/// A sender's buffer is given back to this size, in bytes.
const FRAME_KEPT_MAX: usize = 64 << 10;

/// Takes what other nodes send.
pub trait Inbox<M>: Send + Sync + 'static {
    /// Takes one message. Called in order per peer, on the thread that was given for links, or else the cluster's own; must
    /// not block.
    fn receive(&self, from: &Peer, message: M);
}

/// Who sent a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Peer {
    /// The node's stable name.
    pub node: NodeId,
    /// The run of its process.
    pub incarnation: Incarnation,
}

/// A node's place in its cluster. Cloning is cheap; the cluster runs on its own thread until [`Cluster::leave`],
/// [`Cluster::stop`], or the last handle is dropped.
pub struct Cluster<M> {
    shared: Arc<Shared>,
    /// The thread ends when the last sender is dropped.
    commands: mpsc::UnboundedSender<Command>,
    addresses: Option<Addresses>,
    message: std::marker::PhantomData<fn(M)>,
}

impl<M> Clone for Cluster<M> {
    fn clone(&self) -> Cluster<M> {
        Cluster {
            shared: self.shared.clone(),
            commands: self.commands.clone(),
            addresses: self.addresses,
            message: std::marker::PhantomData,
        }
    }
}

impl<M> fmt::Debug for Cluster<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("node", &self.shared.node).finish_non_exhaustive()
    }
}

/// Decodes messages for the application's inbox.
struct Decoded<M>(Arc<dyn Inbox<M>>);

impl<M: Message> Sink for Decoded<M> {
    fn take(&self, from: &Peer, payload: &[u8]) -> Result<(), CodecError> {
        self.0.receive(from, codec::take(payload)?);
        Ok(())
    }
}

impl<M: Message> Cluster<M> {
    /// How long [`Cluster::leave`] and its like wait for agreement.
    pub const AGREEMENT_TIME_MAX: Duration = Duration::from_secs(5);

    /// Binds the listeners, starts the cluster's thread, and begins to enter the view as [`State::Joining`]. Does not
    /// wait for the register: a store that is away is tried again. Messages are read and written on `threads`, each peer's on
    /// one of them; without any, on the cluster's own.
    ///
    /// # Errors
    /// A certificate, key or address cannot be used.
    pub async fn start(
        config: Config,
        register: Arc<dyn ViewRegister>,
        inbox: Arc<dyn Inbox<M>>,
        threads: Vec<Handle>,
    ) -> Result<Cluster<M>, StartError> {
        names::describe();
        let shared = Arc::new(Shared::new(&config)?);
        let (commands, receiver) = mpsc::unbounded_channel();
        let ends = Ends { sink: Arc::new(Decoded(inbox)), lanes: Arc::new(Lanes::new(threads)) };
        let addresses = thread::start(config, shared.clone(), register, ends, receiver).await?;
        Ok(Cluster { shared, commands, addresses, message: std::marker::PhantomData })
    }

    /// As [`Cluster::start`], for a simulation: in the caller's local set, which must be entered.
    ///
    /// # Errors
    /// The configuration cannot be used.
    pub fn simulate(
        config: Config,
        register: Arc<dyn ViewRegister>,
        inbox: Arc<dyn Inbox<M>>,
        ether: Arc<dyn Ether>,
    ) -> Result<Cluster<M>, StartError> {
        let shared = Arc::new(Shared::new(&config)?);
        let (commands, receiver) = mpsc::unbounded_channel();
        let ends = Ends { sink: Arc::new(Decoded(inbox)), lanes: Arc::new(Lanes::new(Vec::new())) };
        thread::simulate(config, shared.clone(), register, ends, receiver, ether);
        Ok(Cluster { shared, commands, addresses: None, message: std::marker::PhantomData })
    }

    /// The node's stable name.
    pub fn me(&self) -> &NodeId {
        &self.shared.node
    }

    /// This run of the node; [`Cluster::rejoin`] takes a new one.
    pub fn incarnation(&self) -> Incarnation {
        self.shared.incarnation()
    }

    /// Where others reach this node. None without a network.
    pub fn addresses(&self) -> Option<Addresses> {
        self.addresses
    }

    /// The current table: a few nanoseconds, fit for every message.
    pub fn table(&self) -> Arc<Table> {
        self.shared.table.load_full()
    }

    /// Tells of each new table.
    pub fn watch(&self) -> watch::Receiver<Arc<Table>> {
        self.shared.watch.subscribe()
    }

    /// Tells when this incarnation was put out of the cluster, or stopped.
    pub fn fate(&self) -> watch::Receiver<Fate> {
        self.shared.fate.subscribe()
    }

    /// Sends to another node: first in, first out per peer; nothing is lost and nothing doubled while both
    /// incarnations live and are members, also over a link that breaks.
    ///
    /// # Errors
    /// The peer's outbox is full, the peer is not a member, or the message is too large; the message is given back.
    pub fn send(&self, to: Incarnation, message: M) -> Result<(), SendError<M>> {
        self.push(to, message, Outbox::push)
    }

    /// The same for what is better refused than begun: it is when the outbox is three quarters full, so that what others
    /// have begun still comes to its end.
    ///
    /// # Errors
    /// As [`Cluster::send`].
    pub fn offer(&self, to: Incarnation, message: M) -> Result<(), SendError<M>> {
        self.push(to, message, Outbox::offer)
    }

    fn push(
        &self,
        to: Incarnation,
        message: M,
        push: impl FnOnce(&Outbox, &[u8]) -> bool,
    ) -> Result<(), SendError<M>> {
        thread_local! {
            static FRAME: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        let remotes = self.shared.remotes.load();
        let Some(remote) = remotes.get(&to) else { return Err(SendError::Unreachable(message)) };
        // Encoded before the outbox is locked, so that senders do not wait for each other's encoding.
        FRAME.with_borrow_mut(|frame| {
            frame.clear();
            frame.shrink_to(FRAME_KEPT_MAX);
            if codec::put(frame, Kind::Message, &message, self.shared.message_bytes_max).is_err() {
                return Err(SendError::TooLarge(message));
            }
            if push(&remote.outbox, frame) {
                return Ok(());
            }
            metrics::counter!(names::FULL).increment(1);
            Err(SendError::Full(message))
        })
    }

    /// Whether what is offered to that incarnation would be refused now as [`SendError::Full`].
    pub fn is_full(&self, to: Incarnation) -> bool {
        self.shared.remotes.load().get(&to).is_some_and(|remote| remote.outbox.is_nearly_full())
    }

    /// Whether any outbox would be half full with so many bytes more: time for those who send much to wait.
    pub fn is_strained(&self, more: usize) -> bool {
        self.shared.remotes.load().values().any(|remote| remote.outbox.is_half_full(more))
    }

    /// Waits until this node is up: it owns slots.
    ///
    /// # Errors
    /// Ousted or stopped meanwhile. Waits as long as it takes otherwise.
    pub async fn join(&self) -> Result<(), MoveError> {
        self.ask(Command::Wish(Wish::Up))?;
        self.wait(|view, me| view.member_of(me).is_some_and(|m| m.state == State::Up)).await
    }

    /// Asks for the state Draining, in which others take over this node's slots, and waits until the view says so.
    /// [`Cluster::join`] takes it back.
    ///
    /// # Errors
    /// Ousted, stopped, or no agreement in time.
    pub async fn drain(&self) -> Result<(), MoveError> {
        self.ask(Command::Wish(Wish::Draining))?;
        self.wait_in_time(|view, me| view.member_of(me).is_some_and(|m| m.state == State::Draining)).await
    }

    /// Leaves in order: what was sent is confirmed by the peers, the view says Down without any suspicion, links are
    /// closed, the thread ends.
    ///
    /// # Errors
    /// The register could not be told in time; the thread ends all the same.
    pub async fn leave(&self) -> Result<(), MoveError> {
        let mut fate = self.fate();
        self.ask(Command::Wish(Wish::Gone))?;
        match timeout(Self::AGREEMENT_TIME_MAX, fate.wait_for(|f| *f == Fate::Stopped)).await {
            Ok(_) => Ok(()),
            Err(_) => {
                self.stop();
                Err(MoveError::Timeout)
            }
        }
    }

    /// After [`Fate::Ousted`]: enters the view again as a new incarnation, which it returns. It wants what the old one
    /// wanted: if that had joined, it goes up by itself.
    ///
    /// # Errors
    /// Stopped.
    pub async fn rejoin(&self) -> Result<Incarnation, MoveError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Command::Rejoin(reply))?;
        answer.await.map_err(|_| MoveError::Stopped)
    }

    /// Takes a member that is down out of the view for good; its place in the preference lists goes with it.
    ///
    /// # Errors
    /// It is not a member that is down, or no agreement in time.
    pub async fn forget(&self, node: &NodeId) -> Result<(), MoveError> {
        if self.table().member(node).is_none_or(|m| m.state != State::Down) {
            return Err(MoveError::NotDown(node.clone()));
        }
        self.ask(Command::Forget(node.clone()))?;
        self.wait_in_time(|view, _| view.member(node).is_none()).await
    }

    /// Ends the thread and closes all sockets at once, telling nobody: to others, this process died.
    pub fn stop(&self) {
        // If nobody hears it, the thread has ended already.
        let _ = self.ask(Command::Stop);
    }

    /// The cluster as this node sees it.
    pub fn status(&self) -> Status {
        self.shared.status()
    }

    /// Tells others by gossip what this node carries.
    pub fn report_load(&self, load: Load) {
        *self.shared.load.lock().unwrap_or_else(PoisonError::into_inner) = load;
    }

    /// Whether it is up in the view, knows the register, has links to a majority, and holds its lease.
    pub fn is_ready(&self) -> bool {
        self.shared.ready.load(Ordering::Relaxed) && self.shared.holds_lease()
    }

    /// Whether this node may act as an owner now: lately enough of the others have promised not to put it down. Fit for
    /// every message.
    pub fn holds_lease(&self) -> bool {
        self.shared.holds_lease()
    }

    /// Uses other certificates for links made from now on. Without a network it only checks them.
    ///
    /// # Errors
    /// They cannot be used; the old ones stay.
    pub fn reload_tls(&self, material: &TlsMaterial) -> Result<(), StartError> {
        let tls = Tls::new(material, &self.shared.node)?;
        if self.addresses.is_some() {
            self.shared.tls.store(Arc::new(Some(tls)));
        }
        Ok(())
    }

    fn ask(&self, command: Command) -> Result<(), MoveError> {
        self.commands.send(command).map_err(|_| MoveError::Stopped)
    }

    async fn wait_in_time(&self, is_so: impl Fn(&View, Incarnation) -> bool) -> Result<(), MoveError> {
        timeout(Self::AGREEMENT_TIME_MAX, self.wait(is_so)).await.unwrap_or(Err(MoveError::Timeout))
    }

    async fn wait(&self, is_so: impl Fn(&View, Incarnation) -> bool) -> Result<(), MoveError> {
        let (mut watch, mut fate) = (self.watch(), self.fate());
        tokio::select! {
            biased;
            seen = watch.wait_for(|table| is_so(table.view(), self.incarnation())) => {
                seen.map(|_| ()).map_err(|_| MoveError::Stopped)
            }
            seen = fate.wait_for(|f| *f != Fate::Member) => Err(match seen.as_deref() {
                Ok(Fate::Ousted) => MoveError::Ousted,
                _ => MoveError::Stopped,
            }),
        }
    }
}
