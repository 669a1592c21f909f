//! The doorman of an arbiter: one TLS handshake at a time, then everything else that is ready has its turn. A full handshake takes a
//! core for about half a millisecond; hundreds of them in a row would be felt by every session of the thread.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::task::Waker;

thread_local! {
    static DOOR: RefCell<Door> = const { RefCell::new(Door { waiting: VecDeque::new(), called: None, is_watched: false }) };
}

struct Door {
    waiting: VecDeque<(u64, Waker)>,
    /// Whose turn it is.
    called: Option<u64>,
    /// The doorman walks.
    is_watched: bool,
}

/// Whether it is this connection's turn to work on its handshake; if not, it is woken when it is.
pub fn may_work(number: u64, waker: &Waker) -> bool {
    DOOR.with_borrow_mut(|door| {
        if door.called == Some(number) {
            door.called = None;
            return true;
        }
        if !door.is_watched {
            door.is_watched = true;
            actix_rt::spawn(walk());
            return true;
        }
        match door.waiting.iter_mut().find(|(waiting, _)| *waiting == number) {
            Some((_, known)) => known.clone_from(waker),
            None => door.waiting.push_back((number, waker.clone())),
        }
        false
    })
}

/// Calls one after the other, with a turn of everything else in between, until nobody waits.
async fn walk() {
    loop {
        tokio::task::yield_now().await;
        let next = DOOR.with_borrow_mut(|door| {
            let next = door.waiting.pop_front();
            door.called = next.as_ref().map(|(number, _)| *number);
            door.is_watched = next.is_some();
            next
        });
        match next {
            Some((_, waker)) => waker.wake(),
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::rc::Rc;
    use std::task::Poll;

    use super::*;

    /// Works twice when it is its turn, as a handshake does; notes in which turn of everybody that was.
    async fn shake(number: u64, round: Rc<Cell<u32>>, worked: Rc<RefCell<Vec<(u32, u64)>>>) {
        for _ in 0..2 {
            poll_fn(|cx| match may_work(number, cx.waker()) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            })
            .await;
            worked.borrow_mut().push((round.get(), number));
        }
    }

    #[test]
    fn one_works_at_a_time_in_order_and_everybody_else_has_a_turn_in_between() {
        let system = actix_rt::System::new();
        let (round, worked) = (Rc::new(Cell::new(0)), Rc::new(RefCell::new(Vec::new())));
        system.block_on(async {
            let shaking: Vec<_> =
                (0..50).map(|number| actix_rt::spawn(shake(number, round.clone(), worked.clone()))).collect();
            let rounds = round.clone();
            let others = actix_rt::spawn(async move {
                loop {
                    rounds.set(rounds.get() + 1);
                    tokio::task::yield_now().await;
                }
            });
            for shaken in shaking {
                shaken.await.unwrap();
            }
            others.abort();
        });
        let worked = worked.borrow();
        assert_eq!(worked.len(), 100);
        assert!(worked.windows(2).all(|pair| pair[0].0 < pair[1].0), "one in each round: {worked:?}");
        let mut first = Vec::new();
        for (_, number) in worked.iter() {
            if !first.contains(number) {
                first.push(*number);
            }
        }
        assert_eq!(first, (0..50).collect::<Vec<_>>());
    }
}
