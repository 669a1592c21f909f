//! The handle: what the rest of the program sees of the cluster.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::{
    Config, Fate, Incarnation, Load, MoveError, NodeId, SendError, StartError, Status, Table, ViewRegister,
    ring,
};

/// What nodes send each other. Implemented for everything that fits.
pub trait Message: Serialize + DeserializeOwned + Send + 'static {}

impl<T: Serialize + DeserializeOwned + Send + 'static> Message for T {}

/// Takes what other nodes send.
pub trait Inbox<M>: Send + Sync + 'static {
    /// Takes one message. Called on the cluster's own thread, in order per peer; must not block.
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
    message: std::marker::PhantomData<fn(M)>,
}

#[derive(Debug)]
struct Shared {
    node: NodeId,
    incarnation: Incarnation,
    table: ring::Current,
    watch: watch::Sender<Arc<Table>>,
    fate: watch::Sender<Fate>,
}

impl<M> Clone for Cluster<M> {
    fn clone(&self) -> Cluster<M> {
        Cluster { shared: self.shared.clone(), message: std::marker::PhantomData }
    }
}

impl<M> fmt::Debug for Cluster<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("node", &self.shared.node).finish_non_exhaustive()
    }
}

impl<M: Message> Cluster<M> {
    /// How long [`Cluster::leave`] and its like wait for agreement.
    pub const AGREEMENT_TIME_MAX: Duration = Duration::from_secs(5);

    /// Binds the listeners, starts the cluster's thread, and begins to enter the view. Does not wait for the register:
    /// a store that is away is tried again.
    ///
    /// # Errors
    /// A certificate, key or address cannot be used.
    pub async fn start(
        config: Config,
        register: Arc<dyn ViewRegister>,
        inbox: Arc<dyn Inbox<M>>,
    ) -> Result<Cluster<M>, StartError> {
        let _ = (register, inbox);
        let shared = Arc::new(Shared {
            incarnation: config.incarnation.unwrap_or_else(Incarnation::now),
            node: config.node,
            table: ring::Current::new(ring::nothing()),
            watch: watch::Sender::new(ring::nothing()),
            fate: watch::Sender::new(Fate::Member),
        });
        Ok(Cluster { shared, message: std::marker::PhantomData })
    }

    /// The node's stable name.
    pub fn me(&self) -> &NodeId {
        &self.shared.node
    }

    /// This run of the node; [`Cluster::rejoin`] takes a new one.
    pub fn incarnation(&self) -> Incarnation {
        self.shared.incarnation
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
        let _ = to;
        Err(SendError::Unreachable(message))
    }

    /// Waits until this node is up: it owns slots.
    ///
    /// # Errors
    /// Ousted or stopped meanwhile. Waits as long as it takes otherwise.
    pub async fn join(&self) -> Result<(), MoveError> {
        Err(MoveError::Stopped)
    }

    /// Asks for the state Draining, in which others take over this node's slots, and waits until the view says so.
    ///
    /// # Errors
    /// Ousted, stopped, or no agreement in time.
    pub async fn drain(&self) -> Result<(), MoveError> {
        Err(MoveError::Stopped)
    }

    /// Leaves in order: down in the view without any suspicion, links closed, thread ended.
    ///
    /// # Errors
    /// The register could not be told in time; the thread has ended all the same.
    pub async fn leave(&self) -> Result<(), MoveError> {
        Err(MoveError::Stopped)
    }

    /// After [`Fate::Ousted`]: enters the view again as a new incarnation.
    ///
    /// # Errors
    /// Stopped.
    pub async fn rejoin(&self) -> Result<Incarnation, MoveError> {
        Err(MoveError::Stopped)
    }

    /// Takes a member that is down out of the view for good; its slots are spread anew.
    ///
    /// # Errors
    /// It is not a member that is down, or no agreement in time.
    pub async fn forget(&self, node: &NodeId) -> Result<(), MoveError> {
        Err(MoveError::NotDown(node.clone()))
    }

    /// Ends the thread and closes all sockets at once, telling nobody: to others, this process died.
    pub fn stop(&self) {
        self.shared.fate.send_replace(Fate::Stopped);
    }

    /// The cluster as this node sees it.
    pub fn status(&self) -> Status {
        Status {
            epoch: self.table().epoch(),
            me: self.shared.node.clone(),
            incarnation: self.incarnation(),
            register: false,
            members: Vec::new(),
        }
    }

    /// Tells others by gossip what this node carries.
    pub fn report_load(&self, load: Load) {
        let _ = load;
    }

    /// Whether it is up in the view, knows the register, and has links to a majority.
    pub fn is_ready(&self) -> bool {
        false
    }
}
