//! The embedded store: the contract, several at one file, death, and a file that cannot be used.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use muster_proto::store::{Query, Write};

use super::*;
use crate::storage::config::Synchronous;
use crate::storage::contract::{self, Subject, all, document, log};

fn config(path: &Path) -> Config {
    Config { path: path.to_path_buf(), synchronous: Synchronous::Normal, ..Config::default() }
}

fn open(path: &Path) -> Arc<dyn Backend> {
    Arc::new(Sqlite::open(&config(path)).unwrap())
}

fn put(owner: &str, value: &str) -> Batch {
    Batch::unfenced(vec![Write::Put(document(owner), value.into())])
}

#[test]
fn sqlite_holds_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    contract::run(contract::backend_holds(open(&folder.path().join("db"))));
}

#[test]
fn sqlite_holds_the_contract_when_every_write_is_synced() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { path: folder.path().join("db"), ..Config::default() };
    contract::run(contract::backend_holds(Arc::new(Sqlite::open(&config).unwrap())));
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    contract::run(async {
        let store = open(&path);
        store.write(put("juliet@capulet.lit", "x")).await.unwrap();
        let fenced = Batch::fenced(7, 3, vec![]);
        store.write(fenced.clone()).await.unwrap();
        let late = store.write(put("nurse@capulet.lit", "asked before it was closed"));
        store.close().await;
        assert_eq!(late.await, Ok(()));
        assert!(matches!(store.write(fenced).await, Err(StoreError::Away(_))));
        assert!(!store.is_reachable());

        let store = Subject(open(&path));
        assert_eq!(store.document("juliet@capulet.lit").await.as_deref(), Some(&b"x"[..]));
        assert!(store.document("nurse@capulet.lit").await.is_some());
        assert_eq!(store.0.write(Batch::fenced(7, 2, vec![])).await, Err(StoreError::Stale));
    });
}

#[test]
fn several_stores_share_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    contract::run(async {
        let stores: Vec<_> = (0..3).map(|_| Subject(open(&path))).collect();
        let mut writes = Vec::new();
        for n in 0..300u64 {
            for (at, store) in stores.iter().enumerate() {
                let entry = Write::Append(log("shared@capulet.lit"), n * 10 + at as u64, vec![at as u8]);
                writes.push(store.0.write(Batch::unfenced(vec![entry])));
            }
            if n % 10 == 0 {
                join_all(writes.drain(..)).await.into_iter().for_each(|outcome| outcome.unwrap());
            }
        }
        join_all(writes).await.into_iter().for_each(|outcome| outcome.unwrap());
        for store in &stores {
            assert_eq!(store.page("shared@capulet.lit", all()).await.len(), 900);
        }
        stores[0].0.write(Batch::fenced(7, 5, vec![])).await.unwrap();
        assert_eq!(stores[1].0.write(Batch::fenced(7, 4, vec![])).await, Err(StoreError::Stale));
    });
}

#[test]
fn a_file_locked_by_another_is_waited_for_within_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let store = open(&path);
    let other = rusqlite::Connection::open(&path).unwrap();
    contract::run(async {
        store.write(put("a@x", "1")).await.unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let began = Instant::now();
        let write = store.write(put("a@x", "2"));
        // Who only reads does not wait for the lock, except behind a write of its own slot.
        let read = Subject(store.clone()).document("b@x").await;
        assert_eq!(read, None);
        assert!(began.elapsed() < Duration::from_secs(1));
        assert!(matches!(write.await, Err(StoreError::Away(_))));
        let waited = began.elapsed();
        assert!((Duration::from_secs(4)..Duration::from_secs(8)).contains(&waited), "{waited:?}");
        assert!(!store.is_reachable());

        let late = store.write(put("a@x", "3"));
        other.execute_batch("ROLLBACK").unwrap();
        late.await.unwrap();
        assert!(store.is_reachable());
        assert_eq!(Subject(store).document("a@x").await.as_deref(), Some(&b"3"[..]));
    });
}

#[test]
fn one_request_that_fails_does_not_take_the_others_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let store = open(&path);
    let other = rusqlite::Connection::open(&path).unwrap();
    other
        .execute_batch(
            "CREATE TRIGGER refuse BEFORE INSERT ON documents WHEN new.owner = 'bad@x'
             BEGIN SELECT RAISE(ABORT, 'refused'); END",
        )
        .unwrap();
    contract::run(async {
        // The lock holds the writer up, so that all of these meet in one transaction.
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let writes: Vec<_> = ["a@x", "bad@x", "b@x"].map(|owner| store.write(put(owner, "1"))).into();
        other.execute_batch("ROLLBACK").unwrap();
        let outcomes = join_all(writes).await;
        assert_eq!(outcomes[0], Ok(()));
        assert!(matches!(&outcomes[1], Err(StoreError::Failed(reason)) if reason.contains("refused")));
        assert_eq!(outcomes[2], Ok(()));
        assert!(store.is_reachable());
        assert!(Subject(store).document("b@x").await.is_some());
    });
}

