//! Which slots a request touches: order is kept within each.

use muster_cluster::Slot;
use muster_proto::store::{Key, Query};

use super::Batch;

/// The number of slots.
pub(super) const SLOTS: usize = Slot::COUNT as usize;

/// The slot of a thing: that of its owner.
pub(super) fn slot(key: &Key) -> u16 {
    Slot::of(key.owner.as_bytes()).0
}

/// The slot of a question.
pub(super) fn of_query(query: &Query) -> u16 {
    slot(query.key())
}

/// The slots of a batch, each once; that of its fence first.
pub(super) fn of_batch(batch: &Batch) -> Vec<u16> {
    let mut slots = Vec::with_capacity(1);
    let fence = batch.fence.iter().map(|fence| fence.slot);
    for slot in fence.chain(batch.writes.iter().map(|write| slot(write.key()))) {
        if !slots.contains(&slot) {
            slots.push(slot);
        }
    }
    slots
}
