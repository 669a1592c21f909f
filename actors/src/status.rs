//! What an operator may see of a node and its cluster.

use muster_cluster::{Load, MemberStatus, Role, Table};
use serde::Serialize;

/// The cluster, as one node sees it.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// The epoch of the view that this node acts by.
    pub epoch: u64,
    /// The epoch of the view that `nodes` shows: the newest that this node knows, which it is about to act by.
    pub view_epoch: u64,
    /// This node.
    pub me: String,
    /// Whether the view register answered when last asked.
    pub register_reachable: bool,
    /// Slots on their way to this node.
    pub slots_arriving: usize,
    /// Slots on their way from this node.
    pub slots_leaving: usize,
    /// Deliveries that other nodes have not confirmed to this one.
    pub deliveries_unconfirmed: usize,
    /// What this node carries.
    pub load: Load,
    /// All members.
    pub nodes: Vec<NodeStatus>,
}

/// One member.
#[derive(Clone, Debug, Serialize)]
pub struct NodeStatus {
    /// What the view says, how the link stands, what gossip says.
    #[serde(flatten)]
    pub seen: MemberStatus,
    /// Slots of sessions that it owns.
    pub sessions_owned: u16,
    /// Slots of sessions that it backs.
    pub sessions_backed: u16,
    /// Slots of rooms that it owns.
    pub rooms_owned: u16,
    /// Slots of rooms that it backs.
    pub rooms_backed: u16,
}

impl NodeStatus {
    pub(crate) fn of(seen: &MemberStatus, table: &Table) -> Self {
        let sessions = table.share(Role::Sessions, seen.member.incarnation);
        let rooms = table.share(Role::Rooms, seen.member.incarnation);
        Self {
            seen: seen.clone(),
            sessions_owned: sessions.owned,
            sessions_backed: sessions.backed,
            rooms_owned: rooms.owned,
            rooms_backed: rooms.backed,
        }
    }
}

/// Where an address belongs.
#[derive(Clone, Debug, Serialize)]
pub struct RingStatus {
    /// The bare JID.
    pub jid: String,
    /// Its slot.
    pub slot: u16,
    /// Who owns it now.
    pub owner: Option<String>,
    /// Who would, in order: the first that is up does.
    pub preference: Vec<String>,
}
