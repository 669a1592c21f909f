//! For benchmarks: what links do to every message, which is nobody else's business.

use crate::Message;
use crate::wire::codec;
use crate::wire::frame::{Kind, PAYLOAD_MAX};

/// Appends a message to `out` as a whole frame. Returns whether it fits one.
pub fn put<M: Message>(message: &M, out: &mut Vec<u8>) -> bool {
    codec::put(out, Kind::Message, message, PAYLOAD_MAX).is_ok()
}

/// Reads a message from the frame's payload.
pub fn take<M: Message>(payload: &[u8]) -> Option<M> {
    codec::take(payload).ok()
}