#[test]
fn a_full_disk_is_named_and_passes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let writing = schema::open(&config(&path)).unwrap();
    writing.pragma_update(None, "max_page_count", 20).unwrap();
    let error = writing
        .execute("INSERT INTO documents (owner, collection, value) VALUES ('a', 'b', zeroblob(1000000))", [])
        .unwrap_err();
    assert!(faults::concerns_all(&error));
    assert!(matches!(faults::at_work(&error), StoreError::Away(text) if text.contains("free some")));
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_the_fix() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = |path: &Path| match Sqlite::open(&config(path)) {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error,
    };

    assert!(matches!(refusal(&folder.path().join("missing/db")), StartError::NoFolder(_)));

    let garbage = folder.path().join("garbage");
    fs::write(&garbage, [b'x'; 4096]).unwrap();
    assert!(matches!(refusal(&garbage), StartError::Corrupt { .. }));

    let foreign = folder.path().join("foreign");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert!(matches!(refusal(&foreign), StartError::Foreign(_)));

    let newer = folder.path().join("newer");
    drop(Sqlite::open(&config(&newer)).unwrap());
    rusqlite::Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(refusal(&newer), StartError::Newer { found: 99, .. }));

    let a_folder = folder.path().join("folder");
    fs::create_dir(&a_folder).unwrap();
    assert!(matches!(refusal(&a_folder), StartError::Permission { .. }));
}

#[test]
fn only_its_user_can_read_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let store = open(&path);
    contract::run(store.write(put("a@x", "1"))).unwrap();
    for name in ["db", "db-wal"] {
        let mode = fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

/// Where the writing process of [`what_was_acknowledged_outlives_kill_9`] finds its file.
const VICTIM: &str = "MUSTER_TEST_SQLITE_VICTIM";

/// Not a test of its own: the process that is killed.
#[test]
fn the_process_that_is_killed() {
    let Some(path) = std::env::var_os(VICTIM) else { return };
    let store = open(Path::new(&path));
    contract::run(async {
        let last = Subject(store.clone()).page("victim@x", all()).await.last().map_or(0, |(id, _)| *id);
        for n in last + 1.. {
            let append = |owner: &str| Write::Append(log(owner), n, vec![7; 500]);
            // Those that are looked at are written together: killed in between, one would lack what the other has.
            let looked_at = Batch::unfenced(vec![append("victim@x"), append("other-19@x")]);
            let others = (1..19).map(|k| Batch::unfenced(vec![append(&format!("other-{k}@x"))]));
            let writes = std::iter::once(looked_at).chain(others).map(|batch| store.write(batch));
            join_all(writes.collect::<Vec<_>>()).await.into_iter().for_each(|outcome| outcome.unwrap());
            println!("durable {n}");
        }
    });
}

#[test]
fn what_was_acknowledged_outlives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let mut acknowledged = 0;
    for round in 0..5 {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "storage::sqlite::tests::the_process_that_is_killed", "--nocapture"])
            .env(VICTIM, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
        let mut seen = 0;
        while seen < 20 + round * 13 {
            let line = lines.next().expect("it writes until it is killed").unwrap();
            // The test harness may print something before on the same line.
            if let Some((_, number)) = line.split_once("durable ") {
                acknowledged = number.parse().unwrap();
                seen += 1;
            }
        }
        victim.kill().unwrap();
        victim.wait().unwrap();

        let connection = rusqlite::Connection::open(&path).unwrap();
        let integrity: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(integrity, "ok");
        drop(connection);
        contract::run(async {
            let store = Subject(open(&path));
            for owner in ["victim@x".to_owned(), "other-19@x".to_owned()] {
                let ids: Vec<_> = store.page(&owner, all()).await.into_iter().map(|(id, _)| id).collect();
                assert!(ids.len() as u64 >= acknowledged, "{} < {acknowledged}", ids.len());
                assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
            }
            store.0.close().await;
        });
    }
}

#[test]
fn a_question_is_answered_while_another_process_holds_the_write_lock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let store = open(&path);
    let other = rusqlite::Connection::open(&path).unwrap();
    contract::run(async {
        store.write(put("a@x", "1")).await.unwrap();
        other.execute_batch("BEGIN IMMEDIATE; DELETE FROM documents").unwrap();
        let began = Instant::now();
        let answers = (0..500).map(|n| store.query(Query::Document(document(&format!("{n}@x")))));
        join_all(answers.collect::<Vec<_>>()).await.into_iter().for_each(|answer| drop(answer.unwrap()));
        assert!(began.elapsed() < Duration::from_secs(2));
        assert!(Subject(store).document("a@x").await.is_some(), "what is not committed is not seen");
        other.execute_batch("ROLLBACK").unwrap();
    });
}
