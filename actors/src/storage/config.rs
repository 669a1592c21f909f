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
    /// `redis://[user@]host:port[/database]`, or `rediss://` for TLS: of the server, of some nodes of a Redis Cluster,
    /// or of the sentinels. With TLS certificates are checked against the system's authorities; the environment
    /// variable `SSL_CERT_FILE` names others. Default `redis://127.0.0.1:6379`.
    pub urls: Vec<String>,
    /// The name of the master that the sentinels watch; the addresses are then those of the sentinels. Default none.
    pub sentinel_master: Option<String>,
    /// A file that holds the password of the servers. Default none.
    pub password_file: Option<PathBuf>,
    /// A file that holds the password of the sentinels. Default none.
    pub sentinel_password_file: Option<PathBuf>,
    /// What every key begins with, so that several clusters may share a server. Default `m`.
    pub prefix: String,
    /// How many replicas must have a write before it is acknowledged (`WAIT`). Costs a round trip between servers
    /// for each group of writes. Default 0.
    pub replicas_min: u32,
    /// Bytes of questions and writes that may wait. Default 64 MiB.
    pub queue_bytes_max: usize,
    /// How long a question or a write may take, connecting included. Default 5 s.
    pub timeout: Duration,
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            urls: vec!["redis://127.0.0.1:6379".to_owned()],
            sentinel_master: None,
            password_file: None,
            sentinel_password_file: None,
            prefix: "m".to_owned(),
            replicas_min: 0,
            queue_bytes_max: QUEUE_BYTES_MAX,
            timeout: Duration::from_secs(5),
        }
    }
}
