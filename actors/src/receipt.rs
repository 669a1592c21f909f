//! Who answers for what: a receipt is open until all that an input led to is safe, and whoever waits for that is told.
//!
//! Responsibility passes with a commit. A step that changes nothing hands its receipt on to what it leads to; one that
//! changes its machine has its changes, and what they lead to, in two copies, and settles it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jid::Jid;
use muster_cluster::hash64;
use muster_proto::machine::SocketId;
use serde::{Deserialize, Serialize};

/// Names what an input led to, alike each time it is handled: who gets it twice drops it the second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Label {
    /// Where it comes from, hashed.
    pub source: u64,
    /// Its number there; it rises, and goes round.
    pub number: u32,
}

impl Label {
    /// One of the things that an actor says of itself, or that its client says.
    pub fn new(name: u64, kind: u64, number: u32) -> Self {
        Self { source: mix(name, kind), number }
    }

    /// The thing of that name to which it led at this actor.
    pub fn then(self, actor: u64, name: u64) -> Self {
        Self { source: mix(self.source ^ actor, name), number: self.number }
    }
}

fn mix(one: u64, other: u64) -> u64 {
    let mut both = [0; 16];
    both[..8].copy_from_slice(&one.to_be_bytes());
    both[8..].copy_from_slice(&other.to_be_bytes());
    hash64(&both)
}

/// What comes with an input.
#[derive(Clone, Debug, Default)]
pub struct Via {
    /// Open until all that the input leads to is safe.
    pub receipt: Receipt,
    /// What it is called, if it may come twice.
    pub label: Option<Label>,
    /// It is what this socket's client said, with its number there.
    pub said: Option<(SocketId, u64)>,
    /// How often the world answered a question on its way.
    pub turn: u32,
    /// It came over another node.
    pub is_sent_on: bool,
}

impl Via {
    /// Of what a client said.
    pub fn said(socket: SocketId, number: u64) -> Self {
        Self { said: Some((socket, number)), ..Self::default() }
    }

    /// Of something that may come twice, or may be waited for.
    pub fn new(receipt: Receipt, label: Option<Label>) -> Self {
        Self { receipt, label, ..Self::default() }
    }

    /// Of the thing of that name to which it leads at this actor.
    pub fn then(&self, actor: u64, name: u64) -> Self {
        self.clone().into_then(actor, name)
    }

    /// Of the only thing to which it leads, or the last.
    pub fn into_then(self, actor: u64, name: u64) -> Self {
        let name = name.wrapping_add(u64::from(self.turn) << 32);
        Self::new(self.receipt, self.label.map(|label| label.then(actor, name)))
    }

    /// Of the copy for one of many receivers.
    pub fn copy_for(&self, receiver: &Jid) -> Self {
        let name = |label: Label| label.then(hash64(receiver.as_str().as_bytes()), 0);
        Self { is_sent_on: self.is_sent_on, ..Self::new(self.receipt.clone(), self.label.map(name)) }
    }

    /// Of the answer to a question that the input led to.
    pub fn answered(&self) -> Self {
        Self { turn: self.turn + 1, said: None, ..self.clone() }
    }
}

/// Open until it is settled. When one is dropped unsettled, nobody is ever told: whoever waits says it again when the
/// owner is another one.
#[derive(Debug, Default)]
pub struct Receipt(Option<Arc<Open>>);

