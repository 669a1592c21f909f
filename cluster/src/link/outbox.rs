//! What waits for one peer: bytes of whole frames, kept until the peer has confirmed them, so that a link may break and
//! be made anew without a message lost or doubled.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::sync::Notify;

use crate::Limits;
use crate::wire::frame;

/// A bounded queue of frames to one incarnation of one node.
#[derive(Debug)]
pub(crate) struct Outbox {
    inner: Mutex<Inner>,
    wake: Notify,
    bytes_max: usize,
    messages_max: usize,
}

#[derive(Debug, Default)]
struct Inner {
    /// Frames that are neither counted nor confirmed; they go first.
    control: Vec<u8>,
    /// Messages that were never written.
    pending: BytesMut,
    /// Batches handed to a connection and not yet confirmed, oldest first.
    sent: VecDeque<Batch>,
    /// How many of `sent` this connection has been handed.
    handed: usize,
    /// The number of the last message.
    last: u64,
    /// The number of the last message in `sent`.
    batched: u64,
    /// The number of the last message confirmed.
    confirmed: u64,
    /// The highest number that the peer has named; it may be amid a batch.
    highest: u64,
    /// What it was when it was last seen to rise, or nothing to wait; and when that was.
    named: Option<(u64, Duration)>,
    /// Bytes in `pending` and `sent`.
    bytes: usize,
    /// A connection waits for something to write.
    idle: bool,
}

#[derive(Debug)]
struct Batch {
    last: u64,
    bytes: Bytes,
}

/// What to write next.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Writing {
    /// Control frames: to be written first.
    pub(crate) control: Vec<u8>,
    /// Messages.
    pub(crate) messages: Bytes,
    /// How many of them were never written before.
    pub(crate) fresh: u64,
}

impl Outbox {
    pub(crate) fn new(limits: &Limits) -> Outbox {
        Outbox {
            inner: Mutex::default(),
            wake: Notify::new(),
            bytes_max: limits.outbox_bytes_max,
            messages_max: limits.outbox_messages_max,
        }
    }

    /// Whether it would be more than half full with so many bytes more.
    pub(crate) fn is_half_full(&self, more: usize) -> bool {
        self.is_full(&self.lock(), more, 2)
    }

    /// Whether nothing is taken any more that is better refused than begun.
    pub(crate) fn is_nearly_full(&self) -> bool {
        self.is_full(&self.lock(), 0, 3)
    }

    /// Queues one message's frame. False if there is no room.
    pub(crate) fn push(&self, frame: &[u8]) -> bool {
        self.push_within(frame, 4)
    }

    /// The same, if there is room in the first three quarters.
    pub(crate) fn offer(&self, frame: &[u8]) -> bool {
        self.push_within(frame, 3)
    }

    fn push_within(&self, frame: &[u8], quarters: usize) -> bool {
        let mut inner = self.lock();
        if self.is_full(&inner, frame.len(), quarters) {
            return false;
        }
        inner.pending.extend_from_slice(frame);
        inner.last += 1;
        inner.bytes += frame.len();
        self.wake(inner);
        true
    }

    /// Queues a control frame for the connection that stands now.
    pub(crate) fn push_control(&self, frame: &[u8]) {
        let mut inner = self.lock();
        // Control frames are small and rare. Whoever does not read them for long is cut off for silence.
        if inner.control.len() < self.bytes_max {
            inner.control.extend_from_slice(frame);
            self.wake(inner);
        }
    }

    /// Takes what is to be written next; waits for it.
    pub(crate) async fn take(&self) -> Writing {
        loop {
            if let Some(writing) = self.try_take() {
                return writing;
            }
            self.wake.notified().await;
        }
    }

    fn try_take(&self) -> Option<Writing> {
        let mut inner = self.lock();
        let control = std::mem::take(&mut inner.control);
        let batched = inner.batched;
        let messages = inner.next_batch();
        if control.is_empty() && messages.is_empty() {
            inner.idle = true;
            return None;
        }
        inner.idle = false;
        Some(Writing { control, messages, fresh: inner.batched - batched })
    }

    /// The peer has all messages up to this number.
    pub(crate) fn confirm(&self, number: u64) {
        self.lock().confirm(number);
    }

    /// A new connection begins, on which the peer said how many messages it has: the rest is written again.
    pub(crate) fn rewind(&self, number: u64) {
        let mut inner = self.lock();
        let number = number.min(inner.batched);
        inner.confirm(number);
        inner.control.clear();
        inner.handed = 0;
        let skip = number.saturating_sub(inner.confirmed);
        inner.confirmed += skip;
        let Some(batch) = inner.sent.front_mut() else { return };
        let mut skipped = 0;
        for _ in 0..skip {
            skipped += frame::length(&batch.bytes[skipped..]);
        }
        batch.bytes.advance(skipped);
        inner.bytes -= skipped;
    }

    /// Bytes that wait, written and unconfirmed ones included.
    pub(crate) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Whether messages wait of which none was confirmed for so long, on a link that stands. To be asked again and again.
    pub(crate) fn is_stuck(&self, is_up: bool, now: Duration, time_max: Duration) -> bool {
        let mut inner = self.lock();
        let (named, waits) = (inner.highest, is_up && inner.bytes > 0);
        match inner.named {
            Some((before, since)) if waits && before == named => now.saturating_sub(since) >= time_max,
            _ => {
                inner.named = Some((named, now));
                false
            }
        }
    }

