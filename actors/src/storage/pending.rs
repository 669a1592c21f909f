//! An answer that is under way.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use muster_proto::store::StoreError;
use tokio::sync::oneshot;

/// What a backend calls when it has the answer.
pub(super) type Answer<T> = oneshot::Sender<Result<T, StoreError>>;
/// Told how long an answer took and what it was, once.
pub(super) type Watch<T> = fn(Instant, &Result<T, StoreError>);

/// An answer that is under way. Dropping it does not undo what was asked.
#[derive(Debug)]
#[must_use = "an answer means nothing until it is awaited"]
pub struct Pending<T> {
    state: State<T>,
    watch: Option<(Instant, Watch<T>)>,
}

#[derive(Debug)]
enum State<T> {
    Ready(Option<Result<T, StoreError>>),
    Waiting(oneshot::Receiver<Result<T, StoreError>>),
}

impl<T> Pending<T> {
    /// An answer that is known.
    pub fn ready(answer: Result<T, StoreError>) -> Self {
        Self { state: State::Ready(Some(answer)), watch: None }
    }

    /// An answer, and whom to tell it to.
    pub(super) fn channel() -> (Answer<T>, Self) {
        let (sender, receiver) = oneshot::channel();
        (sender, Self { state: State::Waiting(receiver), watch: None })
    }

    /// Tells `watch` when the answer is taken.
    pub(super) fn watched(mut self, since: Instant, watch: Watch<T>) -> Self {
        self.watch = Some((since, watch));
        self
    }
}

impl<T: Unpin> Future for Pending<T> {
    type Output = Result<T, StoreError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = match &mut self.state {
            State::Ready(answer) => answer.take().expect("polled again after it was ready"),
            State::Waiting(receiver) => match Pin::new(receiver).poll(cx) {
                Poll::Ready(Ok(answer)) => answer,
                Poll::Ready(Err(_)) => Err(StoreError::Away("it was closed".to_owned())),
                Poll::Pending => return Poll::Pending,
            },
        };
        if let Some((since, watch)) = self.watch.take() {
            watch(since, &answer);
        }
        Poll::Ready(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

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
        sender.send(Ok(())).unwrap();
        let (sender, forgotten) = Pending::channel();
        drop(sender);
        contract::run(async {
            assert_eq!(answered.watched(Instant::now(), seen).await, Ok(()));
            assert_eq!(Pending::ready(Ok(())).watched(Instant::now(), seen).await, Ok(()));
            assert!(matches!(forgotten.watched(Instant::now(), seen).await, Err(StoreError::Away(_))));
        });
        assert_eq!(SEEN.get(), 102);
    }
}
