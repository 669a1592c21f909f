//! A master, a replica and a sentinel: a fail-over is survived.
//!
//! A master that hung for longer than its sentinel waits, and shorter than a connection does, was written to and believed after it
//! woke, until the sentinel had it follow its successor some ten seconds later, and what it had answered was gone.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use muster_proto::store::Write;

use redis::Value;

use super::super::super::Topology;
use super::fixture::Server as Fixture;
use super::{Config, StartError, open, put, refusal};
use crate::storage::contract::{self, Subject, all, document, log};
use crate::storage::{Batch, Patient, Storage, slots};

/// A master, a replica that has what the master has, and a sentinel that knows both.
fn verona() -> (Fixture, Fixture, Fixture) {
    let master = Fixture::start(&[]);
    let replica = Fixture::start(&[&format!("replicaof 127.0.0.1 {}", master.port)]);
    let sentinel = Fixture::sentinel(&[
        &format!("sentinel monitor verona 127.0.0.1 {} 1", master.port),
        "sentinel down-after-milliseconds verona 500",
        "sentinel failover-timeout verona 3000",
    ]);
    let until = Instant::now() + Duration::from_secs(30);
    let text = |server: &Fixture, words: &[&str]| match server.command(words) {
        Ok(Value::BulkString(text)) => String::from_utf8_lossy(&text).into_owned(),
        other => format!("{other:?}"),
    };
    while !text(&replica, &["INFO", "replication"]).contains("master_link_status:up")
        || !text(&sentinel, &["INFO", "sentinel"]).contains("slaves=1")
    {
        assert!(Instant::now() < until, "replica and sentinel do not find their master");
        std::thread::sleep(Duration::from_millis(50));
    }
    (master, replica, sentinel)
}

fn is_master(server: &Fixture) -> bool {
    let role = server.command(&["ROLE"]);
    matches!(role, Ok(Value::Array(role)) if role[0] == Value::BulkString(b"master".to_vec()))
}

fn signal(server: &Fixture, name: &str) {
    assert!(Command::new("kill").args([name, &server.pid().to_string()]).status().unwrap().success());
}

#[test]
fn what_the_replica_that_takes_over_never_had_is_written_again() {
    let (mut master, replica, sentinel) = verona();
    contract::run(async {
        let config = Config {
            addresses: vec![sentinel.address()],
            topology: Topology::Sentinel,
            sentinel_master: "verona".to_owned(),
            timeout_ms: 2_000,
            tail_bytes_max: 128 << 20,
            ..Config::default()
        };
        let store = Patient::new(open(&config).await, 256 << 20, Duration::from_secs(60)).unwrap();
        let store: Arc<dyn Storage> = Arc::new(store);
        // Far more than the kernel keeps on the way to a replica that does not read.
        signal(&replica, "-STOP");
        let size = 200_000;
        for n in 0..300u64 {
            let batch = Batch::unfenced(vec![Write::Append(log(&format!("{}@x", n % 5)), n, vec![7; size])]);
            assert_eq!(store.write(batch).await, Ok(()), "the master acknowledges");
        }
        master.kill();
        signal(&replica, "-CONT");
        assert_eq!(store.write(put("a@x", "after")).await, Ok(()));
        assert!(is_master(&replica));
        for account in 0..5u64 {
            let page = Subject(store.clone()).page(&format!("{account}@x"), all()).await;
            let ids: Vec<u64> = page.into_iter().map(|(id, _)| id).collect();
            assert_eq!(ids, (account..300).step_by(5).collect::<Vec<_>>());
        }
    });
}

#[test]
fn a_master_that_wakes_deposed_is_left_though_it_answers_and_nothing_that_it_answered_is_lost() {
    let (master, replica, sentinel) = verona();
    contract::run(async {
        let config = Config {
            addresses: vec![sentinel.address()],
            topology: Topology::Sentinel,
            sentinel_master: "verona".to_owned(),
            timeout_ms: 30_000,
            ..Config::default()
        };
        let store = Patient::new(open(&config).await, 1 << 20, Duration::from_secs(60)).unwrap();
        let store: Arc<dyn Storage> = Arc::new(store);
        signal(&master, "-STOP");
        let mut written = 0;
        let write = store.write(put(&format!("{written}@x"), "1"));
        let until = Instant::now() + Duration::from_secs(30);
        while !is_master(&replica) {
            assert!(Instant::now() < until, "the replica does not take over");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        signal(&master, "-CONT");
        assert_eq!(write.await, Ok(()));
        let until = Instant::now() + Duration::from_secs(5);
        while Instant::now() < until {
            written += 1;
            assert_eq!(store.write(put(&format!("{written}@x"), "1")).await, Ok(()));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(is_master(&master), "it does not know yet");
        for number in 0..=written {
            let document = document(&format!("{number}@x"));
            let key = format!("m:{{{}}}:test-document:{number}@x", slots::slot(&document));
            assert_eq!(replica.command(&["GET", &key]).unwrap(), Value::BulkString(b"1".to_vec()), "{key}");
        }
    });
}

#[test]
fn the_master_is_found_by_its_sentinel_and_found_again_after_a_fail_over() {
    let (mut master, replica, sentinel) = verona();
    contract::run(async {
        let config = Config {
            addresses: vec![sentinel.address()],
            topology: Topology::Sentinel,
            sentinel_master: "verona".to_owned(),
            replicas_min: 1,
            timeout_ms: 2_000,
            ..Config::default()
        };
        let unknown = Config { sentinel_master: "mantua".to_owned(), ..config.clone() };
        assert!(matches!(refusal(&unknown).await, StartError::Away { .. }));

        let careful = open(&config).await;
        careful.write(put("a@x", "1")).await.unwrap();
        let store = open(&Config { replicas_min: 0, ..config }).await;
        master.kill();
        let until = Instant::now() + Duration::from_secs(30);
        while store.write(put("a@x", "2")).await.is_err() {
            assert!(Instant::now() < until, "the replica does not take over");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(is_master(&replica));
        assert_eq!(Subject(store).document("a@x").await.as_deref(), Some(&b"2"[..]));
        // Whom a copy was promised gets no false acknowledgement now that there is no replica.
        assert!(careful.write(put("a@x", "3")).await.is_err());
    });
}
