//! Faults as they were made.

use std::time::Duration;

use serde::Serialize;

/// One fault, from its beginning to a whole cluster.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Incident {
    /// Its name.
    pub fault: &'static str,
    /// What it was this time.
    pub what: String,
    /// When it struck.
    pub from: Duration,
    /// When it was withdrawn.
    pub healed: Option<Duration>,
    /// When every node was ready again and agreed with all others.
    pub whole: Option<Duration>,
    /// Nodes that it hit.
    pub nodes: Vec<usize>,
    /// What happened in it.
    pub steps: Vec<Step>,
}

/// A moment of a fault.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// When.
    pub at: Duration,
    /// What.
    pub what: String,
}
