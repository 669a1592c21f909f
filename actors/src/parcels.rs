//! Messages larger than a frame of a link, in parts: a room with thousands of occupants on its way to another node.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use muster_proto::stanza::Condition;

use crate::remote::Remote;
use crate::world::World;

/// Bytes in one part: half of what a link takes at once.
const PART_BYTES: usize = 512 * 1024;
/// Largest message in all. Beyond it, whatever it carries stays where it is.
const WHOLE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Messages of which not all parts have come.
#[derive(Default)]
pub struct Parcels {
    open: Mutex<HashMap<(u64, u64), Vec<u8>>>,
}

impl Parcels {
    /// Takes a part from that node; gives the message with its last one.
    pub fn take(&self, from: u64, id: u64, bytes: &[u8], last: bool) -> Option<Remote> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let whole = open.entry((from, id)).or_default();
        whole.extend_from_slice(bytes);
        if whole.len() > WHOLE_BYTES_MAX {
            open.remove(&(from, id));
            return None;
        }
        let whole = last.then(|| open.remove(&(from, id)))??;
        serde_json::from_slice(&whole)
            .inspect_err(|error| tracing::error!(%error, from, "a message in parts could not be read"))
            .ok()
    }

    /// No more parts come from that node.
    pub fn forget(&self, from: u64) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).retain(|(node, _), _| *node != from);
    }
}

impl World {
    /// Sends a message that is too large for one frame.
    ///
    /// # Errors
    /// Gives it back: `resource-constraint` if the link is full, `policy-violation` if it is too large for anything.
    pub fn send_in_parts(&self, to: u64, message: Remote) -> Result<(), (Remote, Condition)> {
        let whole = match serde_json::to_vec(&message) {
            Ok(whole) if whole.len() <= WHOLE_BYTES_MAX => whole,
            Ok(_) | Err(_) => return Err((message, Condition::PolicyViolation)),
        };
        let id = rand::random();
        let count = whole.len().div_ceil(PART_BYTES);
        for (number, part) in whole.chunks(PART_BYTES).enumerate() {
            let part = Remote::Part { id, last: number + 1 == count, bytes: part.to_vec().into() };
            if let Err((_, condition)) = self.send(to, part) {
                return Err((message, condition));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_two_messages_from_two_nodes_do_not_mix() {
        let parcels = Parcels::default();
        let whole = |slots: Vec<u16>| {
            serde_json::to_vec(&Remote::SlotsMoved { epoch: 7, rooms: true, slots }).unwrap()
        };
        let (first, second) = (whole(vec![1, 2, 3]), whole(vec![9]));
        assert!(parcels.take(1, 5, &first[..10], false).is_none());
        assert!(parcels.take(2, 5, &second[..10], false).is_none());
        match parcels.take(1, 5, &first[10..], true) {
            Some(Remote::SlotsMoved { slots, .. }) => assert_eq!(slots, [1, 2, 3]),
            other => panic!("{other:?}"),
        }
        parcels.forget(2);
        assert!(parcels.take(2, 5, &second[10..], true).is_none(), "the beginning was forgotten");
    }
}
