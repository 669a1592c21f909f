//! What a request costs: prints the figures of `docs/storage.md`. Run with
//! `cargo test --release -p muster-actors storage::cost -- --ignored --nocapture --test-threads 1`.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use muster_proto::store::{Query, Write};

use super::contract::{self, document, log};
use super::redis::tests::fixture::Server;
use super::{Batch, Config, Redis, Sqlite, Storage, Synchronous};

const TIME: Duration = Duration::from_secs(3);

/// CPU seconds that a process has used.
fn cpu(process: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

fn append(owner: usize, id: u64) -> Batch {
    let owner = format!("user-{owner}@capulet.lit");
    Batch::fenced(super::slots::slot(&log(&owner)), 1, vec![Write::Append(log(&owner), id, vec![b'x'; 300])])
}

/// So many tasks, each of which awaits one answer after the other; requests per second and CPU for each.
async fn measure(name: &str, stores: &[Arc<dyn Storage>], tasks: usize, write: bool, server: Option<u32>) {
    let processes: Vec<_> =
        ["self".to_owned()].into_iter().chain(server.map(|pid| pid.to_string())).collect();
    let before: Vec<_> = processes.iter().map(|process| cpu(process)).collect();
    let began = Instant::now();
    let each = (0..tasks).map(|task| async move {
        let store = &stores[task % stores.len()];
        let mut count = 0u64;
        while began.elapsed() < TIME {
            if write {
                let id = began.elapsed().as_nanos() as u64 * 1_000 + task as u64;
                store.write(append(task, id % (1 << 53))).await.unwrap();
            } else {
                store.query(Query::Document(document(&format!("{}@x", count % 1_000)))).await.unwrap();
            }
            count += 1;
        }
        count
    });
    let count: u64 = join_all(each.collect::<Vec<_>>()).await.into_iter().sum();
    let seconds = began.elapsed().as_secs_f64();
    let spent: Vec<_> = processes
        .iter()
        .zip(before)
        .map(|(process, before)| format!("{:.1} µs", (cpu(process) - before) * 1e6 / count as f64))
        .collect();
    let rate = count as f64 / seconds;
    let latency = tasks as f64 / rate * 1e3;
    println!("{name}: {tasks} at once: {rate:.0}/s, {latency:.2} ms each, CPU {}", spent.join(" + "));
}

async fn fill(store: &Arc<dyn Storage>) {
    let writes = (0..1_000).map(|n| Write::Put(document(&format!("{n}@x")), vec![7; 400])).collect();
    store.write(Batch::unfenced(writes)).await.unwrap();
}

#[test]
#[ignore = "measures; proves nothing"]
fn sqlite() {
    for synchronous in [Synchronous::Normal, Synchronous::Full] {
        let folder =
            tempfile::tempdir_in(std::env::var_os("COST_DIR").unwrap_or_else(|| "/var/tmp".into())).unwrap();
        let config = Config { path: folder.path().join("db"), synchronous, ..Config::default() };
        let stores: Vec<Arc<dyn Storage>> =
            (0..3).map(|_| Arc::new(Sqlite::open(&config).unwrap()) as Arc<dyn Storage>).collect();
        contract::run(async {
            fill(&stores[0]).await;
            let name = format!("SQLite {synchronous:?}");
            for tasks in [1, 20, 500] {
                measure(&format!("{name}, write"), &stores[..1], tasks, true, None).await;
            }
            measure(&format!("{name}, write by three stores"), &stores, 300, true, None).await;
            for tasks in [1, 100] {
                measure(&format!("{name}, query"), &stores[..1], tasks, false, None).await;
            }
        });
    }
}

#[test]
#[ignore = "measures; proves nothing"]
fn redis() {
    for fsync in ["everysec", "always"] {
        let server = Server::start(&[&format!("appendfsync {fsync}")]);
        let config = Config { addresses: vec![server.address()], ..Config::default() };
        contract::run(async {
            let stores: [Arc<dyn Storage>; 1] = [Arc::new(Redis::open(&config).await.unwrap())];
            fill(&stores[0]).await;
            for tasks in [1, 20, 500] {
                measure(&format!("Redis {fsync}, write"), &stores, tasks, true, Some(server.pid())).await;
            }
            for tasks in [1, 100] {
                measure(&format!("Redis {fsync}, query"), &stores, tasks, false, Some(server.pid())).await;
            }
        });
    }
}

#[test]
#[ignore = "measures; proves nothing"]
fn derivation() {
    const COUNT: u32 = 300;
    let before = cpu("self");
    for _ in 0..COUNT {
        crate::keys::derive("wherefore art thou", muster_proto::sasl::ITERATIONS).unwrap();
    }
    println!("keys of one password: {:.2} ms of CPU", (cpu("self") - before) * 1e3 / f64::from(COUNT));
    let before = cpu("self");
    for _ in 0..COUNT {
        for (hash, bytes) in
            [(openssl::hash::MessageDigest::sha1(), 20), (openssl::hash::MessageDigest::sha256(), 32)]
        {
            let mut key = vec![0; bytes];
            openssl::pkcs5::pbkdf2_hmac(b"wherefore art thou", &[7; 16], 10_000, hash, &mut key).unwrap();
        }
    }
    println!("the same by OpenSSL: {:.2} ms of CPU", (cpu("self") - before) * 1e3 / f64::from(COUNT));
}
