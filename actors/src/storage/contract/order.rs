//! Order is that of the calls, whatever is awaited first.

use std::cell::RefCell;

use futures_util::future::join_all;
use muster_proto::store::{Query, Reply, StoreError, Write};

use super::super::Batch;
use super::{Subject, all, document, log};

pub(super) async fn play(store: &Subject) {
    a_question_sees_what_was_written_before_and_not_what_came_after(store).await;
    answers_come_in_the_order_of_the_calls(store).await;
    many_who_write_at_once_all_find_their_writes(store).await;
}

async fn a_question_sees_what_was_written_before_and_not_what_came_after(store: &Subject) {
    let owner = "seen@capulet.lit";
    let key = || document(owner);
    store.write([Write::Put(key(), b"0".to_vec())]).await;
    let mut asked = Vec::new();
    let mut written = Vec::new();
    for n in 1..200u32 {
        asked.push((n - 1, store.0.query(Query::Document(key()))));
        written.push(store.0.write(Batch::unfenced(vec![Write::Put(key(), n.to_string().into_bytes())])));
        asked.push((n, store.0.query(Query::Document(key()))));
        asked.push((n, store.0.query(Query::Document(key()))));
        if n % 7 == 0 {
            // Lets what waits be served, so that the next round begins in another state.
            tokio::task::yield_now().await;
            let _ = store.0.query(Query::Document(key())).await;
        }
    }
    // Awaited backwards: the order was fixed before.
    for (n, answer) in asked.into_iter().rev() {
        assert_eq!(answer.await, Ok(Reply::Document(Some(n.to_string().into_bytes()))));
    }
    for written in written {
        assert_eq!(written.await, Ok(()));
    }
}

async fn answers_come_in_the_order_of_the_calls(store: &Subject) {
    let owner = "answered@capulet.lit";
    let order = RefCell::new(Vec::new());
    let note = async |n: u32, write: bool| -> Result<(), StoreError> {
        // The call is made now, on the first poll, in the order of the list; the rest is waiting.
        if write {
            let writes = vec![Write::Append(log(owner), u64::from(n), vec![])];
            store.0.write(Batch::unfenced(writes)).await?;
        } else {
            store.0.query(Query::Page(log(owner), all())).await?;
        }
        order.borrow_mut().push(n);
        Ok(())
    };
    // Few enough that one poll of all of them is one pass in order.
    let calls: Vec<_> = (0..20).map(|n| note(n, n % 3 == 0)).collect();
    for outcome in join_all(calls).await {
        assert_eq!(outcome, Ok(()));
    }
    assert_eq!(*order.borrow(), (0..20).collect::<Vec<_>>());
}

async fn many_who_write_at_once_all_find_their_writes(store: &Subject) {
    let owner = |n: usize| format!("crowd-{}@capulet.lit", n % 100);
    let writes = (0..2_000).map(|n| {
        store.0.write(Batch::unfenced(vec![Write::Append(
            log(&owner(n)),
            n as u64,
            n.to_string().into_bytes(),
        )]))
    });
    for outcome in join_all(writes.collect::<Vec<_>>()).await {
        assert_eq!(outcome, Ok(()));
    }
    for n in 0..100 {
        let found = store.page(&owner(n), all()).await;
        let expected: Vec<_> =
            (n..2_000).step_by(100).map(|n| (n as u64, n.to_string().into_bytes())).collect();
        assert_eq!(found, expected);
    }
}
