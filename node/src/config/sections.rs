//! The sections of the configuration file, with their defaults. `muster.toml` at the root says what each key costs.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use muster_actors::Guards;
use muster_actors::storage::Config as Storage;
use muster_proto::options::Limits;
use muster_proto::sasl::ITERATIONS;
use serde::{Deserialize, Serialize};

/// The whole file.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Sections {
    pub(super) node: Node,
    pub(super) domain: Vec<Domain>,
    pub(super) listener: Vec<Listener>,
    pub(super) tls: Tls,
    pub(super) auth: Auth,
    pub(super) storage: Storage,
    pub(super) cluster: Cluster,
    pub(super) limits: Limits,
    pub(super) guards: Guards,
    pub(super) log: Log,
    pub(super) metrics: Metrics,
    pub(super) admin: Admin,
}

/// Who this node is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Node {
    /// Its name, stable over restarts and unique in the cluster.
    pub id: String,
    /// Its failure domain: copies are kept in another zone where there is one.
    pub zone: String,
    /// What it does.
    pub roles: Vec<Role>,
    /// Its share of the slots, in percent of a normal node's.
    pub weight: u16,
    /// The folder of its own files.
    pub data: PathBuf,
    /// Threads that run sessions, rooms and sockets; 0 is one per core.
    pub arbiters: usize,
    /// Seconds that a drain may take before the node stops anyway.
    pub drain_seconds_max: u64,
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Holds sockets.
    Edge,
    /// Holds sessions and rooms.
    Core,
    /// Holds sessions.
    Sessions,
    /// Holds rooms.
    Rooms,
}

/// One domain (virtual host).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// Where its rooms are; `conference.<name>` if empty.
    pub conference: String,
    /// Accounts that may administer it.
    pub admins: Vec<String>,
    /// Whether anybody may come in without an account.
    pub anonymous: bool,
    /// Whether anybody may register an account.
    pub registration: bool,
}

/// One address that the node listens on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Listener {
    /// For whom.
    pub kind: Kind,
    /// IP address and port.
    pub address: SocketAddr,
    /// How it is encrypted. Only for clients; links and gossip always are.
    pub tls: ListenerTls,
    /// Whether the limits of `[guards]` hold here. Only for clients.
    pub guarded: bool,
    /// Whether the admin API answers here. Only for HTTP on a loopback address.
    pub admin: bool,
}

/// Whom a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// XMPP clients.
    Client,
    /// Metrics, health, and the admin API.
    Http,
    /// Other nodes: what they tell each other (TCP).
    Link,
    /// Other nodes: who is there (UDP).
    Gossip,
    /// External components (XEP-0114).
    Component,
    /// Other servers.
    Server,
}

/// How a client listener is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ListenerTls {
    /// It begins in the clear and must change to TLS before log-in (RFC 6120 §5).
    StartTls,
    /// It begins with TLS (XEP-0368).
    Direct,
    /// Never.
    None,
}

/// Certificates for clients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// PEM file: the certificate, then those between it and its authority.
    pub certificate: Option<PathBuf>,
    /// PEM file: its private key.
    pub key: Option<PathBuf>,
    /// PEM file: authorities whose client certificates are accepted (SASL EXTERNAL).
    pub client_ca: Option<PathBuf>,
    /// The oldest version of TLS that is spoken.
    pub version_min: TlsVersion,
    /// Seconds between looks at the files; a change is taken up without a restart.
    pub reload_seconds: u64,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TlsVersion {
    /// RFC 5246.
    #[serde(rename = "1.2")]
    V1_2,
    /// RFC 8446.
    #[serde(rename = "1.3")]
    V1_3,
}

/// How users prove who they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// File of at least 16 bytes that makes unknown accounts look like known ones, the same on every node.
    pub secret_file: Option<PathBuf>,
    /// Rounds of PBKDF2 for passwords that are set from now on.
    pub iterations: u32,
    /// Accounts whose keys are remembered, so that they can log in while the store is away.
    pub remembered_max: usize,
    /// Seconds after the store confirmed them that their keys may be used without it.
    pub remembered_seconds_max: u64,
}

