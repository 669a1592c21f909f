//! Outages of a real Redis under load, waited for: what was acknowledged is there, once and in order, and all of it is in the end.

use std::process::Command;

use futures_util::future::join_all;
use muster_proto::store::Query;

use super::*;
use crate::storage::{Patient, contract::all};

const LONG: Duration = Duration::from_secs(60);
const ACCOUNTS: u64 = 20;

async fn patient(config: &Config) -> Arc<dyn Storage> {
    Arc::new(Patient::new(open(config).await, 64 << 20, LONG).unwrap())
}

fn account(n: u64) -> String {
    format!("{n}@x")
}

/// One after the other, each account appends rising ids and puts the same into a document, until it is told to stop.
async fn load(store: &Arc<dyn Storage>, until: impl Future<Output = ()>) -> Vec<u64> {
    let stop = std::cell::Cell::new(false);
    let writers = (0..ACCOUNTS).map(|n| {
        let stop = &stop;
        async move {
            let (owner, mut id) = (account(n), 0);
            while !stop.get() {
                id += 1;
                // Three at once, so that some wait for others of their slot.
                let put = Write::Put(document(&owner), id.to_string().into_bytes());
                let written = [
                    store.write(Batch::unfenced(vec![Write::Append(log(&owner), id * 2, vec![7; 100])])),
                    store.write(Batch::unfenced(vec![Write::Append(log(&owner), id * 2 + 1, vec![7; 100])])),
                    store.write(Batch::unfenced(vec![put])),
                ];
                for outcome in join_all(written).await {
                    assert_eq!(outcome, Ok(()));
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            id
        }
    });
    let stopped = async {
        until.await;
        stop.set(true);
    };
    let (ids, ()) = tokio::join!(join_all(writers.collect::<Vec<_>>()), stopped);
    ids
}

async fn is_whole(store: Arc<dyn Storage>, written: &[u64]) {
    let store = Subject(store);
    for (n, last) in written.iter().enumerate() {
        let owner = account(n as u64);
        let ids: Vec<u64> = store.page(&owner, all()).await.into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids, (2..=last * 2 + 1).collect::<Vec<_>>(), "{owner}");
        assert_eq!(store.document(&owner).await, Some(last.to_string().into_bytes()), "{owner}");
    }
}

async fn wait(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

#[test]
fn redis_killed_and_started_again_under_load_loses_and_doubles_nothing() {
    let mut server = Fixture::start(&[]);
    contract::run(async {
        let store = patient(&Config { timeout_ms: 500, ..config(&server) }).await;
        let written = load(&store, async {
            for _ in 0..2 {
                wait(300).await;
                server.kill();
                // Longer than an attempt may take: the writes are tried again.
                wait(1_500).await;
                server.resume();
            }
            wait(300).await;
        })
        .await;
        is_whole(store, &written).await;
    });
}

#[test]
fn redis_stopped_and_woken_under_load_does_nothing_twice_and_nothing_late() {
    let server = Fixture::start(&[]);
    let signal = |name: &str| {
        assert!(Command::new("kill").args([name, &server.pid().to_string()]).status().unwrap().success());
    };
    contract::run(async {
        let store = patient(&Config { timeout_ms: 300, ..config(&server) }).await;
        let written = load(&store, async {
            for _ in 0..3 {
                wait(200).await;
                signal("-STOP");
                wait(1_000).await;
                // It reads now what came by connections that were given up long ago.
                signal("-CONT");
            }
            wait(200).await;
        })
        .await;
        is_whole(store, &written).await;
    });
}

#[test]
fn what_redis_acknowledged_and_forgot_is_written_again() {
    // Kept in memory only: a restart goes back to the last SAVE, as a fail-over goes back to what the replica had.
    let mut server = Fixture::start(&["appendonly no"]);
    contract::run(async {
        let store = patient(&Config { timeout_ms: 500, ..config(&server) }).await;
        let fence = |epoch| Batch::fenced(slots::slot(&document("0@x")), epoch, vec![]);
        assert_eq!(store.write(fence(5)).await, Ok(()));
        let written = load(&store, async {
            wait(300).await;
            server.command(&["SAVE"]).unwrap();
            wait(300).await;
            assert_eq!(store.write(fence(7)).await, Ok(()));
            server.kill();
            server.resume();
            wait(300).await;
        })
        .await;
        is_whole(store.clone(), &written).await;
        assert_eq!(store.write(fence(6)).await, Err(StoreError::Stale), "the fence was raised again too");
        // Nobody writes: what was forgotten is missed all the same.
        server.command(&["FLUSHALL"]).unwrap();
        server.command(&["SAVE"]).unwrap();
        assert_eq!(store.write(put("quiet@x", "1")).await, Ok(()));
        server.kill();
        server.resume();
        let until = Instant::now() + Duration::from_secs(10);
        let key = format!("m:{{{}}}:test-document:quiet@x", slots::slot(&document("quiet@x")));
        while server.command(&["GET", &key]).unwrap() == ::redis::Value::Nil {
            assert!(Instant::now() < until, "it is not written again");
            wait(50).await;
        }
    });
}

#[test]
fn a_full_redis_is_waited_out() {
    let server = Fixture::start(&["maxmemory 8mb", "maxmemory-policy noeviction"]);
    contract::run(async {
        let store = patient(&config(&server)).await;
        let written: Vec<_> = (0..100)
            .map(|n| store.write(Batch::unfenced(vec![Write::Put(document(&account(n)), vec![1; 100_000])])))
            .collect();
        let all = join_all(written);
        let (outcomes, ()) = tokio::join!(all, async {
            wait(500).await;
            assert!(store.waiting() > 0, "it is full");
            assert_eq!(store.query(Query::Document(document("none@x"))).await, Ok(Reply::Document(None)));
            server.command(&["CONFIG", "SET", "maxmemory", "100mb"]).unwrap();
        });
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    });
}
