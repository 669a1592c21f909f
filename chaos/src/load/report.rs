//! What one run says.

use serde::Serialize;

use crate::client::Manners;
use crate::measure::{Faults, Memory, Percentiles, Processes};

/// What every load needs to know.
pub struct Scene {
    /// What clients do alike.
    pub manners: Manners,
    /// The processes of the server; none if only clients are measured.
    pub server: Processes,
    /// Seconds before the measurement.
    pub warm_up_seconds: f64,
    /// Seconds of measurement.
    pub seconds: f64,
    /// How many clients log in at the same time.
    pub concurrency: usize,
}

/// The figures of one run. Those that a load does not have are absent.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Which load.
    pub load: String,
    /// Clients that were logged in.
    pub clients: usize,
    /// Seconds that were measured.
    pub seconds: f64,
    /// Units of work in these seconds: messages or stanzas delivered, log-ins, sessions.
    pub units: u64,
    /// Units in a second.
    pub per_second: f64,
    /// Stanzas sent in a second, where one is delivered to many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_per_second: Option<f64>,
    /// CPU time of the server for one unit, in microseconds.
    pub server_cpu_us: f64,
    /// CPU time of the server for a message that was stored before and is handed over, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fetch_cpu_us: Option<f64>,
    /// Stored messages that are handed over in a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fetched_per_second: Option<f64>,
    /// CPU time of the generator for one unit, in microseconds.
    pub own_cpu_us: f64,
    /// CPU time of the server in one second of the clock, as a part of one core.
    pub server_cores: f64,
    /// From before a unit to after it, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<Percentiles>,
    /// From when a connection broke until its session was resumed, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume_ms: Option<Percentiles>,
    /// Connections that broke.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<u64>,
    /// Sessions that were resumed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumed: Option<u64>,
    /// Sessions that could not be resumed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<u64>,
    /// What was lost, doubled or reordered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub faults: Option<Faults>,
    /// Memory before the first session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Memory>,
    /// Memory with all sessions.
    pub memory: Memory,
    /// Memory for one session, in KiB resident.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss_kib_per_session: Option<f64>,
    /// Memory for one session, in KiB of the proportional set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pss_kib_per_session: Option<f64>,
    /// The part of the TLS handshakes that went on with an earlier session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_resumed: Option<f64>,
    /// Clients that failed.
    pub failed: u64,
    /// What the first of them said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}
