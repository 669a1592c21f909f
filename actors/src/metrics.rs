//! The metrics of actors, with their help.

use std::sync::LazyLock;

use metrics::{Counter, Unit, counter, describe_counter, describe_gauge, gauge};
use muster_cluster::Load;
use muster_proto::stanza::Kind;

use crate::world::World;

/// Tells the recorder what each metric means.
pub fn describe() {
    crate::storage::measured::describe();
    describe_gauge!("muster_connections", Unit::Count, "Client connections of this node.");
    describe_gauge!("muster_sessions", Unit::Count, "Accounts in use whose owner is this node.");
    describe_gauge!("muster_rooms", Unit::Count, "Rooms in use whose owner is this node.");
    describe_gauge!(
        "muster_copies",
        Unit::Count,
        "Second copies of sessions and rooms that this node keeps for others."
    );
    describe_counter!(
        "muster_copies_failed_total",
        Unit::Count,
        "Copies that could not be sent: what they are of has one copy until its next change."
    );
    describe_gauge!(
        "muster_deliveries_unconfirmed",
        Unit::Count,
        "Deliveries to other nodes that are not confirmed to be safe there."
    );
    describe_counter!(
        "muster_deliveries_known_total",
        Unit::Count,
        "Deliveries that came a second time after a node died, and were dropped."
    );
    describe_gauge!(
        "muster_under_replicated_slots",
        Unit::Count,
        "Slots of this node with a session or room whose second copy is lost and not made anew yet."
    );
    describe_gauge!("muster_slots_arriving", Unit::Count, "Slots on their way to this node.");
    describe_gauge!("muster_slots_leaving", Unit::Count, "Slots on their way from this node.");
    describe_gauge!("muster_epoch", Unit::Count, "Epoch of the view that this node acts by.");
    describe_counter!(
        "muster_stanzas_total",
        Unit::Count,
        "Stanzas that clients of this node sent, by kind."
    );
    describe_log_ins();
    describe_counter!(
        "muster_reads_delayed_total",
        Unit::Count,
        "Times that a client was not read at once, as there was too much to do."
    );
    describe_counter!(
        "muster_rooms_delayed_total",
        Unit::Count,
        "Times that a room did not take what it was told at once, as links had much to carry."
    );
    describe_counter!("muster_slow_clients_total", Unit::Count, "Clients cut off because they did not read.");
    describe_counter!(
        "muster_refused_total",
        Unit::Count,
        "Stanzas refused because their owner could not take them, by condition."
    );
    describe_counter!("muster_dropped_total", Unit::Count, "Things dropped on purpose, by what they were.");
    describe_counter!(
        "muster_panics_total",
        Unit::Count,
        "Steps that panicked: each is a bug; please report it."
    );
}

/// What each metric of those who come means.
fn describe_log_ins() {
    describe_counter!("muster_log_ins_total", Unit::Count, "Successful log-ins.");
    describe_counter!("muster_log_in_failures_total", Unit::Count, "Failed log-ins.");
    describe_counter!(
        "muster_log_ins_throttled_total",
        Unit::Count,
        "Log-ins refused because too many failed before."
    );
    describe_counter!(
        "muster_connections_refused_total",
        Unit::Count,
        "Connections refused because their address has too many."
    );
    describe_counter!(
        "muster_registrations_total",
        Unit::Count,
        "Accounts that strangers registered (XEP-0077)."
    );
    describe_counter!("muster_tls_failures_total", Unit::Count, "TLS handshakes with clients that failed.");
    describe_gauge!("muster_log_ins_waiting", Unit::Count, "Log-ins that wait for their turn.");
    describe_counter!(
        "muster_log_ins_refused_total",
        Unit::Count,
        "Log-ins told to come again later because too many waited."
    );
    describe_counter!(
        "muster_keys_recalled_total",
        Unit::Count,
        "Log-ins checked with remembered keys because the store did not answer."
    );
}

/// A client sent a stanza.
pub fn stanza(kind: Kind) {
    // Looked up once: a label costs more than the count.
    static COUNTERS: LazyLock<[Counter; 3]> = LazyLock::new(|| {
        ["message", "presence", "iq"].map(|kind| counter!("muster_stanzas_total", "kind" => kind))
    });
    let index = match kind {
        Kind::Message(_) => 0,
        Kind::Presence(_) => 1,
        Kind::Iq(_) => 2,
    };
    COUNTERS[index].increment(1);
}

/// A connection was refused.
pub fn connection_refused() {
    counter!("muster_connections_refused_total").increment(1);
}

/// Sets the gauges.
#[allow(clippy::cast_precision_loss)] // gauges are floating point
pub fn gauges(world: &World, load: Load) {
    gauge!("muster_connections").set(load.connections as f64);
    gauge!("muster_sessions").set(load.sessions as f64);
    gauge!("muster_rooms").set(load.rooms as f64);
    gauge!("muster_copies").set((world.session_copies.count() + world.room_copies.count()) as f64);
    gauge!("muster_deliveries_unconfirmed").set(world.deliveries.count() as f64);
    gauge!("muster_under_replicated_slots").set(load.lacking as f64);
    gauge!("muster_slots_arriving").set(world.moves.arriving_count() as f64);
    gauge!("muster_slots_leaving").set(world.moves.leaving_count() as f64);
    gauge!("muster_log_ins_waiting").set(world.gate.waiting() as f64);
    gauge!("muster_epoch").set(world.epoch() as f64);
}
