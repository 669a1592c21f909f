//! Sessions: from bind to end, over as many connections as it takes.

use std::time::Duration;

use serde::Serialize;

use crate::client::ClientId;

/// The place of a session in the history.
pub type LifeId = usize;

/// One session, which may have had many connections.
#[derive(Clone, Debug, Serialize)]
pub struct Life {
    /// Whose.
    pub client: ClientId,
    /// When it was bound.
    pub from: Duration,
    /// When it was lost, or closed by its client.
    pub to: Option<Duration>,
    /// The room it is in, and since when.
    pub room: Option<(usize, Duration)>,
}

/// A time without a connection that ended with the session going on.
#[derive(Clone, Debug, Serialize)]
pub struct Absence {
    /// Of which session.
    pub life: LifeId,
    /// When the client noticed that its connection was gone.
    pub from: Duration,
    /// When the session went on.
    pub to: Duration,
    /// At which node it had been.
    pub left: usize,
    /// Why it was gone.
    pub why: String,
    /// Which nodes it tried in vain, how long, and why it left them.
    pub tried: Vec<String>,
    /// At which node it went on.
    pub found: usize,
    /// What the server said that it had handled.
    pub h: u32,
}

/// A session that was not gone on with.
#[derive(Clone, Debug, Serialize)]
pub struct Refusal {
    /// Which.
    pub life: LifeId,
    /// When.
    pub at: Duration,
    /// At which node it had been.
    pub left: usize,
    /// When and why its connection there was lost.
    pub lost: Option<(Duration, String)>,
    /// Which node refused.
    pub node: usize,
    /// What it said.
    pub why: String,
}
