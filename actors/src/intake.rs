//! What clients said, in the order in which they said it, until all that it led to is safe.

use std::collections::VecDeque;

use muster_proto::machine::SocketId;

/// A socket is told of every so many of its client's stanzas that they were handled; a fraction of its window.
const TELL_EVERY: u64 = 16;

/// What the clients of an account said. One client does not wait for another.
pub struct Intake<I> {
    lanes: Vec<Lane<I>>,
}

/// What one session's client said.
struct Lane<I> {
    sid: u64,
    /// The index of the first entry.
    first: u64,
    entries: VecDeque<Entry<I>>,
    /// The last that is safe, with all before it, and was not said to be.
    done: Option<Done>,
}

struct Entry<I> {
    said: (SocketId, u64),
    number: Option<u32>,
    state: State<I>,
}

enum State<I> {
    Open,
    /// It waits until all before it is safe.
    Waits(I),
    Safe,
}

/// All that a client said up to here is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Which session.
    pub sid: u64,
    /// Its number among the stanzas of a managed stream.
    pub number: Option<u32>,
    /// Its number at the socket.
    pub said: (SocketId, u64),
}

impl Done {
    /// Whether its socket is to be told.
    pub fn is_due(&self) -> bool {
        self.said.1.is_multiple_of(TELL_EVERY)
    }
}

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<I> {
    /// Say that this is safe.
    Tell(Done),
    /// This has waited, and is handled now under that index.
    Handle(u64, I),
}

impl<I> Default for Intake<I> {
    fn default() -> Self {
        Self { lanes: Vec::new() }
    }
}

impl<I> Intake<I> {
    /// A client said something; its index, by which [`Intake::safe`] knows it.
    pub fn open(&mut self, sid: u64, said: (SocketId, u64), number: Option<u32>) -> u64 {
        self.push(sid, Entry { said, number, state: State::Open })
    }

    /// A client said something that waits until all before it is safe.
    pub fn wait(&mut self, sid: u64, said: (SocketId, u64), input: I) -> u64 {
        self.push(sid, Entry { said, number: None, state: State::Waits(input) })
    }

    fn push(&mut self, sid: u64, entry: Entry<I>) -> u64 {
        let index = self.lanes.iter().position(|lane| lane.sid == sid).unwrap_or_else(|| {
            self.lanes.push(Lane { sid, first: 0, entries: VecDeque::new(), done: None });
            self.lanes.len() - 1
        });
        let lane = &mut self.lanes[index];
        lane.entries.push_back(entry);
        lane.first + lane.entries.len() as u64 - 1
    }

    /// All that it led to is safe.
    pub fn safe(&mut self, sid: u64, index: u64) {
        if let Some(entry) = self.entry(sid, index) {
            entry.state = State::Safe;
        }
    }

    /// Whether that still waits.
    pub fn is_waiting(&mut self, sid: u64, index: u64) -> bool {
        self.entry(sid, index).is_some_and(|entry| matches!(entry.state, State::Waits(_)))
    }

    /// Gives what waits although not all before it is safe; the same waits on.
    pub fn hurry(&mut self, sid: u64, index: u64, again: impl FnOnce(&I) -> Option<I>) -> Option<I> {
        match &self.entry(sid, index)?.state {
            State::Waits(input) => again(input),
            State::Open | State::Safe => None,
        }
    }

    fn entry(&mut self, sid: u64, index: u64) -> Option<&mut Entry<I>> {
        let lane = self.lanes.iter_mut().find(|lane| lane.sid == sid)?;
        let index = usize::try_from(index.checked_sub(lane.first)?).ok()?;
        lane.entries.get_mut(index)
    }

    /// What is to be done in a session's lane; ask until there is nothing.
    pub fn next(&mut self, sid: u64) -> Option<Next<I>> {
        let position = self.lanes.iter().position(|lane| lane.sid == sid)?;
        let next = self.lanes[position].next();
        if next.is_none() && self.lanes[position].is_clear() {
            self.lanes.swap_remove(position);
        }
        next
    }

