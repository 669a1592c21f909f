//! Documents, maps and logs: what was written is read.

use muster_proto::store::{Page, Write};

use super::{Subject, all, document, log, map};

pub(super) async fn play(store: &Subject) {
    a_document_is_what_was_put_last(store).await;
    a_map_has_its_fields_in_order(store).await;
    a_log_gives_pages_from_both_ends(store).await;
    a_log_forgets_what_is_trimmed_or_removed(store).await;
    everything_can_be_done_twice(store).await;
    any_bytes_can_be_a_value(store).await;
    any_text_can_be_an_owner_or_a_field(store).await;
    removal_takes_a_thing_whole_and_nothing_else(store).await;
    a_large_batch_is_written_whole(store).await;
}

async fn a_document_is_what_was_put_last(store: &Subject) {
    let owner = "put@capulet.lit";
    assert_eq!(store.document(owner).await, None);
    store.write([Write::Put(document(owner), b"one".to_vec())]).await;
    assert_eq!(store.document(owner).await.as_deref(), Some(&b"one"[..]));
    store
        .write([Write::Put(document(owner), b"two".to_vec()), Write::Put(document(owner), b"three".to_vec())])
        .await;
    assert_eq!(store.document(owner).await.as_deref(), Some(&b"three"[..]));
    assert_eq!(store.document("Put@capulet.lit").await, None, "owners differ by case");
}

async fn a_map_has_its_fields_in_order(store: &Subject) {
    let owner = "map@capulet.lit";
    assert_eq!(store.map(owner).await, []);
    assert_eq!(store.count(map(owner)).await, 0);
    let set = |field: &str, value: &str| Write::SetField(map(owner), field.to_owned(), value.into());
    store.write([set("b", "2"), set("a", "1"), set("ä", "4"), set("c", "3"), set("b", "two")]).await;
    let names: Vec<_> = store.map(owner).await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a", "b", "c", "ä"]);
    assert_eq!(store.field(owner, "b").await.as_deref(), Some(&b"two"[..]));
    assert_eq!(store.field(owner, "z").await, None);
    assert_eq!(store.count(map(owner)).await, 4);
    store.write([Write::RemoveField(map(owner), "b".to_owned())]).await;
    assert_eq!(store.field(owner, "b").await, None);
    assert_eq!(store.count(map(owner)).await, 3);
}

async fn a_log_gives_pages_from_both_ends(store: &Subject) {
    let owner = "log@capulet.lit";
    assert_eq!(store.page(owner, all()).await, []);
    // Microseconds, as they are in use: the precision of a double just holds them.
    let id = |n: u64| (1 << 53) - 100 + n;
    let append = |n: u64| Write::Append(log(owner), id(n), format!("entry {n}").into_bytes());
    store.write((1..=10).map(append).collect::<Vec<_>>()).await;
    store.write([append(12)]).await;
    // A new owner's clock may be behind the old one's: the entry still finds its place.
    store.write([append(11)]).await;

    let take = async |page: Page| -> Vec<u64> {
        store.page(owner, page).await.into_iter().map(|(entry, _)| entry - id(0)).collect()
    };
    assert_eq!(take(all()).await, (1..=12).collect::<Vec<_>>());
    assert_eq!(take(Page { limit: 3, ..Page::default() }).await, [1, 2, 3]);
    assert_eq!(take(Page { limit: 3, newest: true, ..Page::default() }).await, [10, 11, 12]);
    assert_eq!(take(Page { after: Some(id(3)), limit: 2, ..Page::default() }).await, [4, 5]);
    assert_eq!(take(Page { before: Some(id(3)), limit: 5, ..Page::default() }).await, [1, 2]);
    assert_eq!(take(Page { before: Some(id(9)), limit: 2, newest: true, ..Page::default() }).await, [7, 8]);
    assert_eq!(take(Page { after: Some(id(9)), limit: 2, newest: true, ..Page::default() }).await, [11, 12]);
    let between = Page { after: Some(id(3)), before: Some(id(6)), limit: 9, ..Page::default() };
    assert_eq!(take(between.clone()).await, [4, 5]);
    assert_eq!(take(Page { newest: true, ..between.clone() }).await, [4, 5]);
    assert_eq!(take(Page { limit: 0, ..between }).await, [0; 0]);
    assert_eq!(take(Page { after: Some(u64::MAX), ..all() }).await, [0; 0]);
    assert_eq!(take(Page { before: Some(u64::MAX), limit: 1, ..Page::default() }).await, [1]);
    assert_eq!(take(Page { after: Some(id(6)), before: Some(id(6)), ..all() }).await, [0; 0]);
    assert_eq!(store.page(owner, Page { limit: 1, ..Page::default() }).await[0].1, b"entry 1");
    assert_eq!(store.count(log(owner)).await, 12);
}

async fn a_log_forgets_what_is_trimmed_or_removed(store: &Subject) {
    let owner = "trim@capulet.lit";
    store.write((1..=6).map(|id| Write::Append(log(owner), id, vec![7])).collect::<Vec<_>>()).await;
    store.write([Write::Trim(log(owner), 2), Write::RemoveEntry(log(owner), 4)]).await;
    let ids: Vec<_> = store.page(owner, all()).await.into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, [3, 5, 6]);
    assert_eq!(store.count(log(owner)).await, 3);
    store.write([Write::Trim(log(owner), u64::MAX)]).await;
    assert_eq!(store.count(log(owner)).await, 0);
    store.write([Write::Append(log(owner), 3, b"again".to_vec())]).await;
    assert_eq!(store.page(owner, all()).await, [(3, b"again".to_vec())], "what was trimmed may come back");
}

