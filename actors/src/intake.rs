//! What clients said, in the order in which they said it, until all that it led to is safe.

use std::collections::VecDeque;
use std::sync::Arc;

use muster_proto::machine::SocketId;

use crate::receipt::Open;

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
    /// Under way until this is safe.
    Open(Arc<Open>),
    /// It waits until all before it is safe.
    Waits(Box<I>),
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
    /// Whether its socket is to be told.
    pub is_due: bool,
}

/// Whether a socket is to be told that its client's words up to this one were handled.
pub fn is_due(said: u64) -> bool {
    said.is_multiple_of(TELL_EVERY)
}

/// What is to be done now.
#[derive(Debug)]
pub enum Next<I> {
    /// Say that this is safe.
    Tell(Done),
    /// This has waited, and is handled now that all before it is safe, of which the last was not said.
    Handle(u64, I, Option<Done>),
    /// Go on when this is safe.
    Await(Arc<Open>),
}

impl<I> Default for Intake<I> {
    fn default() -> Self {
        Self { lanes: Vec::new() }
    }
}

impl<I> Intake<I> {
    /// A client said something, under way until that is safe.
    pub fn open(&mut self, sid: u64, said: (SocketId, u64), number: Option<u32>, open: Arc<Open>) {
        self.push(sid, Entry { said, number, state: State::Open(open) });
    }

    /// A client said something that waits until all before it is safe; its index, by which [`Intake::hurry`] knows it.
    pub fn wait(&mut self, sid: u64, said: (SocketId, u64), input: I) -> u64 {
        self.push(sid, Entry { said, number: None, state: State::Waits(Box::new(input)) })
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

    /// What has waited is under way.
    pub fn begin(&mut self, sid: u64, index: u64, open: Arc<Open>) {
        if let Some(entry) = self.entry(sid, index) {
            entry.state = State::Open(open);
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
            State::Open(_) => None,
        }
    }

    fn entry(&mut self, sid: u64, index: u64) -> Option<&mut Entry<I>> {
        let lane = self.lanes.iter_mut().find(|lane| lane.sid == sid)?;
        let index = usize::try_from(index.checked_sub(lane.first)?).ok()?;
        lane.entries.get_mut(index)
    }

    /// What is to be done in a session's lane; ask until there is nothing.
    pub fn next(&mut self, sid: u64, again: impl FnOnce(&I) -> Option<I>) -> Option<Next<I>> {
        let lane = self.lanes.iter_mut().find(|lane| lane.sid == sid)?;
        lane.next(again)
    }

    /// All that is under way, with the session whose client said it.
    pub fn under_way(&self) -> Vec<(u64, Arc<Open>)> {
        let of = |entry: &Entry<I>| match &entry.state {
            State::Open(open) => Some(open.clone()),
            State::Waits(_) => None,
        };
        self.lanes
            .iter()
            .flat_map(|lane| lane.entries.iter().filter_map(of).map(|open| (lane.sid, open)))
            .collect()
    }

    /// What can be said to be safe and was not, of all clients. Nothing is allocated for one client.
    pub fn tell_all(&mut self) -> impl Iterator<Item = Done> + use<I> {
        let mut done = self.lanes.iter_mut().filter_map(|lane| {
            lane.collect();
            lane.done.take()
        });
        let first = done.next();
        let rest: Vec<Done> = done.collect();
        first.into_iter().chain(rest)
    }

    /// Forgets clients of which there is nothing to say, and keeps no room for them.
    pub fn tidy(&mut self) {
        self.lanes.retain(|lane| !lane.entries.is_empty() || lane.done.is_some());
        self.lanes.shrink_to_fit();
    }

    /// Whether nobody has said anything since it was tidied.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Whether nothing is under way.
    pub fn is_clear(&mut self) -> bool {
        self.lanes.iter_mut().all(|lane| {
            lane.collect();
            lane.entries.is_empty()
        })
    }
}

impl<I> Lane<I> {
    /// Takes out what is safe.
    fn collect(&mut self) {
        let is_safe = |entry: &mut Entry<I>| match &entry.state {
            State::Open(open) => open.is_safe(),
            State::Waits(_) => false,
        };
        while let Some(entry) = self.entries.pop_front_if(is_safe) {
            self.first += 1;
            let number = entry.number.or_else(|| self.done.and_then(|done| done.number));
            let is_due = is_due(entry.said.1) || self.done.is_some_and(|done| done.is_due);
            self.done = Some(Done { sid: self.sid, number, said: entry.said, is_due });
        }
    }

