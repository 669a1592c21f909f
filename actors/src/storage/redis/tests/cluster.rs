//! A Redis Cluster of three servers.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use muster_proto::store::{StoreError, Write};
use redis::Value;

use super::super::super::{Batch, Topology, slots};
use super::fixture::Server as Fixture;
use super::{Config, open, put};
use crate::storage::contract::{self, Subject, document};

fn start() -> Vec<Fixture> {
    let settings = ["cluster-enabled yes", "cluster-node-timeout 1000", "cluster-require-full-coverage no"];
    let servers: Vec<_> = (0..3).map(|_| Fixture::start(&settings)).collect();
    for (server, (first, last)) in servers.iter().zip([("0", "5460"), ("5461", "10922"), ("10923", "16383")])
    {
        server.command(&["CLUSTER", "ADDSLOTSRANGE", first, last]).unwrap();
    }
    for other in &servers[1..] {
        servers[0].command(&["CLUSTER", "MEET", "127.0.0.1", &other.port.to_string()]).unwrap();
    }
    let until = Instant::now() + Duration::from_secs(20);
    let whole = |server: &Fixture| match server.command(&["CLUSTER", "INFO"]) {
        Ok(Value::BulkString(text)) => {
            let text = String::from_utf8(text).unwrap();
            text.contains("cluster_state:ok") && text.contains("cluster_slots_ok:16384")
        }
        _ => false,
    };
    while !servers.iter().all(whole) {
        assert!(Instant::now() < until, "the cluster does not come together");
        std::thread::sleep(Duration::from_millis(50));
    }
    servers
}

#[test]
fn a_redis_cluster_holds_the_contract() {
    let servers = start();
    let addresses = servers.iter().map(Fixture::address).collect();
    contract::run(async {
        contract::holds(open(&Config { addresses, topology: Topology::Cluster, ..Config::default() }).await)
            .await;
    });
    for server in &servers {
        let Ok(Value::Int(keys)) = server.command(&["DBSIZE"]) else { panic!("no size") };
        assert!(keys > 500, "the slots are spread over all servers: {keys}");
    }
}

#[test]
fn one_address_is_enough_to_find_a_cluster_and_a_part_that_is_away_holds_up_no_other() {
    let mut servers = start();
    contract::run(async {
        let addresses = vec![servers[0].address()];
        let store =
            open(&Config { addresses, topology: Topology::Cluster, timeout_ms: 2_000, ..Config::default() })
                .await;
        for n in 0..200 {
            store.write(put(&format!("{n}@x"), "1")).await.unwrap();
        }
        servers[2].kill();
        // The first round finds out; who asks after it is told at once, or served as if nothing had happened.
        for round in 0..3 {
            let began = Instant::now();
            let writes: Vec<_> = (0..100).map(|n| store.write(put(&format!("{n}@x"), "2"))).collect();
            let outcomes = join_all(writes).await;
            let served = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
            assert!((35..80).contains(&served), "{served} served");
            for outcome in outcomes {
                assert!(matches!(outcome, Ok(()) | Err(StoreError::Away(_))), "{outcome:?}");
            }
            assert!(began.elapsed() < Duration::from_secs(4), "round {round}: {:?}", began.elapsed());
        }
        assert!(!store.is_reachable());

        servers[2].resume();
        let until = Instant::now() + Duration::from_secs(20);
        for n in 0..60 {
            while store.write(put(&format!("{n}@x"), "3")).await.is_err() {
                assert!(Instant::now() < until, "it does not come back");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        assert!(store.is_reachable());
        assert_eq!(Subject(store).document("7@x").await.as_deref(), Some(&b"3"[..]));
    });
}

#[test]
fn a_stale_batch_touches_no_other_server() {
    let servers = start();
    contract::run(async {
        let addresses = vec![servers[0].address()];
        let store =
            Subject(open(&Config { addresses, topology: Topology::Cluster, ..Config::default() }).await);
        let slot = slots::slot(&document("a@x"));
        store.try_write(Batch::fenced(slot, 5, vec![])).await.unwrap();
        let owners: Vec<_> = (0..50).map(|n| format!("{n}@y")).collect();
        let writes: Vec<_> = owners.iter().map(|owner| Write::Put(document(owner), vec![1])).collect();
        assert_eq!(store.try_write(Batch::fenced(slot, 4, writes.clone())).await, Err(StoreError::Stale));
        for owner in &owners {
            assert_eq!(store.document(owner).await, None);
        }
        assert_eq!(store.try_write(Batch::fenced(slot, 5, writes)).await, Ok(()));
        for owner in &owners {
            assert!(store.document(owner).await.is_some());
        }
    });
}
