//! An answer that is under way: it can be awaited, or handed to a function on whatever thread it comes.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use muster_proto::store::StoreError;

/// Told how long an answer took and what it was, once.
pub(super) type Watch<T> = fn(Instant, &Result<T, StoreError>);
/// Takes the answer.
type Taker<T> = Box<dyn FnOnce(Result<T, StoreError>) + Send>;

/// An answer that is under way. Dropping it does not undo what was asked.
#[must_use = "an answer means nothing until it is awaited"]
pub struct Pending<T> {
    state: State<T>,
    watch: Option<(Instant, Watch<T>)>,
}

enum State<T> {
    Ready(Option<Result<T, StoreError>>),
    Waiting(Arc<Place<T>>),
}

/// What a backend gives the answer to. Dropped without one, it says that the store was closed.
pub(super) struct Answer<T>(Option<Arc<Place<T>>>);

struct Place<T>(Mutex<Stage<T>>);

enum Stage<T> {
    Open(Option<Waker>),
    Taken(Taker<T>),
    Done(Option<Result<T, StoreError>>),
}

impl<T> Place<T> {
    fn stage(&self) -> MutexGuard<'_, Stage<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Answer<T> {
    /// Gives the answer.
    pub(super) fn send(mut self, answer: Result<T, StoreError>) {
        self.give(answer);
    }

    fn give(&mut self, answer: Result<T, StoreError>) {
        let Some(place) = self.0.take() else { return };
        let mut stage = place.stage();
        match std::mem::replace(&mut *stage, Stage::Done(None)) {
            Stage::Taken(taker) => {
                drop(stage);
                taker(answer);
            }
            Stage::Open(waker) => {
                *stage = Stage::Done(Some(answer));
                drop(stage);
                waker.into_iter().for_each(Waker::wake);
            }
            Stage::Done(_) => {}
        }
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        self.give(Err(StoreError::Away("it was closed".to_owned())));
    }
}

impl<T> Pending<T> {
    /// An answer that is known.
    pub fn ready(answer: Result<T, StoreError>) -> Self {
        Self { state: State::Ready(Some(answer)), watch: None }
    }

    /// An answer, and whom to tell it to.
    pub(super) fn channel() -> (Answer<T>, Self) {
        let place = Arc::new(Place(Mutex::new(Stage::Open(None))));
        (Answer(Some(place.clone())), Self { state: State::Waiting(place), watch: None })
    }

    /// An answer that is given by calling the function.
    pub fn later() -> (impl FnOnce(Result<T, StoreError>) + Send, Self)
    where
        T: Send,
    {
        let (answer, pending) = Self::channel();
        (move |result| answer.send(result), pending)
    }

    /// Tells `watch` when the answer is taken.
    pub(super) fn watched(mut self, since: Instant, watch: Watch<T>) -> Self {
        self.watch = Some((since, watch));
        self
    }

    /// Hands the answer to `taker` instead: at once if it is there, else on the thread that gives it.
    pub(super) fn then(self, taker: impl FnOnce(Result<T, StoreError>) + Send + 'static)
    where
        T: 'static,
    {
        let watch = self.watch;
        let taker = move |answer: Result<T, StoreError>| {
            if let Some((since, watch)) = watch {
                watch(since, &answer);
            }
            taker(answer);
        };
        let answer = match self.state {
            State::Ready(answer) => answer,
            State::Waiting(place) => {
                let mut stage = place.stage();
                match &mut *stage {
                    Stage::Done(answer) => answer.take(),
                    Stage::Open(_) | Stage::Taken(_) => {
                        *stage = Stage::Taken(Box::new(taker));
                        return;
                    }
                }
            }
        };
        if let Some(answer) = answer {
            taker(answer);
        }
    }
}

impl<T: Unpin> Future for Pending<T> {
    type Output = Result<T, StoreError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = match &mut self.state {
            State::Ready(answer) => answer.take(),
            State::Waiting(place) => match &mut *place.stage() {
                Stage::Done(answer) => answer.take(),
                stage => {
                    *stage = Stage::Open(Some(cx.waker().clone()));
                    return Poll::Pending;
                }
            },
        };
        let answer = answer.expect("polled again after it was ready");
        if let Some((since, watch)) = self.watch.take() {
            watch(since, &answer);
        }
        Poll::Ready(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::mpsc;

    use super::*;
    use crate::storage::contract;

    thread_local! {
        static SEEN: Cell<u32> = const { Cell::new(0) };
    }

    fn seen(_: Instant, answer: &Result<(), StoreError>) {
        SEEN.set(SEEN.get() + if answer.is_ok() { 1 } else { 100 });
    }

    #[test]
    fn an_answer_is_watched_once_and_a_store_that_ends_is_away() {
        let (sender, answered) = Pending::channel();
        sender.send(Ok(()));
        let (sender, forgotten) = Pending::channel();
        drop(sender);
        contract::run(async {
            assert_eq!(answered.watched(Instant::now(), seen).await, Ok(()));
            assert_eq!(Pending::ready(Ok(())).watched(Instant::now(), seen).await, Ok(()));
            assert!(matches!(forgotten.watched(Instant::now(), seen).await, Err(StoreError::Away(_))));
        });
        assert_eq!(SEEN.get(), 102);
    }

    #[test]
    fn an_answer_wakes_who_awaits_it_on_another_thread() {
        let (sender, pending) = Pending::channel();
        let giver = std::thread::spawn(move || sender.send(Ok(7)));
        assert_eq!(contract::run(pending), Ok(7));
        giver.join().unwrap();
    }

    #[test]
    fn an_answer_is_handed_over_before_or_after_it_comes() {
        let (told, hears) = mpsc::channel();
        let (early, late) = (told.clone(), told.clone());
        Pending::ready(Ok(1)).then(move |answer| early.send(answer).unwrap());
        assert_eq!(hears.try_recv(), Ok(Ok(1)));
        let (sender, pending) = Pending::channel();
        pending.then(move |answer| late.send(answer).unwrap());
        assert!(hears.try_recv().is_err());
        sender.send(Ok(2));
        assert_eq!(hears.try_recv(), Ok(Ok(2)));
        let (sender, pending) = Pending::<u32>::channel();
        pending.then(move |answer| told.send(answer).unwrap());
        drop(sender);
        assert!(matches!(hears.try_recv(), Ok(Err(StoreError::Away(_)))));
    }
}
