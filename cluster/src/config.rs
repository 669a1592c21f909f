//! What a node is told about itself and its cluster. Every limit is finite.

use std::net::SocketAddr;
use std::time::Duration;

use crate::{Incarnation, NodeId, Roles};

/// What a node is, and how it reaches others.
#[derive(Clone, Debug)]
pub struct Config {
    /// The node's stable name.
    pub node: NodeId,
    /// This run of the process. None: the clock's microseconds.
    pub incarnation: Option<Incarnation>,
    /// Where it stands physically; copies prefer different zones. May be empty.
    pub zone: String,
    /// What it does. Default all.
    pub roles: Roles,
    /// Its share of slots, in percent of a normal node's. Default 100; 0 owns nothing.
    pub weight: u16,
    /// The software's version, told to others by gossip.
    pub version: String,
    /// How it reaches others. None: it is the only node, binds nothing and gossips with nobody.
    pub network: Option<Network>,
    /// What peers may cost.
    pub limits: Limits,
}

impl Config {
    /// A node alone: all roles, no network.
    pub fn alone(node: NodeId) -> Config {
        Config {
            node,
            incarnation: None,
            zone: String::new(),
            roles: Roles::all(),
            weight: 100,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            network: None,
            limits: Limits::default(),
        }
    }
}

/// How a node reaches others.
#[derive(Clone, Debug)]
pub struct Network {
    /// The cluster's name. Nodes of another name are refused.
    pub cluster_id: String,
    /// Where gossip listens (UDP), and where others reach it.
    pub gossip: Endpoint,
    /// Where links listen (TCP), and where others reach them.
    pub link: Endpoint,
    /// Gossip addresses to begin with, `host:port` each; names are resolved again and again. The own address may be among them.
    pub seeds: Vec<String>,
    /// The key of the cluster, at least 32 bytes. Without it nobody joins and nobody reads.
    pub gossip_key: Secret,
    /// Certificates of the links.
    pub tls: TlsMaterial,
}

/// An address to bind and the address that others use. Port 0 takes any free port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The address to bind.
    pub bind: SocketAddr,
    /// The address told to others. None: the bound one.
    pub advertise: Option<SocketAddr>,
}

impl Endpoint {
    /// Binds and tells the same address.
    pub fn at(bind: SocketAddr) -> Endpoint {
        Endpoint { bind, advertise: None }
    }
}

/// Bytes that are never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

/// Certificates of the links, as PEM.
///
/// The node's certificate must carry its node id as a DNS name in its subjectAltName, and serve both as a server's and as
/// a client's.
#[derive(Clone, Debug)]
pub struct TlsMaterial {
    /// The authority, or authorities, that issue the nodes' certificates.
    pub ca: Vec<u8>,
    /// The node's certificate, then its intermediates.
    pub chain: Vec<u8>,
    /// Its private key.
    pub key: Secret,
}

/// What peers may cost. The defaults hold for clusters of up to a hundred nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest message to another node, in bytes. Default and most: 1 MiB.
    pub message_bytes_max: usize,
    /// What waits for one peer, sent and not yet confirmed included, in bytes: from a half on rooms wait ([`crate::Cluster::is_strained`]),
    /// from three quarters on nothing new is begun ([`crate::Cluster::offer`]). Default 128 MiB.
    pub outbox_bytes_max: usize,
    /// The same in messages. Default 262,144.
    pub outbox_messages_max: usize,
    /// Connections to the link listener that have not proved who they are. Default 64.
    pub greetings_max: usize,
    /// How long such a connection may take. Default 5 s.
    pub greeting_time_max: Duration,
    /// How long a peer may be silent before it is taken for dead. Default 2.5 s.
    pub silence_max: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            message_bytes_max: 1 << 20,
            outbox_bytes_max: 128 << 20,
            outbox_messages_max: 262_144,
            greetings_max: 64,
            greeting_time_max: Duration::from_secs(5),
            silence_max: Duration::from_millis(2500),
        }
    }
}
