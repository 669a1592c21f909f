//! What happened in a run, as clients and a look at each node saw it: what invariants read.

mod fault;
mod lives;
mod messages;
mod samples;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

pub use fault::{Incident, Step};
pub use lives::{Absence, Life, LifeId, Refusal};
pub use messages::{Kind, Message, MessageId, Receipt};
pub use samples::{NodeSample, Sample};
use serde::Serialize;

use crate::client::ClientId;
use crate::site::Written;

/// Everything that is known of a run.
#[derive(Debug, Default, Serialize)]
pub struct History {
    /// Messages, in the order in which they were composed.
    pub messages: Vec<Message>,
    /// What arrived, in the order in which it did.
    pub receipts: Vec<Receipt>,
    /// Sessions, in the order in which they began.
    pub lives: Vec<Life>,
    /// Times that a session was without a connection.
    pub absences: Vec<Absence>,
    /// Sessions that the server did not go on with.
    pub refusals: Vec<Refusal>,
    /// Faults, in order.
    pub incidents: Vec<Incident>,
    /// Looks at the nodes, in order.
    pub samples: Vec<Sample>,
    /// What owners wrote, in order.
    pub writes: Vec<Written>,
    /// Roster changes.
    pub changes: Vec<Change>,
    /// Log-ins of the churn.
    pub log_ins: Vec<LogIn>,
    /// What must hold and was found not to, by those who saw it happen.
    pub complaints: Vec<Complaint>,
    /// What was found at rest, once all was healed.
    pub rest: Rest,
}

/// A change of a roster (RFC 6121 §2.3): an item was given a name.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// Whose roster.
    pub client: ClientId,
    /// Which contact.
    pub contact: usize,
    /// The name: it says which change this was.
    pub number: u64,
    /// When the server said that it is done; before that, and without it, it may be.
    pub done_at: Option<Duration>,
}

/// A try to log in.
#[derive(Clone, Debug, Serialize)]
pub struct LogIn {
    /// When.
    pub at: Duration,
    /// Where.
    pub node: usize,
    /// How long it took, if it succeeded.
    pub took: Option<Duration>,
}

/// Something wrong that only who saw it can tell.
#[derive(Clone, Debug, Serialize)]
pub struct Complaint {
    /// When.
    pub at: Duration,
    /// The invariant that it is about.
    pub about: &'static str,
    /// What was seen.
    pub what: String,
}

/// What was found at rest.
#[derive(Debug, Default, Serialize)]
pub struct Rest {
    /// When all faults were healed.
    pub healed_at: Duration,
    /// For each room: its address, who should be in it, who is.
    pub rooms: Vec<RoomAtRest>,
    /// Log-ins of newcomers and what they sent themselves, by node: what failed.
    pub newcomers: Vec<(usize, Result<(), String>)>,
    /// Messages left for somebody who was away, and acknowledged.
    pub left_for_absent: usize,
    /// How many of them were there after everything had been restarted.
    pub read_by_absent: usize,
    /// Rosters as they were read after everything had been restarted: client, contact, name.
    pub rosters: Vec<(ClientId, usize, u64)>,
    /// Whose roster could be read.
    pub rosters_read: Vec<ClientId>,
    /// Whether everything was restarted.
    pub restarted: bool,
    /// For each session that lives: how many stanzas it sent, and how many the server says that it handled.
    pub counts: Vec<(LifeId, u32, u32)>,
}

/// One room.
#[derive(Debug, Serialize)]
pub struct RoomAtRest {
    /// Its address.
    pub address: String,
    /// Nicknames of those whose sessions live and that entered.
    pub should: Vec<String>,
    /// Nicknames that the room tells; nothing if it did not answer.
    pub are: Option<Vec<String>>,
}

/// A history that several threads write.
#[derive(Clone)]
pub struct Chronicle {
    begin: Instant,
    history: Arc<Mutex<History>>,
}

impl Default for Chronicle {
    fn default() -> Self {
        Self { begin: Instant::now(), history: Arc::default() }
    }
}

impl Chronicle {
    /// Time since the beginning.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.begin.elapsed()
    }

    /// The history, for as long as the answer lives.
    ///
    /// # Panics
    /// Another thread panicked while it wrote.
    pub fn write(&self) -> MutexGuard<'_, History> {
        self.history.lock().expect("who panics here ends the run")
    }
}