async fn everything_can_be_done_twice(store: &Subject) {
    let owner = "twice@capulet.lit";
    let writes = vec![
        Write::Put(document(owner), b"x".to_vec()),
        Write::SetField(map(owner), "gone".to_owned(), b"x".to_vec()),
        Write::SetField(map(owner), "kept".to_owned(), b"x".to_vec()),
        Write::RemoveField(map(owner), "gone".to_owned()),
        Write::Append(log(owner), 1, b"same".to_vec()),
        Write::Append(log(owner), 2, b"same".to_vec()),
        Write::Append(log(owner), 3, b"x".to_vec()),
        Write::Trim(log(owner), 1),
        Write::RemoveEntry(log(owner), 3),
    ];
    for _ in 0..3 {
        store.write(writes.clone()).await;
        assert_eq!(store.document(owner).await.as_deref(), Some(&b"x"[..]));
        assert_eq!(store.map(owner).await, [("kept".to_owned(), b"x".to_vec())]);
        assert_eq!(store.page(owner, all()).await, [(2, b"same".to_vec())]);
    }
    store.write([Write::Append(log(owner), 2, b"other".to_vec())]).await;
    assert_eq!(store.page(owner, all()).await, [(2, b"other".to_vec())], "an id is one entry");
}

async fn any_bytes_can_be_a_value(store: &Subject) {
    let owner = "bytes@capulet.lit";
    let every_byte: Vec<u8> = (0..=255).collect();
    let large: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
    for value in [Vec::new(), every_byte, large] {
        store
            .write([
                Write::Put(document(owner), value.clone()),
                Write::SetField(map(owner), "field".to_owned(), value.clone()),
                Write::Append(log(owner), 5, value.clone()),
            ])
            .await;
        assert_eq!(store.document(owner).await, Some(value.clone()));
        assert_eq!(store.field(owner, "field").await, Some(value.clone()));
        assert_eq!(store.page(owner, all()).await, [(5, value)]);
    }
    store.write([Write::Trim(log(owner), 5)]).await;
    let entries = vec![(1, vec![]), (2, vec![]), (3, vec![0])];
    store
        .write(
            entries
                .iter()
                .map(|(id, value)| Write::Append(log(owner), *id, value.clone()))
                .collect::<Vec<_>>(),
        )
        .await;
    assert_eq!(store.page(owner, all()).await, entries, "equal values are entries of their own");
}

async fn any_text_can_be_an_owner_or_a_field(store: &Subject) {
    let long = format!("{}@{}", "l".repeat(1023), "d".repeat(1023));
    let owners = [
        "джульетта@капулетти.рф",
        "朱丽叶@例子.测试",
        "{7}:x@capulet.lit",
        "a b\n'\"*@x",
        "null\0byte@x",
        &long,
    ];
    for (at, owner) in owners.iter().enumerate() {
        store
            .write([
                Write::Put(document(owner), vec![at as u8]),
                Write::SetField(map(owner), (*owner).to_owned(), vec![at as u8]),
                Write::SetField(map(owner), String::new(), vec![at as u8]),
                Write::Append(log(owner), 1, vec![at as u8]),
            ])
            .await;
    }
    for (at, owner) in owners.iter().enumerate() {
        assert_eq!(store.document(owner).await, Some(vec![at as u8]), "{owner:?}");
        let fields = vec![(String::new(), vec![at as u8]), ((*owner).to_owned(), vec![at as u8])];
        assert_eq!(store.map(owner).await, fields, "{owner:?}");
        assert_eq!(store.page(owner, all()).await, [(1, vec![at as u8])], "{owner:?}");
    }
}

async fn removal_takes_a_thing_whole_and_nothing_else(store: &Subject) {
    let (gone, kept) = ("gone@capulet.lit", "kept@capulet.lit");
    for owner in [gone, kept] {
        store
            .write([
                Write::Put(document(owner), vec![1]),
                Write::SetField(map(owner), "a".to_owned(), vec![1]),
                Write::SetField(map(owner), "b".to_owned(), vec![1]),
                Write::Append(log(owner), 1, vec![1]),
                Write::Append(log(owner), 2, vec![1]),
            ])
            .await;
    }
    store.write([Write::Remove(map(gone))]).await;
    assert_eq!(store.map(gone).await, []);
    assert_eq!(store.count(log(gone)).await, 2);
    assert!(store.document(gone).await.is_some());
    store.write([Write::Remove(log(gone)), Write::Remove(document(gone)), Write::Remove(map(gone))]).await;
    assert_eq!(store.count(log(gone)).await, 0);
    assert_eq!(store.document(gone).await, None);
    assert_eq!(store.map(kept).await.len(), 2);
    assert_eq!(store.count(log(kept)).await, 2);
    assert!(store.document(kept).await.is_some());
}

async fn a_large_batch_is_written_whole(store: &Subject) {
    let owner = |n: u32| format!("many-{n}@capulet.lit");
    let mut writes = Vec::new();
    for n in 0..5_000 {
        writes.push(Write::SetField(map("many.lit"), owner(n), vec![]));
        writes.push(Write::Put(document(&owner(n)), n.to_string().into_bytes()));
    }
    store.write(writes).await;
    assert_eq!(store.count(map("many.lit")).await, 5_000);
    assert_eq!(store.map("many.lit").await.len(), 5_000);
    for n in [0, 1, 2_500, 4_999] {
        assert_eq!(store.document(&owner(n)).await, Some(n.to_string().into_bytes()));
    }
}
