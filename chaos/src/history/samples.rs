//! Looks at the nodes, several a second.

use std::time::Duration;

use serde::Serialize;

use crate::site::Member;

/// One look at all nodes.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    /// When.
    pub at: Duration,
    /// What each node said; nothing if it does not run or does not answer.
    pub nodes: Vec<Option<NodeSample>>,
}

/// What one node said.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NodeSample {
    /// Which process.
    pub pid: u32,
    /// Whether it says that clients may be sent to it.
    pub ready: bool,
    /// The epoch that it acts by.
    pub epoch: u64,
    /// The epoch of the newest view that it knows.
    pub view_epoch: u64,
    /// The members of that view.
    pub members: Vec<Member>,
    /// Slots on their way to it or from it.
    pub moving: usize,
    /// Slots with one copy, if it tells.
    pub under_replicated: Option<u64>,
    /// Resident memory, in KiB.
    pub rss_kib: u64,
}
