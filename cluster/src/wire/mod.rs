//! What goes over a link: frames, and what they carry. Frozen: variants are only appended, and `golden/` holds the bytes of each.

pub(crate) mod codec;
pub(crate) mod frame;
#[cfg(test)]
mod golden;

use serde::{Deserialize, Serialize};

use crate::{Incarnation, NodeId};

/// The oldest protocol version that this node speaks. Version 1 knew no leases, so its nodes promise nothing; version 2 did
/// not say of a copy by which view it was made; version 3 had no lanes.
pub(crate) const VERSION_MIN: u16 = 4;
/// The newest.
pub(crate) const VERSION_MAX: u16 = 4;

/// All that links say besides messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Control {
    /// The first frame of the dialling side.
    Hello(Hello),
    /// The first frame of the accepting side, if it accepts.
    Welcome(Welcome),
    /// The first and last frame of the accepting side, if it does not.
    Refuse(Refusal),
    /// A sign of life; asks for a pong. `sent` is the sender's own clock, `received` counts messages.
    Ping { sent: u64, received: u64 },
    /// The answer, with the same `sent`, to which the time is added for which it was held; or 0, and it promises nothing.
    Pong { sent: u64, received: u64 },
    /// So many messages were received since the peer's incarnation began.
    Ack { received: u64 },
    /// An agreed view, as the register holds it.
    View { bytes: Vec<u8> },
    /// Asks whether the receiver, too, has lost that incarnation.
    Ask { epoch: u64, suspect: Incarnation },
    /// The answer.
    Vote { epoch: u64, suspect: Incarnation, agree: bool },
    /// The sender knows the view of that epoch: what it answers to pings from here on, it promises by it.
    Known { epoch: u64 },
    /// After its welcome, the accepting side asks for a second connection that begins with this same frame: the lane, on
    /// which there are messages and acks, and nothing else.
    Lane { key: u64 },
}

/// Who dials, and whom it expects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// Oldest protocol version spoken.
    pub(crate) version_min: u16,
    /// Newest.
    pub(crate) version_max: u16,
    /// The cluster's name.
    pub(crate) cluster: String,
    /// The dialling node.
    pub(crate) node: NodeId,
    /// Its incarnation.
    pub(crate) incarnation: Incarnation,
    /// The incarnation that it expects to find.
    pub(crate) expects: Incarnation,
    /// How many messages of that incarnation it has.
    pub(crate) received: u64,
    /// The epoch that it knows.
    pub(crate) epoch: u64,
}

/// The accepting side's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Welcome {
    /// The protocol version of this link.
    pub(crate) version: u16,
    /// How many messages of the dialling incarnation it has.
    pub(crate) received: u64,
    /// The epoch that it knows.
    pub(crate) epoch: u64,
}

/// Why a link is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub(crate) enum Refusal {
    /// No protocol version in common.
    #[error("no protocol version in common")]
    Version,
    /// Another cluster.
    #[error("another cluster")]
    Cluster,
    /// The certificate does not carry the node's name.
    #[error("the certificate has another name")]
    Name,
    /// The incarnation that was expected is no more.
    #[error("another incarnation lives here")]
    Incarnation,
    /// The dialling incarnation is not in the view that the accepting side knows.
    #[error("not a member")]
    Stranger,
    /// The other side dials: it was told that the link is wanted.
    #[error("the other side dials")]
    Turn,
}

impl Refusal {
    /// The value of the metric's label.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Refusal::Version => "version",
            Refusal::Cluster => "cluster",
            Refusal::Name => "name",
            Refusal::Incarnation => "incarnation",
            Refusal::Stranger => "stranger",
            Refusal::Turn => "turn",
        }
    }
}
