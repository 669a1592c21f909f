//! What an operator may see of the cluster from one node.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Incarnation, Member, NodeId};

/// What a node carries, as it tells others by gossip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// Client connections.
    pub connections: u64,
    /// Sessions it owns.
    pub sessions: u64,
    /// Rooms it owns.
    pub rooms: u64,
    /// Slots it owns of which something lacks its second copy.
    #[serde(default)]
    pub lacking: u64,
    /// The view by which that was counted; older than what the node acts by as long as it may not have seen to its copies yet.
    #[serde(default)]
    pub epoch: u64,
    /// What it is busy with.
    pub phase: Phase,
}

impl Load {
    /// Whether all that it owns by the view of that epoch has its second copy.
    pub fn has_copies(&self, epoch: u64) -> bool {
        self.epoch >= epoch && self.lacking == 0
    }
}

/// What a node is busy with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Not yet serving.
    #[default]
    Starting,
    /// Serving.
    Serving,
    /// Leaving in order.
    Draining,
}

/// How this node stands to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is a member, or on its way to be.
    Member,
    /// Others declared this incarnation down, or a newer one took its place: it must stop acting as an owner.
    /// [`Cluster::rejoin`](crate::Cluster::rejoin) takes a new incarnation.
    Ousted,
    /// It left or was stopped.
    Stopped,
}

/// The cluster as one node sees it.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// The epoch of the view.
    pub epoch: u64,
    /// Who says so.
    pub me: NodeId,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// Whether the register answered when it was last asked.
    pub register: bool,
    /// All members, by name.
    pub members: Vec<MemberStatus>,
}

/// A member as one node sees it.
#[derive(Clone, Debug, Serialize)]
pub struct MemberStatus {
    /// What the view says.
    pub member: Member,
    /// The link to it.
    pub link: LinkStatus,
    /// Its round trip, if the link stands.
    pub rtt: Option<Duration>,
    /// Bytes that wait for it.
    pub outbox_bytes: usize,
    /// What gossip says, if it says anything.
    pub gossip: Option<GossipFacts>,
}

/// How the link to a member stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkStatus {
    /// It is this node.
    Own,
    /// It stands.
    Up,
    /// It does not, and is tried again.
    Lost,
    /// It is not tried: the member is down.
    Idle,
}

/// What a node tells of itself by gossip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GossipFacts {
    /// Whether gossip believes that it is alive: an opinion.
    pub alive: bool,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// The version of its software.
    pub version: String,
    /// The highest epoch that it knows.
    pub epoch: u64,
    /// Its link listener.
    pub link: Option<SocketAddr>,
    /// What it carries.
    pub load: Load,
    /// How many links with members that are up it has lacked for a while.
    pub missing: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_not_counted_by_a_view_may_lack_copies_by_it() {
        let load = |epoch, lacking| Load { epoch, lacking, ..Load::default() };
        assert!(load(7, 0).has_copies(7) && load(8, 0).has_copies(7));
        assert!(!load(7, 1).has_copies(7));
        assert!(!load(6, 0).has_copies(7), "by the view before it lacked none");
    }
}
