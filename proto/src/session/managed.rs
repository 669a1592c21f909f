//! What is remembered of a managed stream (XEP-0198) beyond its connection: two counters, and what the client has not
//! acknowledged.

use std::collections::VecDeque;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use crate::machine::Timestamp;
use crate::stanza::Stanza;

/// Somebody has read it: see [`Queued::share`].
const READ: u64 = u64::MAX;

/// Room for so many stanzas is kept for a client that is not busy.
const FEW: usize = 8;

/// What a managed client says, in the order in which it says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Word {
    /// It wants to be managed, perhaps to resume within so many seconds.
    Enable {
        /// Whether it wants to resume.
        resume: bool,
        /// For how long, if it says so.
        max: Option<u32>,
    },
    /// A stanza and its number.
    Stanza(u32, Stanza),
    /// Its stream has dealt with the stanza of that number, and this is the answer.
    Answered(u32, Option<Stanza>),
    /// It has handled our stanzas up to that number.
    Acked(u32),
    /// It asks how many of its stanzas were handled; so many have been read.
    AckRequested(u32),
}

/// The part of a resource that outlives its connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Managed {
    /// What a client must know to resume it.
    pub nonce: u64,
    /// How long it may be without a connection; 0: it cannot be resumed.
    pub seconds_max: u32,
    /// So many of the client's stanzas were handled, modulo 2^32.
    pub heard: u32,
    /// The number of the last stanza for the client.
    pub sent: u32,
    /// The last of them, which the client has not acknowledged.
    pub queue: VecDeque<Queued>,
    /// What they cost in memory.
    pub bytes: usize,
    /// Set while there is no connection.
    pub detached: Option<Detached>,
}

/// A stanza that the client may not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queued {
    /// What it says; the connection that writes it shares it.
    pub stanza: Stanza,
    /// When it was sent.
    pub at: Timestamp,
    /// The same for all copies of one message that went to several of the account's clients; 0: none did.
    pub share: u64,
}

/// A resource without a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detached {
    /// It ends then.
    pub until: Timestamp,
    /// The last stanza's number when the connection was lost.
    pub sent: u32,
}

/// What is still known of a resource whose time was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The session's number.
    pub sid: u64,
    /// See [`Managed::nonce`].
    pub nonce: u64,
    /// So many of the client's stanzas were handled.
    pub heard: u32,
    /// It is forgotten then.
    pub until: Timestamp,
}

/// The client says that it has handled stanzas which it was never sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooHigh;

impl Queued {
    /// Whether another of the account's clients has it for certain.
    pub fn is_read(&self) -> bool {
        self.share == READ
    }
}

impl Managed {
    /// Whether it waits for a connection when it has lost its own.
    pub fn is_resumable(&self) -> bool {
        self.seconds_max > 0
    }

    /// Whether a stanza for it is written to a connection now.
    pub fn is_attached(&self) -> bool {
        self.detached.is_none()
    }

    /// The number of the last stanza that the client is known to have.
    pub fn acked(&self) -> u32 {
        self.sent.wrapping_sub(u32::try_from(self.queue.len()).unwrap_or(u32::MAX))
    }

    /// How many of the queue the client has, if it has handled stanzas up to `h`. Numbers go round at 2^32, so what is
    /// less than half of that behind is old.
    ///
    /// # Errors
    /// It was not sent so many.
    pub fn handled(&self, h: u32) -> Result<usize, TooHigh> {
        let more = h.wrapping_sub(self.acked());
        match usize::try_from(more) {
            Ok(more) if more <= self.queue.len() => Ok(more),
            _ if more > u32::MAX / 2 => Ok(0),
            _ => Err(TooHigh),
        }
    }

    /// Numbers a stanza and keeps it.
    pub(super) fn push(&mut self, queued: Queued) {
        self.sent = self.sent.wrapping_add(1);
        self.bytes += queued.stanza.bytes();
        self.queue.push_back(queued);
    }