    /// Whether control frames wait to be written.
    pub(crate) fn has_control(&self) -> bool {
        !self.lock().control.is_empty()
    }

    /// Whether so many bytes more do not fit into so many quarters of it.
    fn is_full(&self, inner: &Inner, more: usize, quarters: usize) -> bool {
        let of = |most: usize| most.saturating_mul(quarters) / 4;
        let waiting = usize::try_from(inner.last - inner.confirmed).unwrap_or(usize::MAX);
        inner.bytes + more > of(self.bytes_max) || waiting >= of(self.messages_max)
    }

    fn wake(&self, mut inner: MutexGuard<'_, Inner>) {
        if std::mem::take(&mut inner.idle) {
            drop(inner);
            self.wake.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn next_batch(&mut self) -> Bytes {
        if let Some(batch) = self.sent.get(self.handed) {
            self.handed += 1;
            return batch.bytes.clone();
        }
        if self.pending.is_empty() {
            return Bytes::new();
        }
        let bytes = self.pending.split().freeze();
        self.batched = self.last;
        self.sent.push_back(Batch { last: self.last, bytes: bytes.clone() });
        self.handed += 1;
        bytes
    }

    /// Lets go of whole batches; the front one may stay confirmed in part.
    fn confirm(&mut self, number: u64) {
        self.highest = self.highest.max(number);
        while let Some(batch) = self.sent.front().filter(|b| b.last <= number) {
            self.confirmed = batch.last;
            self.bytes -= batch.bytes.len();
            self.handed = self.handed.saturating_sub(1);
            self.sent.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::Kind;

    fn message(n: u8) -> Vec<u8> {
        let mut out = Vec::new();
        let start = frame::begin(&mut out);
        out.extend_from_slice(&vec![n; usize::from(n)]);
        frame::finish(&mut out, start, Kind::Message);
        out
    }

    fn outbox(bytes_max: usize, messages_max: usize) -> Outbox {
        Outbox::new(&Limits {
            outbox_bytes_max: bytes_max,
            outbox_messages_max: messages_max,
            ..Limits::default()
        })
    }

    fn written(outbox: &Outbox) -> Vec<u8> {
        std::iter::from_fn(|| outbox.try_take()).flat_map(|w| w.messages).collect()
    }

    #[test]
    fn what_the_peer_lacks_is_written_again_in_order_and_nothing_else() {
        let outbox = outbox(10_000, 100);
        for n in 1..=3 {
            assert!(outbox.push(&message(n)));
        }
        assert_eq!(written(&outbox), [message(1), message(2), message(3)].concat());
        assert!(outbox.push(&message(4)));
        written(&outbox);
        assert!(outbox.push(&message(5)));
        outbox.rewind(2);
        assert_eq!(written(&outbox), [message(3), message(4), message(5)].concat());
        outbox.rewind(4);
        assert_eq!(written(&outbox), message(5));
        outbox.confirm(5);
        assert_eq!(outbox.bytes(), 0);
    }

    #[test]
    fn a_peer_that_confirms_what_was_never_sent_is_not_believed() {
        let outbox = outbox(10_000, 100);
        assert!(outbox.push(&message(1)));
        outbox.rewind(77);
        assert_eq!(written(&outbox), message(1));
    }

    #[test]
    fn the_outbox_is_bounded_in_bytes_and_in_messages_until_they_are_confirmed() {
        let small = outbox(2 * message(9).len(), 100);
        assert!(small.push(&message(9)) && small.push(&message(9)));
        assert!(!small.push(&message(9)));
        written(&small);
        assert!(!small.push(&message(9)), "written is not confirmed");
        small.confirm(2);
        assert!(small.push(&message(9)));
        assert!(!small.is_half_full(0) && small.is_half_full(1));
        assert!(
            !small.offer(&message(9)) && !small.is_nearly_full() && small.push(&message(9)),
            "what was begun comes to its end"
        );
        assert!(small.is_nearly_full());

        let few = outbox(10_000, 2);
        assert!(!few.is_half_full(0));
        assert!(few.push(&message(1)) && few.is_half_full(0) && few.push(&message(1)));
        assert!(!few.push(&message(1)));
    }

    #[test]
    fn it_is_stuck_when_nothing_is_confirmed_for_long_on_a_link_that_stands() {
        let outbox = outbox(10_000, 10);
        let stuck = |at: u64, is_up| outbox.is_stuck(is_up, Duration::from_secs(at), Duration::from_secs(5));
        assert!((1..=3).all(|n| outbox.push(&message(n))));
        assert!(!stuck(100, true), "it has just been asked to come over");
        assert!(!stuck(104, true));
        written(&outbox);
        outbox.confirm(1);
        assert!(!stuck(108, true) && !stuck(112, true), "a part of what was written at once has come over");
        assert!(stuck(113, true));
        assert!(!stuck(120, false) && !stuck(124, true), "a link that does not stand is nobody's fault");
        outbox.confirm(3);
        assert!(!stuck(200, true));
    }

    #[test]
    fn control_frames_go_first_and_die_with_their_connection() {
        let outbox = outbox(10_000, 10);
        outbox.push(&message(1));
        outbox.push_control(b"control");
        assert_eq!(
            outbox.try_take(),
            Some(Writing { control: b"control".to_vec(), messages: message(1).into(), fresh: 1 })
        );
        outbox.push_control(b"control");
        outbox.rewind(1);
        assert_eq!(outbox.try_take(), None);
    }
}
