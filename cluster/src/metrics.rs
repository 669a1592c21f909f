//! Every metric of the cluster, with its help and unit, in one place.

use metrics::{Unit, describe_counter, describe_gauge};

pub(crate) const EPOCH: &str = "muster_cluster_epoch";
pub(crate) const MEMBERS: &str = "muster_cluster_members";
pub(crate) const SLOTS: &str = "muster_cluster_slots";
pub(crate) const REGISTER_UP: &str = "muster_cluster_register_up";
pub(crate) const REGISTER_ERRORS: &str = "muster_cluster_register_errors_total";
pub(crate) const PROPOSALS: &str = "muster_cluster_proposals_total";
pub(crate) const SUSPICIONS: &str = "muster_cluster_suspicions_total";
pub(crate) const LEASE: &str = "muster_cluster_lease_held";
pub(crate) const FENCED: &str = "muster_cluster_fenced_total";
pub(crate) const STALLS: &str = "muster_cluster_stalls_total";

pub(crate) const LINKS: &str = "muster_link_up";
pub(crate) const LOST: &str = "muster_link_lost_total";
pub(crate) const REFUSED: &str = "muster_link_refused_total";
pub(crate) const MESSAGES: &str = "muster_link_messages_total";
pub(crate) const BYTES: &str = "muster_link_bytes_total";
pub(crate) const FULL: &str = "muster_link_full_total";
pub(crate) const UNREADABLE: &str = "muster_link_unreadable_total";
pub(crate) const OUTBOX: &str = "muster_link_outbox_bytes";
pub(crate) const RTT: &str = "muster_link_rtt_seconds";

pub(crate) const DATAGRAMS: &str = "muster_gossip_datagrams_total";
pub(crate) const DROPPED: &str = "muster_gossip_dropped_total";
pub(crate) const ALIVE: &str = "muster_gossip_alive";

/// Tells the recorder what each metric means.
pub(crate) fn describe() {
    describe_gauge!(EPOCH, Unit::Count, "Epoch of the view that this node knows");
    describe_gauge!(MEMBERS, Unit::Count, "Members of the view, by state");
    describe_gauge!(SLOTS, Unit::Count, "Slots of this node, by role and copy (owner or backup)");
    describe_gauge!(REGISTER_UP, Unit::Count, "1 if the view register answered when last asked");
    describe_counter!(REGISTER_ERRORS, Unit::Count, "Calls to the view register that failed");
    describe_counter!(PROPOSALS, Unit::Count, "Views proposed, by outcome (agreed, outrun, unknown)");
    describe_counter!(SUSPICIONS, Unit::Count, "Members that this node began to suspect");
    describe_counter!(STALLS, Unit::Count, "Times this node itself stood still for over half a second");
    describe_gauge!(LEASE, Unit::Count, "1 if this node may act as an owner, 0 if it is fenced");
    describe_counter!(FENCED, Unit::Count, "Times that this node lost its lease");
    describe_gauge!(LINKS, Unit::Count, "Links to other nodes that stand");
    describe_counter!(LOST, Unit::Count, "Links that broke");
    describe_counter!(REFUSED, Unit::Count, "Link peers refused, by reason");
    describe_counter!(MESSAGES, Unit::Count, "Messages over links, by direction");
    describe_counter!(BYTES, Unit::Bytes, "Bytes over links before encryption, by direction");
    describe_counter!(FULL, Unit::Count, "Messages refused because the peer's outbox was full");
    describe_counter!(UNREADABLE, Unit::Count, "Messages from peers that could not be decoded");
    describe_gauge!(OUTBOX, Unit::Bytes, "Bytes that wait for a node, unconfirmed ones included");
    describe_gauge!(RTT, Unit::Seconds, "Round trip to a node over its link");
    describe_counter!(DATAGRAMS, Unit::Count, "Gossip datagrams, by direction");
    describe_counter!(DROPPED, Unit::Count, "Gossip datagrams dropped, by reason");
    describe_gauge!(ALIVE, Unit::Count, "Nodes that gossip believes alive, this one included");
}
