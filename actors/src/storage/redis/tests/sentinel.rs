//! A master, a replica and a sentinel: a fail-over is survived.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use muster_proto::store::Write;

use redis::Value;

use super::super::super::Topology;
use super::fixture::Server as Fixture;
use super::{Config, StartError, open, put, refusal};
use crate::storage::contract::{self, Subject, all, log};
use crate::storage::{Batch, Patient, Storage};

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

#[test]
fn what_the_replica_that_takes_over_never_had_is_written_again() {
    let (mut master, replica, sentinel) = verona();
    let signal = |name: &str| {
        assert!(Command::new("kill").args([name, &replica.pid().to_string()]).status().unwrap().success());
    };
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
        signal("-STOP");
        let size = 200_000;
        for n in 0..300u64 {
            let batch = Batch::unfenced(vec![Write::Append(log(&format!("{}@x", n % 5)), n, vec![7; size])]);
            assert_eq!(store.write(batch).await, Ok(()), "the master acknowledges");
        }
        master.kill();
        signal("-CONT");
        assert_eq!(store.write(put("a@x", "after")).await, Ok(()));
        let Ok(Value::Array(role)) = replica.command(&["ROLE"]) else { panic!("no role") };
        assert_eq!(role[0], Value::BulkString(b"master".to_vec()));
        for account in 0..5u64 {
            let page = Subject(store.clone()).page(&format!("{account}@x"), all()).await;
            let ids: Vec<u64> = page.into_iter().map(|(id, _)| id).collect();
            assert_eq!(ids, (account..300).step_by(5).collect::<Vec<_>>());
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
        let Ok(Value::Array(role)) = replica.command(&["ROLE"]) else { panic!("no role") };
        assert_eq!(role[0], Value::BulkString(b"master".to_vec()));
        assert_eq!(Subject(store).document("a@x").await.as_deref(), Some(&b"2"[..]));
        // Whom a copy was promised gets no false acknowledgement now that there is no replica.
        assert!(careful.write(put("a@x", "3")).await.is_err());
    });
}
