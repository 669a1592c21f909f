//! Which store, and how it is reached: the `[storage]` section. `muster.toml` at the root says what each key costs.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Which store, and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Which store.
    pub kind: Kind,
    /// Bytes of questions and writes that may wait; beyond that senders are told to wait. Default 64 MiB.
    pub queue_bytes_max: usize,
    /// Seconds that a write may wait for a store that is away; then its sender is told to wait. Default 30.
    pub queue_seconds_max: u64,
    /// SQLite: the database file. Its folder must exist, be writable and be on a local disk (WAL needs shared memory).
    pub path: PathBuf,
    /// SQLite: what an acknowledged write outlives. Default `full`.
    pub synchronous: Synchronous,
    /// Redis: `host:port` of the server, of the sentinels, or of some nodes of the cluster. Default `127.0.0.1:6379`.
    pub addresses: Vec<String>,
    /// Redis: what listens there. Default `standalone`, which finds out by itself if it is a Redis Cluster.
    pub topology: Topology,
    /// Redis: the name of the master, with `topology = "sentinel"`. Default `mymaster`.
    pub sentinel_master: String,
    /// Redis: the database number; 0 with `topology = "cluster"`. Default 0.
    pub database: u32,
    /// Redis: the user to log in as (ACL). Default none.
    pub username: Option<String>,
    /// Redis: a file that holds the password. Default none.
    pub password_file: Option<PathBuf>,
    /// Redis: a file that holds the password of the sentinels. Default none.
    pub sentinel_password_file: Option<PathBuf>,
    /// Redis: whether the connection is encrypted. Default false.
    pub tls: bool,
    /// Redis: PEM file of the authorities that its certificate is checked against. Default those of the system.
    pub ca: Option<PathBuf>,
    /// Redis: what every key begins with, so that several clusters may share a server. Default `m`.
    pub prefix: String,
    /// Redis: how many replicas must have a write before it is acknowledged (`WAIT`). Costs a round trip between servers
    /// for each group of writes. 0 with a Redis Cluster. Default 0.
    pub replicas_min: u32,
    /// Redis: milliseconds that an attempt may take, connecting included. Default 5000.
    pub timeout_ms: u64,
    /// Redis: seconds of acknowledged writes that are kept, and written again after the connection was lost: another
    /// server may have taken over that never had them. Default 10.
    pub tail_seconds_max: u64,
    /// Redis: bytes of them, for each lane (a Redis Cluster has 16). Default 16 MiB.
    pub tail_bytes_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            kind: Kind::Sqlite,
            queue_bytes_max: 64 * 1024 * 1024,
            queue_seconds_max: 30,
            path: "/var/lib/muster/muster.db".into(),
            synchronous: Synchronous::Full,
            addresses: vec!["127.0.0.1:6379".to_owned()],
            topology: Topology::Standalone,
            sentinel_master: "mymaster".to_owned(),
            database: 0,
            username: None,
            password_file: None,
            sentinel_password_file: None,
            tls: false,
            ca: None,
            prefix: "m".to_owned(),
            replicas_min: 0,
            timeout_ms: 5_000,
            tail_seconds_max: 10,
            tail_bytes_max: 16 * 1024 * 1024,
        }
    }
}

impl Config {
    /// How long a write may wait for a store that is away.
    pub fn queue_time(&self) -> Duration {
        Duration::from_secs(self.queue_seconds_max)
    }

    /// How long an attempt may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// How long an acknowledged write is kept.
    pub fn tail_time(&self) -> Duration {
        Duration::from_secs(self.tail_seconds_max)
    }
}

/// Which store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One file, shared by all nodes of one machine.
    Sqlite,
    /// A Redis that all nodes of all machines share.
    Redis,
    /// Nothing outlives the process, and nothing is shared: for tests.
    #[serde(skip)]
    Memory,
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
