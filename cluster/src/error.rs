//! What can fail, one enum per thing that can.

use std::io;
use std::net::SocketAddr;

use crate::NodeId;

/// Why a node does not start. Each names what to fix.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The cluster key is too short.
    #[error("the cluster key has {0} bytes and needs at least 32")]
    KeyTooShort(usize),
    /// A certificate or key cannot be used.
    #[error("the link certificate: {what}: {reason}")]
    Tls {
        /// Which part.
        what: &'static str,
        /// What OpenSSL says of it.
        reason: String,
    },
    /// The certificate is another node's.
    #[error(
        "the link certificate has no DNS name {0} in its subjectAltName: every other node would refuse it"
    )]
    CertificateName(NodeId),
    /// An address cannot be bound.
    #[error("cannot listen on {address} for {purpose}: {error}")]
    Bind {
        /// `links` or `gossip`.
        purpose: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// Others cannot use the address.
    #[error("{purpose}: others cannot reach {address}; set the address to advertise")]
    Advertise {
        /// `links` or `gossip`.
        purpose: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// The thread could not be started, or gossip could not.
    #[error("cannot start the cluster: {0}")]
    Io(#[from] io::Error),
}

/// Why a message was not taken. It is given back.
#[derive(Debug)]
pub enum SendError<M> {
    /// The peer takes messages more slowly than they come. Wait, or refuse what caused it.
    Full(M),
    /// No such incarnation is a member, or it is down, or it is this node itself.
    Unreachable(M),
    /// The message is larger than [`Limits::message_bytes_max`](crate::Limits::message_bytes_max), or cannot be encoded.
    TooLarge(M),
}

impl<M> SendError<M> {
    /// The message.
    pub fn into_message(self) -> M {
        match self {
            SendError::Full(m) | SendError::Unreachable(m) | SendError::TooLarge(m) => m,
        }
    }
}

impl<M> std::fmt::Display for SendError<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            SendError::Full(_) => "the peer's outbox is full",
            SendError::Unreachable(_) => "the peer is not a member",
            SendError::TooLarge(_) => "the message is too large",
        })
    }
}

impl<M: std::fmt::Debug> std::error::Error for SendError<M> {}

/// Why the node's standing did not change as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoveError {
    /// Others declared this incarnation down, or a newer one took its place.
    #[error("this incarnation was put out of the cluster")]
    Ousted,
    /// The cluster was stopped.
    #[error("the cluster is stopped")]
    Stopped,
    /// The register could not be reached, or no majority, in time.
    #[error("no agreement in time")]
    Timeout,
    /// That node is not a member, or is not down.
    #[error("{0} is not a member that is down")]
    NotDown(NodeId),
}
