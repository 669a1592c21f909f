//! A master, a replica and a sentinel: a fail-over is survived.

use std::time::{Duration, Instant};

use redis::Value;

use super::super::super::Topology;
use super::fixture::Server as Fixture;
use super::{RedisConfig, StartError, open, put, refusal};
use crate::storage::contract::{self, Subject};

#[test]
fn the_master_is_found_by_its_sentinel_and_found_again_after_a_fail_over() {
    let mut master = Fixture::start(&[]);
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
    contract::run(async {
        let config = RedisConfig {
            addresses: vec![sentinel.address()],
            topology: Topology::Sentinel,
            sentinel_master: "verona".to_owned(),
            replicas_min: 1,
            timeout_ms: 2_000,
            ..RedisConfig::default()
        };
        let unknown = RedisConfig { sentinel_master: "mantua".to_owned(), ..config.clone() };
        assert!(matches!(refusal(&unknown).await, StartError::Away { .. }));

        let careful = open(&config).await;
        careful.write(put("a@x", "1")).await.unwrap();
        let store = open(&RedisConfig { replicas_min: 0, ..config }).await;
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