    /// What can be said to be safe and was not, of all clients.
    pub fn tell_all(&mut self) -> Vec<Done> {
        let done = self.lanes.iter_mut().filter_map(|lane| lane.done.take()).collect();
        self.lanes.retain(|lane| !lane.is_clear());
        done
    }

    /// Whether something is safe that was not said to be.
    pub fn has_untold(&self) -> bool {
        self.lanes.iter().any(|lane| lane.done.is_some())
    }

    /// Whether nothing is under way.
    pub fn is_clear(&self) -> bool {
        self.lanes.iter().all(|lane| lane.entries.is_empty())
    }
}

impl<I> Lane<I> {
    fn is_clear(&self) -> bool {
        self.entries.is_empty() && self.done.is_none()
    }

    fn next(&mut self) -> Option<Next<I>> {
        while let Some(entry) = self.entries.pop_front_if(|entry| matches!(entry.state, State::Safe)) {
            self.first += 1;
            let number = entry.number.or_else(|| self.done.and_then(|done| done.number));
            let done = Done { sid: self.sid, number, said: entry.said };
            self.done = Some(done);
            if done.is_due() {
                self.done = None;
                return Some(Next::Tell(done));
            }
        }
        let first = self.entries.front_mut()?;
        if !matches!(first.state, State::Waits(_)) {
            return None;
        }
        // What it asks about is what was safe before it.
        if let Some(done) = self.done.take() {
            return Some(Next::Tell(done));
        }
        match std::mem::replace(&mut first.state, State::Open) {
            State::Waits(input) => Some(Next::Handle(self.first, input)),
            State::Open | State::Safe => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOCKET: SocketId = SocketId { node: 1, number: 1 };

    fn done(sid: u64, said: u64) -> Done {
        Done { sid, number: u32::try_from(said).ok(), said: (SOCKET, said) }
    }

    fn said(intake: &mut Intake<&'static str>, sid: u64, number: u32) -> u64 {
        intake.open(sid, (SOCKET, u64::from(number)), Some(number))
    }

    #[test]
    fn a_client_is_told_in_order_and_now_and_then() {
        let mut intake = Intake::default();
        let indexes: Vec<u64> = (1..=20).map(|number| said(&mut intake, 5, number)).collect();
        for index in indexes[1..].iter().rev() {
            intake.safe(5, *index);
            assert_eq!(intake.next(5), None, "the first is not safe");
        }
        intake.safe(5, indexes[0]);
        assert_eq!(intake.next(5), Some(Next::Tell(done(5, 16))));
        assert_eq!(intake.next(5), None);
        assert_eq!(intake.tell_all(), [done(5, 20)]);
        assert!(intake.is_clear() && intake.lanes.is_empty());
    }

    #[test]
    fn who_asks_waits_for_what_was_said_before() {
        let mut intake = Intake::default();
        let one = said(&mut intake, 5, 1);
        let asks = intake.wait(5, (SOCKET, 2), "asks");
        let three = said(&mut intake, 5, 3);
        assert_eq!(intake.next(5), None);
        intake.safe(5, three);
        intake.safe(5, one);
        assert_eq!(intake.next(5), Some(Next::Tell(done(5, 1))));
        assert_eq!(intake.next(5), Some(Next::Handle(asks, "asks")));
        assert_eq!(intake.next(5), None);
        intake.safe(5, asks);
        assert_eq!(intake.next(5), None);
        assert_eq!(intake.tell_all(), [done(5, 3)]);
    }

    #[test]
    fn who_has_waited_long_enough_is_heard_and_others_do_not_wait_for_him() {
        let mut intake = Intake::default();
        said(&mut intake, 5, 1);
        let asks = intake.wait(5, (SOCKET, 2), "asks");
        let other = said(&mut intake, 6, 16);
        intake.safe(6, other);
        assert_eq!(intake.next(6), Some(Next::Tell(done(6, 16))));
        assert_eq!(intake.hurry(5, asks, |input| Some(*input)), Some("asks"));
        assert!(intake.is_waiting(5, asks), "it hears the rest later");
        assert_eq!(intake.hurry(5, asks + 1, |input| Some(*input)), None);
        assert!(!intake.is_clear());
    }
}
