//! What the actors need, made of the configuration.

use std::time::Duration;

use muster_actors::Setup;
use muster_actors::storage::Remembered;
use muster_cluster::{Endpoint, Network, NodeId, NodeIdError, Roles, Secret, TlsMaterial};
use openssl::hash::{MessageDigest, hash};

use crate::config::{Config, Kind, Role, SecretError, read_secret};

/// Why the configuration cannot be acted on: it changed since it was checked.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// node.id.
    #[error("node.id: {0}")]
    NodeId(#[from] NodeIdError),
    /// A file that holds a secret.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Another file.
    #[error("{path} cannot be read: {error}", path = path.display())]
    Unreadable {
        /// Which file.
        path: std::path::PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The operating system gave no randomness.
    #[error("no randomness: {0}")]
    Random(#[from] openssl::error::ErrorStack),
}

/// Reads what is still in files.
///
/// # Errors
/// One of them cannot be read.
pub fn setup(config: &Config) -> Result<Setup, SetupError> {
    let mut options = config.options.clone();
    options.sasl_secret = sasl_secret(config)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(Setup {
        options,
        arbiters: if config.node.arbiters == 0 { cores } else { config.node.arbiters },
        storage: config.storage.clone(),
        remembered: Remembered {
            accounts_max: config.auth.remembered_max,
            time_max: Duration::from_secs(config.auth.remembered_seconds_max),
        },
        cluster: cluster(config)?,
        guards: config.guards.clone(),
        fenced_time_max: Duration::from_secs(config.cluster.fenced_seconds_max),
        copies_min: config.cluster.min_copies,
        log_jids: config.log.jids,
        more_features: Vec::new(),
    })
}

fn cluster(config: &Config) -> Result<muster_cluster::Config, SetupError> {
    let node = &config.node;
    let roles = node.roles.iter().fold(Roles::empty(), |roles, role| {
        roles
            | match role {
                Role::Edge => Roles::EDGE,
                Role::Core => Roles::CORE,
                Role::Sessions => Roles::SESSIONS,
                Role::Rooms => Roles::ROOMS,
            }
    });
    Ok(muster_cluster::Config {
        zone: node.zone.clone(),
        roles,
        weight: node.weight,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        network: network(config)?,
        ..muster_cluster::Config::alone(NodeId::new(&node.id)?)
    })
}

fn network(config: &Config) -> Result<Option<Network>, SetupError> {
    let of = |kind| config.listeners(kind).next().map(|listener| listener.address);
    let (Some(link), Some(gossip)) = (of(Kind::Link), of(Kind::Gossip)) else { return Ok(None) };
    let cluster = &config.cluster;
    let (Some(tls), Some(key_file)) = (links(config)?, &cluster.key_file) else { return Ok(None) };
    let endpoint = |bind: std::net::SocketAddr| Endpoint {
        bind,
        advertise: cluster.advertise.map(|address| (address, bind.port()).into()),
    };
    Ok(Some(Network {
        cluster_id: cluster.name.clone(),
        gossip: endpoint(gossip),
        link: endpoint(link),
        seeds: cluster.seeds.clone(),
        gossip_key: Secret(trimmed(read_secret(key_file)?)),
        tls,
    }))
}

/// The certificates of links, if there are any.
///
/// # Errors
/// A file cannot be read.
pub fn links(config: &Config) -> Result<Option<TlsMaterial>, SetupError> {
    let cluster = &config.cluster;
    let (Some(ca), Some(certificate), Some(key)) = (&cluster.ca, &cluster.certificate, &cluster.key) else {
        return Ok(None);
    };
    let read = |path: &std::path::PathBuf| {
        std::fs::read(path).map_err(|error| SetupError::Unreadable { path: path.clone(), error })
    };
    Ok(Some(TlsMaterial { ca: read(ca)?, chain: read(certificate)?, key: Secret(read_secret(key)?) }))
}

/// The same on every node, or unknown accounts would be known by salts that differ.
fn sasl_secret(config: &Config) -> Result<[u8; 32], SetupError> {
    let file = config.auth.secret_file.as_ref().or(config.cluster.key_file.as_ref());
    let mut secret = [0; 32];
    match file {
        Some(file) => {
            let mut text = b"muster sasl ".to_vec();
            text.extend(trimmed(read_secret(file)?));
            secret.copy_from_slice(&hash(MessageDigest::sha256(), &text)?);
        }
        // A node alone that nobody gave a secret: salts of unknown accounts change when it restarts.
        None => openssl::rand::rand_priv_bytes(&mut secret)?,
    }
    Ok(secret)
}

/// A file written by hand ends with a line end that is no part of the secret.
fn trimmed(mut secret: Vec<u8>) -> Vec<u8> {
    while secret.last().is_some_and(|byte| b"\r\n".contains(byte)) {
        secret.pop();
    }
    secret
}
