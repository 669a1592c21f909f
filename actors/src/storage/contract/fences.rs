//! Who is no longer the owner of a slot writes nothing.

use muster_proto::store::{StoreError, Write};

use super::super::{Batch, slots};
use super::{Subject, document, map};

pub(super) async fn play(store: &Subject) {
    a_newer_owner_shuts_out_the_older(store).await;
    a_stale_batch_leaves_nothing_behind(store).await;
    the_fence_of_one_slot_is_not_that_of_another(store).await;
    an_administrator_is_not_fenced(store).await;
}

fn put(owner: &str, value: &str) -> Write {
    Write::Put(document(owner), value.into())
}

fn slot_of(owner: &str) -> u16 {
    slots::slot(&document(owner))
}

async fn a_newer_owner_shuts_out_the_older(store: &Subject) {
    let owner = "fence@capulet.lit";
    let slot = slot_of(owner);
    let attempt =
        async |epoch, value| store.try_write(Batch::fenced(slot, epoch, vec![put(owner, value)])).await;
    assert_eq!(attempt(5, "five").await, Ok(()));
    assert_eq!(attempt(5, "five again").await, Ok(()));
    assert_eq!(attempt(7, "seven").await, Ok(()));
    assert_eq!(attempt(6, "six").await, Err(StoreError::Stale));
    assert_eq!(store.document(owner).await.as_deref(), Some(&b"seven"[..]));
    // Two in one go, the newer first.
    let (newer, older) = (
        store.0.write(Batch::fenced(slot, 9, vec![put(owner, "nine")])),
        store.0.write(Batch::fenced(slot, 8, vec![put(owner, "eight")])),
    );
    assert_eq!((newer.await, older.await), (Ok(()), Err(StoreError::Stale)));
    assert_eq!(store.document(owner).await.as_deref(), Some(&b"nine"[..]));
    let high = (1 << 53) - 1;
    assert_eq!(attempt(high, "high").await, Ok(()));
    assert_eq!(attempt(high - 1, "less").await, Err(StoreError::Stale));
}

async fn a_stale_batch_leaves_nothing_behind(store: &Subject) {
    let owner = "stale@capulet.lit";
    let slot = slot_of(owner);
    // An empty batch raises the fence: a new owner may do so before it has anything to write.
    assert_eq!(store.try_write(Batch::fenced(slot, 3, vec![])).await, Ok(()));
    let writes = vec![
        put(owner, "x"),
        Write::SetField(map(owner), "f".to_owned(), vec![]),
        Write::SetField(map("elsewhere.lit"), "f".to_owned(), vec![]),
    ];
    assert_eq!(store.try_write(Batch::fenced(slot, 2, writes.clone())).await, Err(StoreError::Stale));
    assert_eq!(store.document(owner).await, None);
    assert_eq!(store.map(owner).await, []);
    assert_eq!(store.map("elsewhere.lit").await, []);
    assert_eq!(store.try_write(Batch::fenced(slot, 3, writes)).await, Ok(()));
    assert_eq!(store.document(owner).await.as_deref(), Some(&b"x"[..]));
    assert_eq!(store.map("elsewhere.lit").await.len(), 1, "a batch may reach into other slots");
}

async fn the_fence_of_one_slot_is_not_that_of_another(store: &Subject) {
    let (first, second) = ("one@fences.lit", "two@fences.lit");
    assert_ne!(slot_of(first), slot_of(second));
    assert_eq!(store.try_write(Batch::fenced(slot_of(first), 10, vec![put(first, "x")])).await, Ok(()));
    assert_eq!(store.try_write(Batch::fenced(slot_of(second), 1, vec![put(second, "x")])).await, Ok(()));
    let across = Batch::fenced(slot_of(second), 2, vec![put(second, "y"), put(first, "y")]);
    assert_eq!(store.try_write(across).await, Ok(()), "only the fence's own slot is checked");
    assert_eq!(store.document(first).await.as_deref(), Some(&b"y"[..]));
}

async fn an_administrator_is_not_fenced(store: &Subject) {
    let owner = "admin@fences.lit";
    assert_eq!(store.try_write(Batch::fenced(slot_of(owner), 10, vec![put(owner, "x")])).await, Ok(()));
    assert_eq!(store.try_write(Batch::unfenced(vec![put(owner, "y")])).await, Ok(()));
    assert_eq!(store.document(owner).await.as_deref(), Some(&b"y"[..]));
    assert_eq!(
        store.try_write(Batch::fenced(slot_of(owner), 9, vec![])).await,
        Err(StoreError::Stale),
        "and leaves the fence as it was"
    );
}