    /// Forgets what the client has; the shares of that.
    pub(super) fn trim(&mut self, h: u32) -> Vec<u64> {
        let count = self.handled(h).unwrap_or_default();
        let mut shares = Vec::new();
        for queued in self.queue.drain(..count) {
            self.bytes -= queued.stanza.bytes();
            shares.extend(Some(queued.share).filter(|share| *share != 0 && *share != READ));
        }
        // Who has much to acknowledge at once soon has again.
        if self.queue.is_empty() && count < FEW {
            self.queue.shrink_to(FEW);
        }
        shares
    }

    /// Goes on with a client that has handled stanzas up to `h`; the shares of what it has. If it has forgotten what
    /// it once acknowledged, numbers begin where it is, so that both count alike.
    pub(super) fn resume(&mut self, h: u32) -> Vec<u64> {
        let shares = self.trim(h);
        self.sent = h.wrapping_add(u32::try_from(self.queue.len()).unwrap_or(u32::MAX));
        self.detached = None;
        shares
    }

    /// Another client has what is shared under these numbers, which rise.
    pub(super) fn mark_read(&mut self, shares: &[u64]) {
        for queued in &mut self.queue {
            if shares.binary_search(&queued.share).is_ok() {
                queued.share = READ;
            }
        }
    }

    /// Whether its client may still get what is shared under this number.
    pub(super) fn holds(&self, share: u64) -> bool {
        share != 0 && self.queue.iter().any(|queued| queued.share == share)
    }
}

/// The id by which a client resumes: opaque to it, and of no use to another account.
pub fn id(sid: u64, nonce: u64) -> String {
    STANDARD.encode([sid.to_be_bytes(), nonce.to_be_bytes()].concat())
}

/// What an id says: the session's number and the nonce.
pub fn read_id(id: &str) -> Option<(u64, u64)> {
    let bytes: [u8; 16] = STANDARD.decode(id).ok()?.try_into().ok()?;
    let both = u128::from_be_bytes(bytes);
    Some((u64::try_from(both >> 64).ok()?, u64::try_from(both & u128::from(u64::MAX)).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stanza::MessageType;

    fn managed(sent: u32, queued: usize) -> Managed {
        let mut managed = Managed { sent, ..Managed::default() };
        for _ in 0..queued {
            let stanza = Stanza::message(MessageType::Chat);
            managed.push(Queued { stanza, at: Timestamp(1), share: 0 });
        }
        managed
    }

    #[test]
    fn an_acknowledgement_counts_from_what_is_known() {
        let managed = managed(7, 3);
        assert_eq!((managed.acked(), managed.sent), (7, 10));
        assert_eq!([7, 8, 10].map(|h| managed.handled(h)), [Ok(0), Ok(1), Ok(3)]);
        assert_eq!([0, 6].map(|h| managed.handled(h)), [Ok(0), Ok(0)], "old news");
        assert_eq!([11, 1_000_000].map(|h| managed.handled(h)), [Err(TooHigh), Err(TooHigh)]);
    }

    #[test]
    fn numbers_go_round() {
        let mut managed = managed(u32::MAX - 1, 4);
        assert_eq!((managed.acked(), managed.sent), (u32::MAX - 1, 2));
        assert_eq!([u32::MAX, 0, 2].map(|h| managed.handled(h)), [Ok(1), Ok(2), Ok(4)]);
        assert_eq!(managed.handled(3), Err(TooHigh));
        managed.trim(1);
        assert_eq!((managed.queue.len(), managed.acked()), (1, 1));
        assert_eq!(managed.bytes, managed.queue[0].stanza.bytes());
        managed.trim(2);
        assert_eq!(managed.bytes, 0);
    }

    #[test]
    fn a_client_that_forgot_what_it_had_and_the_server_count_alike_again() {
        let mut managed = managed(0, 5);
        managed.trim(3);
        managed.resume(1);
        assert_eq!((managed.acked(), managed.sent, managed.queue.len()), (1, 3, 2));
    }

    #[test]
    fn an_id_is_read_as_it_was_written_and_nothing_else_is_one() {
        assert_eq!(read_id(&id(5, u64::MAX)), Some((5, u64::MAX)));
        for other in ["", "=", "AAAA", "juliet", &id(1, 2)[1..], &format!("{}AA", id(1, 2))] {
            assert_eq!(read_id(other), None, "{other}");
        }
    }
}
