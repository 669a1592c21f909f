//! Which store, and how it is reached.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Bytes that may wait for a store by default.
const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Which store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Config {
    /// One file, shared by all nodes of one machine.
    Sqlite(SqliteConfig),
    /// A Redis that all nodes of all machines share.
    Redis(RedisConfig),
    /// Nothing outlives the process, and nothing is shared: for tests.
    Memory,
}

impl Default for Config {
    fn default() -> Self {
        Self::Sqlite(SqliteConfig::default())
    }
}

/// The embedded store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SqliteConfig {
    /// The database file. Its folder must exist, be writable and be on a local disk (WAL needs shared memory).
    /// Default `muster.sqlite`.
    pub path: PathBuf,
    /// What an acknowledged write outlives. Default `full`.
    pub synchronous: Synchronous,
    /// Bytes of questions and writes that may wait. Default 64 MiB.
    pub queue_bytes_max: usize,
}

impl Default for SqliteConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::from("muster.sqlite"),
            synchronous: Synchronous::Full,
            queue_bytes_max: QUEUE_BYTES_MAX,
        }
    }
}

/// What an acknowledged write outlives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Synchronous {
    /// The death of every process. After a power cut the last writes may be gone; the file stays whole.
    Normal,
    /// A power cut too: one `fsync` for each group of writes.
    #[default]
    Full,
}

/// The shared store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedisConfig {
    /// `host:port` of the server, of the sentinels, or of some nodes of the cluster. Default `127.0.0.1:6379`.
    pub addresses: Vec<String>,
    /// What listens there. Default `standalone`, which finds out by itself if it is a Redis Cluster.
    pub topology: Topology,
    /// The name of the master, with `topology = "sentinel"`. Default `mymaster`.
    pub sentinel_master: String,
    /// The database number; 0 with `topology = "cluster"`. Default 0.
    pub database: u32,
    /// The user to log in as (ACL). Default none.
    pub username: Option<String>,
    /// A file that holds the password. Default none.
    pub password_file: Option<PathBuf>,
    /// A file that holds the password of the sentinels. Default none.
    pub sentinel_password_file: Option<PathBuf>,
    /// Whether the connection is encrypted; certificates are checked against the system's authorities
    /// (`SSL_CERT_FILE` names others). Default false.
    pub tls: bool,
    /// What every key begins with, so that several clusters may share a server. Default `m`.
    pub prefix: String,
    /// Bytes of questions and writes that may wait. Default 64 MiB.
    pub queue_bytes_max: usize,
    /// How many replicas must have a write before it is acknowledged (`WAIT`). Costs a round trip between servers
    /// for each group of writes. 0 with a Redis Cluster. Default 0.
    pub replicas_min: u32,
    /// Milliseconds that a question or a write may take, connecting included. Default 5000.
    pub timeout_ms: u64,
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            addresses: vec!["127.0.0.1:6379".to_owned()],
            topology: Topology::Standalone,
            sentinel_master: "mymaster".to_owned(),
            database: 0,
            username: None,
            password_file: None,
            sentinel_password_file: None,
            tls: false,
            prefix: "m".to_owned(),
            queue_bytes_max: QUEUE_BYTES_MAX,
            replicas_min: 0,
            timeout_ms: 5_000,
        }
    }
}

impl RedisConfig {
    /// How long a question or a write may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

/// What kind of Redis it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Topology {
    /// One server.
    #[default]
    Standalone,
    /// A master and replicas, watched by sentinels.
    Sentinel,
    /// A Redis Cluster.
    Cluster,
}