/// The other nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cluster {
    /// Its name; nodes of another name are not heard.
    pub name: String,
    /// File of the key that seals gossip: at least 32 bytes, the same on every node.
    pub key_file: Option<PathBuf>,
    /// PEM file: authorities of the other nodes.
    pub ca: Option<PathBuf>,
    /// PEM file: this node's certificate, which names its id.
    pub certificate: Option<PathBuf>,
    /// PEM file: its private key.
    pub key: Option<PathBuf>,
    /// Gossip addresses to begin with: `host:port`, where a host may be a DNS name of many nodes.
    pub seeds: Vec<String>,
    /// The address that others reach this node at; that of its listeners if absent.
    pub advertise: Option<IpAddr>,
    /// Seconds that clients are kept while this node is cut off from most others.
    pub fenced_seconds_max: u64,
    /// How many nodes must hold what is acknowledged: 1 serves on with one copy where there is no second, 2 waits.
    pub min_copies: u8,
}

/// The admin API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// A Unix socket that it answers on, for its user alone; beside the loopback HTTP listeners that have it.
    pub socket: Option<PathBuf>,
}

/// What is logged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// For people or for programs.
    pub format: LogFormat,
    /// What is said: a level, or `target=level` and commas.
    pub level: String,
    /// Whether addresses of users are written.
    pub jids: bool,
}

/// For whom log lines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one object a line.
    Json,
}

/// What is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// Upper bounds of the buckets of every histogram of seconds.
    pub buckets_seconds: Vec<f64>,
}

impl Default for Node {
    fn default() -> Self {
        Self {
            id: "muster-0".into(),
            zone: "default".into(),
            roles: vec![Role::Edge, Role::Core],
            weight: 100,
            data: "/var/lib/muster".into(),
            arbiters: 0,
            drain_seconds_max: 60,
        }
    }
}

impl Default for Listener {
    fn default() -> Self {
        Self {
            kind: Kind::Client,
            // Refused by the check, so that no listener is without an address of its own.
            address: SocketAddr::from(([0, 0, 0, 0], 0)),
            tls: ListenerTls::StartTls,
            guarded: true,
            admin: true,
        }
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            certificate: None,
            key: None,
            client_ca: None,
            version_min: TlsVersion::V1_2,
            reload_seconds: 60,
        }
    }
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            secret_file: None,
            iterations: ITERATIONS,
            remembered_max: 10_000,
            remembered_seconds_max: 3_600,
        }
    }
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            name: "muster".into(),
            key_file: None,
            ca: None,
            certificate: None,
            key: None,
            seeds: Vec::new(),
            advertise: None,
            fenced_seconds_max: 2,
            min_copies: 1,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".into(), jids: true }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self { buckets_seconds: vec![0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0] }
    }
}

impl Listener {
    /// Whether the admin API answers here.
    pub fn has_admin(&self) -> bool {
        self.kind == Kind::Http && self.admin && self.address.ip().is_loopback()
    }
}

impl Sections {
    /// Makes relative paths relative to the file's folder.
    pub(super) fn resolve_paths(&mut self, folder: &Path) {
        let optional = [
            &mut self.tls.certificate,
            &mut self.tls.key,
            &mut self.tls.client_ca,
            &mut self.auth.secret_file,
            &mut self.admin.socket,
            &mut self.storage.ca,
            &mut self.storage.password_file,
            &mut self.storage.sentinel_password_file,
            &mut self.cluster.key_file,
            &mut self.cluster.ca,
            &mut self.cluster.certificate,
            &mut self.cluster.key,
        ];
        let given = [&mut self.node.data, &mut self.storage.path];
        for path in optional.into_iter().flatten().chain(given) {
            *path = folder.join(&*path);
        }
    }
}