    fn next(&mut self, again: impl FnOnce(&I) -> Option<I>) -> Option<Next<I>> {
        self.collect();
        if let Some(done) = self.done.take_if(|done| done.is_due) {
            return Some(Next::Tell(done));
        }
        let somebody_waits = self.entries.iter().any(|entry| is_due(entry.said.1) || entry.waits());
        match &self.entries.front()?.state {
            State::Open(open) if somebody_waits && !open.is_watched() => Some(Next::Await(open.clone())),
            State::Open(_) => None,
            State::Waits(input) => Some(Next::Handle(self.first, again(input)?, self.done.take())),
        }
    }
}

impl<I> Entry<I> {
    fn waits(&self) -> bool {
        matches!(self.state, State::Waits(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::Receipt;

    const SOCKET: SocketId = SocketId { node: 1, number: 1 };

    fn done(sid: u64, said: u64) -> Done {
        Done { sid, number: u32::try_from(said).ok(), said: (SOCKET, said), is_due: is_due(said) }
    }

    fn said(intake: &mut Intake<&'static str>, sid: u64, number: u32) -> Receipt {
        let (receipt, open) = Open::new();
        intake.open(sid, (SOCKET, u64::from(number)), Some(number), open);
        receipt
    }

    fn next(intake: &mut Intake<&'static str>, sid: u64) -> Option<Next<&'static str>> {
        intake.next(sid, |input| Some(*input))
    }

    #[test]
    fn a_client_is_told_in_order_and_now_and_then() {
        let mut intake = Intake::default();
        let mut receipts: Vec<Receipt> = (1..=20).map(|number| said(&mut intake, 5, number)).collect();
        let first = receipts.remove(0);
        receipts.into_iter().rev().for_each(Receipt::settle);
        assert!(matches!(next(&mut intake, 5), Some(Next::Await(open)) if !open.is_safe()));
        first.settle();
        assert!(
            matches!(next(&mut intake, 5), Some(Next::Tell(told)) if told == Done { is_due: true, ..done(5, 20) })
        );
        assert!(next(&mut intake, 5).is_none());
        said(&mut intake, 5, 21).settle();
        assert_eq!(intake.tell_all().collect::<Vec<_>>(), [done(5, 21)]);
        intake.tidy();
        assert!(intake.is_clear() && intake.is_empty() && intake.lanes.capacity() == 0);
    }

    #[test]
    fn who_asks_waits_for_what_was_said_before() {
        let mut intake = Intake::default();
        let one = said(&mut intake, 5, 1);
        assert!(next(&mut intake, 5).is_none(), "nobody waits");
        let asks = intake.wait(5, (SOCKET, 2), "asks");
        let three = said(&mut intake, 5, 3);
        assert!(matches!(next(&mut intake, 5), Some(Next::Await(_))));
        three.settle();
        one.settle();
        let (receipt, open) = Open::new();
        let Some(Next::Handle(index, "asks", Some(told))) = next(&mut intake, 5) else { panic!() };
        assert_eq!((index, told), (asks, done(5, 1)));
        intake.begin(5, index, open);
        receipt.settle();
        assert!(next(&mut intake, 5).is_none());
        assert_eq!(intake.tell_all().collect::<Vec<_>>(), [done(5, 3)]);
    }

    #[test]
    fn who_has_waited_long_enough_is_heard_and_others_do_not_wait_for_him() {
        let mut intake = Intake::default();
        let _one = said(&mut intake, 5, 1);
        let asks = intake.wait(5, (SOCKET, 2), "asks");
        said(&mut intake, 6, 16).settle();
        assert!(matches!(next(&mut intake, 6), Some(Next::Tell(told)) if told == done(6, 16)));
        assert_eq!(intake.hurry(5, asks, |input| Some(*input)), Some("asks"));
        assert!(intake.is_waiting(5, asks), "it hears the rest later");
        assert_eq!(intake.hurry(5, asks + 1, |input| Some(*input)), None);
        assert!(!intake.is_clear());
    }
}
