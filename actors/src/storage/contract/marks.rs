//! What is written again after an unknown outcome is not written twice.

use std::sync::Arc;

use muster_proto::store::{StoreError, Write};

use super::super::{Backend, Batch, Mark, slots};
use super::{Subject, all, document, log, map};

pub(super) async fn play(store: &Arc<dyn Backend>) {
    what_comes_again_changes_nothing(store).await;
    an_earlier_number_that_comes_late_changes_nothing(store).await;
    writers_are_not_mistaken_for_each_other(store).await;
    a_newer_owner_does_not_make_what_was_written_unwritten(store).await;
    a_batch_of_several_slots_is_known_in_each(store).await;
}

fn subject(store: &Arc<dyn Backend>) -> Subject {
    Subject(store.clone())
}

fn put(owner: &str, value: &str) -> Write {
    Write::Put(document(owner), value.into())
}

fn slot_of(owner: &str) -> u16 {
    slots::slot(&document(owner))
}

async fn once(store: &Arc<dyn Backend>, writer: u64, number: u64, batch: Batch) -> Result<(), StoreError> {
    store.write_once(Mark { writer, number }, Arc::new(batch)).await
}

async fn what_comes_again_changes_nothing(store: &Arc<dyn Backend>) {
    let owner = "again@marks.lit";
    let batch = || {
        let field = Write::SetField(map(owner), "f".to_owned(), b"1".to_vec());
        Batch::unfenced(vec![put(owner, "1"), Write::Append(log(owner), 5, b"1".to_vec()), field])
    };
    assert_eq!(once(store, u64::MAX, 1, batch()).await, Ok(()));
    // Meanwhile somebody else changed all of it, as an administrator may.
    let since =
        [put(owner, "2"), Write::RemoveEntry(log(owner), 5), Write::RemoveField(map(owner), "f".to_owned())];
    subject(store).write(since).await;
    assert_eq!(once(store, u64::MAX, 1, batch()).await, Ok(()), "it was written, and that is what is said");
    assert_eq!(subject(store).document(owner).await.as_deref(), Some(&b"2"[..]));
    assert_eq!(subject(store).page(owner, all()).await, []);
    assert_eq!(subject(store).map(owner).await, []);
    assert_eq!(once(store, u64::MAX, 2, batch()).await, Ok(()));
    assert_eq!(subject(store).page(owner, all()).await.len(), 1, "another number is another batch");
}

async fn an_earlier_number_that_comes_late_changes_nothing(store: &Arc<dyn Backend>) {
    let owner = "late@marks.lit";
    assert_eq!(once(store, 1, 8, Batch::unfenced(vec![put(owner, "8")])).await, Ok(()));
    // As from a connection that was given up, whose bytes a server that hung reads after all.
    assert_eq!(once(store, 1, 7, Batch::unfenced(vec![put(owner, "7")])).await, Ok(()));
    assert_eq!(subject(store).document(owner).await.as_deref(), Some(&b"8"[..]));
}

async fn writers_are_not_mistaken_for_each_other(store: &Arc<dyn Backend>) {
    let (owner, elsewhere) = ("writers@marks.lit", "elsewhere@marks.lit");
    assert_ne!(slot_of(owner), slot_of(elsewhere));
    assert_eq!(once(store, 2, 9, Batch::unfenced(vec![put(owner, "two")])).await, Ok(()));
    assert_eq!(once(store, 3, 1, Batch::unfenced(vec![put(owner, "three")])).await, Ok(()));
    assert_eq!(subject(store).document(owner).await.as_deref(), Some(&b"three"[..]));
    assert_eq!(once(store, 2, 1, Batch::unfenced(vec![put(elsewhere, "x")])).await, Ok(()));
    assert!(subject(store).document(elsewhere).await.is_some(), "slots are counted apart");
}

async fn a_newer_owner_does_not_make_what_was_written_unwritten(store: &Arc<dyn Backend>) {
    let owner = "owners@marks.lit";
    let batch = |epoch, value| Batch::fenced(slot_of(owner), epoch, vec![put(owner, value)]);
    assert_eq!(once(store, 4, 1, batch(5, "old")).await, Ok(()));
    assert_eq!(once(store, 5, 1, batch(6, "new")).await, Ok(()));
    assert_eq!(once(store, 4, 1, batch(5, "old")).await, Ok(()), "it was written before");
    assert_eq!(once(store, 4, 2, batch(5, "older")).await, Err(StoreError::Stale));
    assert_eq!(once(store, 4, 2, batch(5, "older")).await, Err(StoreError::Stale), "and never will be");
    assert_eq!(subject(store).document(owner).await.as_deref(), Some(&b"new"[..]));
}

async fn a_batch_of_several_slots_is_known_in_each(store: &Arc<dyn Backend>) {
    let (one, other) = ("one@marks.lit", "other@marks.lit");
    assert_ne!(slot_of(one), slot_of(other));
    let both = |value| Batch::unfenced(vec![put(one, value), put(other, value)]);
    assert_eq!(once(store, 6, 2, both("2")).await, Ok(()));
    assert_eq!(once(store, 6, 1, Batch::unfenced(vec![put(other, "1")])).await, Ok(()));
    assert_eq!(subject(store).document(other).await.as_deref(), Some(&b"2"[..]));
    assert_eq!(once(store, 6, 2, both("3")).await, Ok(()));
    assert_eq!(subject(store).document(one).await.as_deref(), Some(&b"2"[..]));
}
