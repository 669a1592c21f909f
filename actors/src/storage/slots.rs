//! Which slots a request touches: order is kept within each.

use muster_proto::store::{Key, Query};

use super::Batch;

/// The number of slots.
pub(super) const SLOTS: usize = 16_384;

/// The slot of a thing: that of its owner.
pub(super) fn slot(key: &Key) -> u16 {
    (key.owner.bytes().fold(0u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into())) % 16_384)
        as u16
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