/// What receipts stand for, as seen by who waits for them.
pub struct Open {
    /// How many receipts are not settled; [`LOST`]; [`WATCHED`].
    state: AtomicUsize,
    /// What is done when they are settled.
    then: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

/// One of the receipts was dropped.
const LOST: usize = 1 << (usize::BITS - 1);
/// Something is to be done when they are settled.
const WATCHED: usize = LOST >> 1;

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Open {
    /// The first receipt, and where to look whether it is settled.
    pub fn new() -> (Receipt, Arc<Self>) {
        let open = Arc::new(Self { state: AtomicUsize::new(1), then: Mutex::default() });
        (Receipt(Some(open.clone())), open)
    }

    /// Whether all receipts are settled.
    pub fn is_safe(&self) -> bool {
        self.state.load(Ordering::Acquire) & !WATCHED == 0
    }

    /// Whether somebody is told already when they are.
    pub fn is_watched(&self) -> bool {
        self.state.load(Ordering::Acquire) & WATCHED != 0
    }

    /// Does this when they are, perhaps at once.
    pub fn watch(&self, then: impl FnOnce() + Send + 'static) {
        *self.then() = Some(Box::new(then));
        if self.state.fetch_or(WATCHED, Ordering::AcqRel) & !WATCHED == 0 {
            self.close();
        }
    }

    fn close(&self) {
        let then = self.then().take();
        if let Some(then) = then {
            then();
        }
    }

    fn then(&self) -> MutexGuard<'_, Option<Box<dyn FnOnce() + Send>>> {
        self.then.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Receipt {
    /// One that tells when it, and all that were cloned from it, are settled.
    pub fn new(then: impl FnOnce() + Send + 'static) -> Self {
        let (receipt, open) = Open::new();
        open.watch(then);
        receipt
    }

    /// All that it stands for is safe.
    pub fn settle(mut self) {
        let Some(open) = self.0.take() else { return };
        if open.state.fetch_sub(1, Ordering::AcqRel) == WATCHED | 1 {
            open.close();
        }
    }
}

impl Clone for Receipt {
    fn clone(&self) -> Self {
        self.0.iter().for_each(|open| {
            open.state.fetch_add(1, Ordering::AcqRel);
        });
        Self(self.0.clone())
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        self.0.iter().for_each(|open| {
            open.state.fetch_or(LOST, Ordering::AcqRel);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_settled_when_all_that_were_cloned_from_it_are() {
        let told = Arc::new(AtomicUsize::new(0));
        let receipt = |told: &Arc<AtomicUsize>| {
            let told = told.clone();
            Receipt::new(move || {
                told.fetch_add(1, Ordering::Relaxed);
            })
        };
        let (one, other) = (receipt(&told), receipt(&told));
        let copies = (one.clone(), other.clone());
        one.settle();
        other.settle();
        assert_eq!(told.load(Ordering::Relaxed), 0);
        copies.0.settle();
        assert_eq!(told.load(Ordering::Relaxed), 1);
        drop(copies.1);
        assert_eq!(told.load(Ordering::Relaxed), 1, "what was dropped is not safe");
        Receipt::default().settle();
    }

    #[test]
    fn who_looks_later_is_told_at_once() {
        let told = Arc::new(AtomicUsize::new(0));
        let tell = |told: &Arc<AtomicUsize>| {
            let told = told.clone();
            move || {
                told.fetch_add(1, Ordering::Relaxed);
            }
        };
        let ((one, first), (other, second)) = (Open::new(), Open::new());
        first.watch(tell(&told));
        assert!(first.is_watched() && !first.is_safe());
        one.settle();
        other.settle();
        assert!(first.is_safe() && second.is_safe() && !second.is_watched());
        second.watch(tell(&told));
        assert_eq!(told.load(Ordering::Relaxed), 2);
        let (dropped, open) = Open::new();
        drop(dropped);
        open.watch(tell(&told));
        assert!(!open.is_safe() && told.load(Ordering::Relaxed) == 2);
    }

    #[test]
    fn what_an_input_leads_to_is_called_alike_each_time() {
        let label = Label::new(7, 1, 9);
        assert_eq!(label.then(3, 0), label.then(3, 0));
        assert_ne!(label.then(3, 0), label.then(3, 1));
        assert_ne!(label.then(3, 0), label.then(4, 0));
        assert_eq!(label.then(3, 0).number, 9);
        let via = Via::new(Receipt::default(), Some(label));
        assert_ne!(via.then(3, 0).label, via.answered().then(3, 0).label);
    }
}
