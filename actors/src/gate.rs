//! The gate: how many log-ins this node works on at once. Those who come back to a session go first, then those who want one, then
//! those who have not yet proved who they are; each in the order of arrival. So a storm of log-ins is worked off at the pace
//! of the store and the owners, and is not felt by those who are in.
//!
//! A place is held only while the server works, never while it waits for a client.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

/// How long a place is held at most: an owner that is gone does not answer.
const HOLD_MAX: Duration = Duration::from_secs(2);

/// What somebody wants at the gate, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// To go on with a session (XEP-0198).
    Resume,
    /// A session.
    Bind,
    /// To prove who it is: its keys are looked up.
    LogIn,
}

/// The gate.
pub struct Gate {
    at_once_max: usize,
    waiting_max: usize,
    state: Mutex<State>,
    waiting: AtomicUsize,
}

#[derive(Default)]
struct State {
    last: u64,
    inside: HashMap<u64, Instant>,
    waiting: [VecDeque<oneshot::Sender<Pass>>; 3],
}

/// A place inside, given back when dropped.
pub struct Pass(Arc<Gate>, u64);

/// What the gate says.
pub enum Entry {
    /// Come in.
    Now(Pass),
    /// Wait.
    Later(oneshot::Receiver<Pass>),
    /// Too many wait.
    Full,
}

impl Gate {
    /// Lets so many in at once, and so many wait.
    pub fn new(at_once_max: usize, waiting_max: usize) -> Arc<Self> {
        let (state, waiting) = (Mutex::default(), AtomicUsize::new(0));
        Arc::new(Self { at_once_max: at_once_max.max(1), waiting_max, state, waiting })
    }

    /// Asks for a place.
    pub fn enter(self: &Arc<Self>, want: Want) -> Entry {
        let mut state = self.state();
        if state.inside.len() < self.at_once_max {
            return Entry::Now(Pass(self.clone(), state.let_in()));
        }
        if self.waiting() >= self.waiting_max {
            return Entry::Full;
        }
        let (sender, receiver) = oneshot::channel();
        state.waiting[want as usize].push_back(sender);
        self.count(&state);
        Entry::Later(receiver)
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, state: &State) {
        self.waiting.store(state.waiting.iter().map(VecDeque::len).sum(), Ordering::Relaxed);
    }

    /// Gives the places of those who have held them too long to others.
    pub fn look(self: &Arc<Self>, now: Instant) {
        let held = |since: &Instant| now.duration_since(*since) >= HOLD_MAX;
        let over: Vec<u64> =
            self.state().inside.iter().filter(|(_, since)| held(since)).map(|(id, _)| *id).collect();
        over.into_iter().for_each(|id| self.leave(id));
    }

    /// A place is free: whoever comes next has it, if anybody still waits.
    fn leave(self: &Arc<Self>, id: u64) {
        let next = {
            let mut state = self.state();
            if state.inside.remove(&id).is_none() {
                return;
            }
            let next = state.waiting.iter_mut().find_map(|queue| {
                std::iter::from_fn(|| queue.pop_front()).find(|sender| !sender.is_closed())
            });
            self.count(&state);
            next.map(|sender| (sender, state.let_in()))
        };
        if let Some((sender, id)) = next {
            // One that has left just now drops it again, and the next one comes.
            drop(sender.send(Pass(self.clone(), id)));
        }
    }
}

impl State {
    fn let_in(&mut self) -> u64 {
        self.last += 1;
        self.inside.insert(self.last, Instant::now());
        self.last
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.leave(self.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(gate: &Arc<Gate>, want: Want) -> oneshot::Receiver<Pass> {
        match gate.enter(want) {
            Entry::Later(receiver) => receiver,
            Entry::Now(_) | Entry::Full => panic!("it should wait"),
        }
    }

    fn now(gate: &Arc<Gate>, want: Want) -> Pass {
        match gate.enter(want) {
            Entry::Now(pass) => pass,
            Entry::Later(_) | Entry::Full => panic!("there should be a place"),
        }
    }

    #[test]
    fn who_comes_back_goes_before_who_wants_in_and_each_in_order() {
        let gate = Gate::new(1, 10);
        let inside = now(&gate, Want::LogIn);
        let mut waiting: Vec<_> =
            [Want::LogIn, Want::Bind, Want::LogIn, Want::Resume, Want::Bind, Want::Resume]
                .into_iter()
                .map(|want| wait(&gate, want))
                .collect();
        assert_eq!(gate.waiting(), 6);
        drop(inside);
        for next in [3, 5, 1, 4, 0, 2] {
            let pass = waiting[next].try_recv().expect("it is its turn");
            assert_eq!(waiting.iter_mut().filter_map(|other| other.try_recv().ok()).count(), 0);
            drop(pass);
        }
        drop(now(&gate, Want::LogIn));
    }

    #[test]
    fn who_has_left_is_passed_over_and_no_place_is_lost() {
        let gate = Gate::new(2, 10);
        let (one, other) = (now(&gate, Want::LogIn), now(&gate, Want::LogIn));
        let (left, mut stays) = (wait(&gate, Want::Bind), wait(&gate, Want::LogIn));
        drop(left);
        drop(one);
        assert!(stays.try_recv().is_ok());
        drop(other);
        let both = [now(&gate, Want::Resume), now(&gate, Want::Resume)];
        assert_eq!(gate.waiting(), 0);
        drop(both);
    }

    #[test]
    fn who_holds_a_place_too_long_loses_it_and_gives_it_back_only_once() {
        let gate = Gate::new(1, 10);
        let slow = now(&gate, Want::Bind);
        let (mut next, mut after) = (wait(&gate, Want::Bind), wait(&gate, Want::Bind));
        gate.look(Instant::now());
        assert!(next.try_recv().is_err());
        gate.look(Instant::now() + HOLD_MAX);
        let inside = next.try_recv().expect("the place is given to the next");
        drop(slow);
        assert!(after.try_recv().is_err(), "it was not its place any more");
        drop(inside);
        assert!(after.try_recv().is_ok());
    }

    #[test]
    fn so_many_wait_and_no_more() {
        let gate = Gate::new(1, 2);
        let inside = now(&gate, Want::LogIn);
        let waiting = [wait(&gate, Want::LogIn), wait(&gate, Want::LogIn)];
        assert!(matches!(gate.enter(Want::Resume), Entry::Full));
        drop(waiting);
        drop(inside);
        drop(now(&gate, Want::Resume));
    }
}
