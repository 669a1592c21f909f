//! The shared store against real servers: the contract, restarts, outages, and each way to be reached.

mod cluster;
mod encrypted;
pub(crate) mod fixture;
mod outages;
mod sentinel;

use std::fs;
use std::time::{Duration, Instant};

use muster_proto::store::Write;

use super::*;
use crate::storage::Topology;
use crate::storage::contract::{self, Subject, all, document, log};
use fixture::Server as Fixture;

fn config(server: &Fixture) -> Config {
    Config { addresses: vec![server.address()], ..Config::default() }
}

async fn open(config: &Config) -> Arc<dyn Backend> {
    Arc::new(Redis::open(config).await.unwrap())
}

async fn refusal(config: &Config) -> StartError {
    match Redis::open(config).await {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

fn put(owner: &str, value: &str) -> Batch {
    Batch::unfenced(vec![Write::Put(document(owner), value.into())])
}

#[test]
fn redis_holds_the_contract() {
    let server = Fixture::start(&[]);
    contract::run(async { contract::backend_holds(open(&config(&server)).await).await });
}

#[test]
fn prefixes_keep_clusters_apart_and_every_key_names_its_slot() {
    let server = Fixture::start(&[]);
    contract::run(async {
        let one = Subject(open(&config(&server)).await);
        let other = Subject(open(&Config { prefix: "other".to_owned(), ..config(&server) }).await);
        one.write([Write::Put(document("a@x"), b"1".to_vec())]).await;
        assert_eq!(other.document("a@x").await, None);
        let key = format!("m:{{{}}}:test-document:a@x", slots::slot(&document("a@x")));
        assert_eq!(server.command(&["GET", &key]).unwrap(), ::redis::Value::BulkString(b"1".to_vec()));
    });
}

#[test]
fn what_was_acknowledged_outlives_a_restart_of_redis() {
    let mut server = Fixture::start(&["appendfsync always"]);
    contract::run(async {
        let store = open(&config(&server)).await;
        for n in 0..100 {
            store.write(Batch::unfenced(vec![Write::Append(log("a@x"), n, vec![1])])).await.unwrap();
        }
        store.write(Batch::fenced(7, 5, vec![])).await.unwrap();
        server.kill();
        // Asked while it is away, served when it is back: nobody notices a quick restart.
        let (query, write) = (Subject(store.clone()), store.write(put("b@x", "x")));
        server.resume();
        assert_eq!(write.await, Ok(()));
        assert_eq!(query.page("a@x", all()).await.len(), 100);
        assert_eq!(store.write(Batch::fenced(7, 4, vec![])).await, Err(StoreError::Stale));
    });
}

#[test]
fn an_outage_is_answered_in_time_and_ends_by_itself() {
    let mut server = Fixture::start(&[]);
    contract::run(async {
        let timeout = Duration::from_secs(1);
        let store = open(&Config { timeout_ms: 1_000, ..config(&server) }).await;
        store.write(put("a@x", "1")).await.unwrap();
        assert!(store.is_reachable());
        server.kill();

        let began = Instant::now();
        let waiting: Vec<_> = (0..1_000).map(|n| store.write(put(&format!("{n}@x"), "2"))).collect();
        for outcome in futures_util::future::join_all(waiting).await {
            assert!(matches!(outcome, Err(StoreError::Away(_))), "{outcome:?}");
        }
        assert!(began.elapsed() < timeout * 3, "{:?}", began.elapsed());
        assert!(!store.is_reachable());
        let began = Instant::now();
        assert!(matches!(store.write(put("a@x", "3")).await, Err(StoreError::Away(_))));
        assert!(began.elapsed() < Duration::from_millis(100), "who asks during an outage is told at once");
        assert!(store.register().load().await.is_err());
        assert_eq!(store.waiting(), 0);

        server.resume();
        let until = Instant::now() + Duration::from_secs(5);
        while !store.is_reachable() {
            assert!(Instant::now() < until, "it is not found again");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(store.write(put("a@x", "4")).await, Ok(()));
    });
}

#[test]
fn a_server_that_hangs_is_away_too() {
    let server = Fixture::start(&[]);
    contract::run(async {
        let store = open(&Config { timeout_ms: 500, ..config(&server) }).await;
        store.write(put("a@x", "1")).await.unwrap();
        // Every client is held up, as by a stopped process.
        server.command(&["CLIENT", "PAUSE", "2000", "ALL"]).unwrap();
        let began = Instant::now();
        assert!(matches!(store.write(put("a@x", "2")).await, Err(StoreError::Away(_))));
        assert!(began.elapsed() < Duration::from_millis(1_500), "{:?}", began.elapsed());
    });
}

#[test]
fn scripts_that_redis_has_forgotten_are_sent_again() {
    let server = Fixture::start(&[]);
    contract::run(async {
        let store = Subject(open(&config(&server)).await);
        for n in 0..3 {
            let writes = (0..50).map(|k| store.0.write(put(&format!("{k}@x"), &n.to_string())));
            server.command(&["SCRIPT", "FLUSH"]).unwrap();
            for outcome in futures_util::future::join_all(writes.collect::<Vec<_>>()).await {
                assert_eq!(outcome, Ok(()));
            }
            server.command(&["SCRIPT", "FLUSH"]).unwrap();
            assert_eq!(store.0.register().compare_and_set(n, n + 1, vec![]).await, Ok(true));
        }
        assert_eq!(store.document("7@x").await.as_deref(), Some(&b"2"[..]));
    });
}

#[test]
fn a_full_redis_is_named_and_its_questions_are_answered() {
    let server = Fixture::start(&["maxmemory 8mb", "maxmemory-policy noeviction"]);
    contract::run(async {
        let store = Subject(open(&config(&server)).await);
        store.write([Write::Put(document("a@x"), b"1".to_vec())]).await;
        let mut refused = None;
        for n in 0..200 {
            let write = Write::Put(document(&format!("{n}@x")), vec![0; 100_000]);
            if let Err(error) = store.try_write(Batch::unfenced(vec![write])).await {
                refused = Some(error);
                break;
            }
        }
        assert!(
            matches!(&refused, Some(StoreError::Away(reason)) if reason.contains("maxmemory")),
            "{refused:?}"
        );
        assert_eq!(store.document("a@x").await.as_deref(), Some(&b"1"[..]));
    });
}

#[test]
fn a_closed_store_has_served_what_was_asked_before() {
    let server = Fixture::start(&[]);
    contract::run(async {
        let store = open(&config(&server)).await;
        let write = store.write(put("a@x", "1"));
        store.close().await;
        assert_eq!(write.await, Ok(()));
        assert!(matches!(store.write(put("a@x", "2")).await, Err(StoreError::Away(_))));
        assert!(!store.is_reachable());
    });
}

#[test]
fn a_password_comes_from_a_file() {
    let server = Fixture::start(&[]);
    server.command(&["CONFIG", "SET", "requirepass", "wherefore"]).unwrap();
    let file = server.folder().join("password");
    contract::run(async {
        fs::write(&file, "wherefore\n").unwrap();
        let with = Config { password_file: Some(file.clone()), ..config(&server) };
        assert_eq!(open(&with).await.write(put("a@x", "1")).await, Ok(()));
        let without = refusal(&config(&server)).await;
        assert!(matches!(without, StartError::Refused(_)), "{without}");
        fs::write(&file, "hast thou").unwrap();
        let wrong = refusal(&with).await;
        assert!(matches!(wrong, StartError::Refused(_)), "{wrong}");
        let missing = Config { password_file: Some(server.folder().join("no")), ..config(&server) };
        assert!(matches!(refusal(&missing).await, StartError::Password { .. }));
    });
}

#[test]
fn settings_that_cannot_be_are_named() {
    contract::run(async {
        let with = |address: &str| Config { addresses: vec![address.to_owned()], ..Config::default() };
        for wrong in ["redis", "redis:x", ":6379", "redis:70000"] {
            assert!(matches!(refusal(&with(wrong)).await, StartError::Address(_)), "{wrong}");
        }
        let several = Config { addresses: vec!["a:1".to_owned(), "b:1".to_owned()], ..Config::default() };
        assert!(matches!(refusal(&several).await, StartError::Setting { setting: "addresses", .. }));
        let cluster = Config { topology: Topology::Cluster, database: 1, ..Config::default() };
        assert!(matches!(refusal(&cluster).await, StartError::Setting { setting: "database", .. }));
        let braces = Config { prefix: "{m}".to_owned(), ..Config::default() };
        assert!(matches!(refusal(&braces).await, StartError::Setting { setting: "prefix", .. }));
        let nobody = refusal(&Config { timeout_ms: 1_000, ..with("127.0.0.1:1") }).await;
        assert!(nobody.is_temporary(), "{nobody}");
    });
}
