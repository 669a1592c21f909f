//! A disk that is full, and a file that another program holds: waited for.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use muster_proto::store::Write;

use super::*;
use crate::storage::Patient;
use crate::storage::contract::{self, Subject, all, document, log};

const LONG: Duration = Duration::from_secs(60);

fn append(owner: &str, id: u64) -> Batch {
    Batch::unfenced(vec![Write::Append(log(owner), id, vec![7; 400])])
}

#[test]
fn a_full_disk_is_waited_out_and_reads_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let config = Config { path: path.clone(), ..Config::default() };
    let writing = schema::open(&config).unwrap();
    // As a disk of so many pages, some of which something else takes.
    writing.pragma_update(None, "max_page_count", 300).unwrap();
    writing
        .execute(
            "INSERT INTO documents (owner, collection, value) VALUES ('log', 'b', zeroblob(1000000))",
            [],
        )
        .unwrap();
    let store = Sqlite::over(writing, schema::open_to_read(&config).unwrap(), &config).unwrap();
    let store: Arc<dyn Storage> = Arc::new(Patient::new(Arc::new(store), 64 << 20, LONG).unwrap());
    contract::run(async {
        let written: Vec<_> = (0..700).map(|n| store.write(append(&format!("{}@x", n % 7), n))).collect();
        let (outcomes, ()) = tokio::join!(join_all(written), async {
            let until = Instant::now() + Duration::from_secs(10);
            while store.is_reachable() {
                assert!(Instant::now() < until, "the disk does not fill");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            assert_eq!(Subject(store.clone()).document("none@x").await, None, "who reads does not wait");
            assert!(store.waiting() > 0);
            // An operator makes room.
            let other = rusqlite::Connection::open(&path).unwrap();
            other.busy_timeout(LONG).unwrap();
            other.execute("DELETE FROM documents WHERE owner = 'log'", []).unwrap();
        });
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        for account in 0..7 {
            let ids: Vec<u64> = Subject(store.clone())
                .page(&format!("{account}@x"), all())
                .await
                .into_iter()
                .map(|(id, _)| id)
                .collect();
            assert_eq!(ids, (account..700).step_by(7).collect::<Vec<_>>());
        }
        assert!(store.is_reachable());
    });
}

#[test]
fn a_file_that_is_held_longer_than_an_attempt_takes_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { path: folder.path().join("db"), ..Config::default() };
    let store = Arc::new(Sqlite::open(&config).unwrap());
    let store: Arc<dyn Storage> = Arc::new(Patient::new(store, 64 << 20, LONG).unwrap());
    let other = rusqlite::Connection::open(&config.path).unwrap();
    contract::run(async {
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let written: Vec<_> = (0..20)
            .map(|n| store.write(append("a@x", n)))
            .chain((0..20).map(|n| store.write(Batch::unfenced(vec![Write::Put(document("b@x"), vec![n])]))))
            .collect();
        let (outcomes, ()) = tokio::join!(join_all(written), async {
            tokio::time::sleep(schema::LOCK_TIME_MAX + Duration::from_secs(1)).await;
            assert!(!store.is_reachable());
            other.execute_batch("ROLLBACK").unwrap();
        });
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        assert_eq!(Subject(store.clone()).page("a@x", all()).await.len(), 20);
        assert_eq!(Subject(store).document("b@x").await, Some(vec![19]));
    });
}
