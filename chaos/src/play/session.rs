//! A client's side of a managed session (XEP-0198): what it has said and was not acknowledged, over any number of connections.

use std::collections::VecDeque;
use std::time::Duration;

use crate::client::Ticket;
use crate::history::{LifeId, MessageId};

/// Where a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Not wanted online.
    Closed,
    /// Without a connection since then; the next try is due at a time.
    Away { next: Duration },
    /// On its way in at a node since then.
    Entering { since: Duration },
    /// Online.
    In,
}

struct Entry {
    stanza: Vec<u8>,
    message: Option<MessageId>,
}

/// The client's side of one account's session.
pub(super) struct Session {
    pub(super) place: Place,
    /// The node that it is, was, or tries to be at.
    pub(super) node: usize,
    /// The node that its last connection was at.
    pub(super) left: usize,
    pub(super) life: Option<LifeId>,
    previd: Option<String>,
    queue: VecDeque<Entry>,
    /// How many of the queue were written, in this session.
    written: usize,
    /// How many stanzas of this session the server has handled, as it says.
    acked: u32,
    /// When the connection was lost, if it is.
    pub(super) lost_at: Option<Duration>,
    /// Why it was lost the last time.
    pub(super) lost_for: String,
    /// The nodes that it has tried in vain since.
    pub(super) tried: Vec<String>,
    pub(super) asked_at: Option<Duration>,
    /// When it was last asked, answered or not.
    pub(super) last_ask: Duration,
}

/// What an acknowledgement says that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WrongCount {
    /// It is less than it was.
    Falls { from: u32, to: u32 },
    /// More than was sent.
    Exceeds { sent: u32, h: u32 },
}

impl Session {
    pub(super) fn new() -> Self {
        Self {
            place: Place::Closed,
            node: 0,
            left: 0,
            life: None,
            previd: None,
            queue: VecDeque::new(),
            written: 0,
            acked: 0,
            lost_at: None,
            lost_for: String::new(),
            tried: vec![],
            asked_at: None,
            last_ask: Duration::ZERO,
        }
    }

    /// What it resumes with, if there is something to resume.
    pub(super) fn ticket(&self, taken: u32) -> Option<Ticket> {
        self.previd.clone().map(|previd| Ticket { previd, h: taken })
    }

    /// Adds a stanza to what it says.
    pub(super) fn push(&mut self, stanza: Vec<u8>, message: Option<MessageId>) {
        self.queue.push_back(Entry { stanza, message });
    }

    /// What was not written yet, which is written now.
    pub(super) fn write(&mut self) -> impl Iterator<Item = (&[u8], Option<MessageId>)> {
        let from = std::mem::replace(&mut self.written, self.queue.len());
        self.queue.iter().skip(from).map(|entry| (entry.stanza.as_slice(), entry.message))
    }

    /// A new session begins. What the old one had written is dropped: nobody knows whether it was handled. The rest is
    /// said in the new one.
    pub(super) fn begin(&mut self, life: LifeId, previd: Option<String>) {
        self.queue.drain(..self.written);
        (self.life, self.previd, self.written, self.acked) = (Some(life), previd, 0, 0);
    }

    /// The session is over, by its client's wish.
    pub(super) fn end(&mut self) {
        (self.life, self.previd, self.lost_at, self.asked_at) = (None, None, None, None);
        self.place = Place::Closed;
    }

    /// The server says how many it has handled: the messages among those that it had not before.
    pub(super) fn handled(&mut self, h: u32) -> Result<Vec<MessageId>, WrongCount> {
        let sent = self.sent();
        let more = h.wrapping_sub(self.acked);
        if more > u32::MAX / 2 {
            return Err(WrongCount::Falls { from: self.acked, to: h });
        }
        let more = usize::try_from(more).unwrap_or(usize::MAX);
        if more > self.written {
            return Err(WrongCount::Exceeds { sent, h });
        }
        self.acked = h;
        self.written -= more;
        Ok(self.queue.drain(..more).filter_map(|entry| entry.message).collect())
    }

    /// The session goes on with a new connection: what was not handled is said again.
    pub(super) fn say_again(&mut self) {
        // All that is left was not handled; it is written from the first on. The numbers stay.
        self.written = 0;
    }

    /// How many stanzas of this session were written.
    pub(super) fn sent(&self) -> u32 {
        self.acked.wrapping_add(u32::try_from(self.written).unwrap_or(u32::MAX))
    }

    /// How many the server has handled.
    pub(super) fn acked(&self) -> u32 {
        self.acked
    }

    /// Whether it waits for an acknowledgement, or has something to say.
    pub(super) fn is_owed(&self) -> bool {
        !self.queue.is_empty()
    }

    pub(super) fn is_in(&self) -> bool {
        self.place == Place::In
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(stanzas: usize) -> Session {
        let mut session = Session::new();
        session.begin(0, Some("id".into()));
        (0..stanzas).for_each(|number| session.push(vec![b'x'], Some(number)));
        assert_eq!(session.write().count(), stanzas);
        session
    }

    #[test]
    fn what_is_acknowledged_is_said_no_more() {
        let mut session = session(5);
        assert_eq!(session.handled(2), Ok(vec![0, 1]));
        session.say_again();
        let again: Vec<_> = session.write().map(|(_, message)| message).collect();
        assert_eq!(again, [Some(2), Some(3), Some(4)]);
        assert_eq!((session.handled(5), session.is_owed()), (Ok(vec![2, 3, 4]), false));
    }

    #[test]
    fn a_count_that_cannot_be_is_noticed() {
        let mut session = session(3);
        session.handled(2).unwrap();
        assert_eq!(session.handled(1), Err(WrongCount::Falls { from: 2, to: 1 }));
        assert_eq!(session.handled(4), Err(WrongCount::Exceeds { sent: 3, h: 4 }));
    }

    #[test]
    fn a_new_session_says_only_what_the_old_one_had_not_written() {
        let mut session = session(2);
        session.push(vec![b'y'], Some(7));
        session.begin(1, None);
        let said: Vec<_> = session.write().map(|(_, message)| message).collect();
        assert_eq!((said, session.sent()), (vec![Some(7)], 1));
    }
}
