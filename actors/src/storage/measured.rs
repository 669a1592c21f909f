//! Measures a store: how long each kind of request takes, how many fail, how many wait.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use metrics::{Counter, Gauge, Histogram, Unit, describe_counter, describe_gauge, describe_histogram};
use muster_cluster::ViewRegister;
use muster_proto::store::{Query, Reply, StoreError};

use super::{Batch, Pending, Storage};

const SECONDS: &str = "muster_storage_seconds";
const ERRORS: &str = "muster_storage_errors_total";
const WAITING: &str = "muster_storage_waiting";
const REACHABLE: &str = "muster_storage_reachable";

/// Describes the metrics of the store.
pub fn describe() {
    describe_histogram!(
        SECONDS,
        Unit::Seconds,
        "Time from asking the store to its answer, by op (query, write)."
    );
    describe_counter!(
        ERRORS,
        Unit::Count,
        "Requests that the store did not serve, by kind (away, stale, failed)."
    );
    describe_gauge!(WAITING, Unit::Count, "Requests that wait for the store.");
    super::patient::describe();
    describe_gauge!(REACHABLE, Unit::Count, "1 if the store was reached by the last attempt, else 0.");
}

/// A store that is measured.
pub struct Measured {
    store: Arc<dyn Storage>,
    meters: &'static Meters,
}

/// Registered once: looking a metric up by its labels for each request would cost more than the request.
struct Meters {
    query: Histogram,
    write: Histogram,
    away: Counter,
    stale: Counter,
    failed: Counter,
    waiting: Gauge,
    reachable: Gauge,
}

impl Measured {
    /// Measures this store. The recorder must have been installed before.
    pub fn new(store: Arc<dyn Storage>) -> Self {
        Self { store, meters: Meters::shared() }
    }

    fn note(&self) {
        self.meters.waiting.set(self.store.waiting() as f64);
        self.meters.reachable.set(if self.store.is_reachable() { 1.0 } else { 0.0 });
    }
}

impl Meters {
    fn shared() -> &'static Self {
        static METERS: std::sync::OnceLock<Meters> = std::sync::OnceLock::new();
        METERS.get_or_init(|| Self {
            query: metrics::histogram!(SECONDS, "op" => "query"),
            write: metrics::histogram!(SECONDS, "op" => "write"),
            away: metrics::counter!(ERRORS, "kind" => "away"),
            stale: metrics::counter!(ERRORS, "kind" => "stale"),
            failed: metrics::counter!(ERRORS, "kind" => "failed"),
            waiting: metrics::gauge!(WAITING),
            reachable: metrics::gauge!(REACHABLE),
        })
    }

    fn count<T>(&self, answer: &Result<T, StoreError>) {
        match answer {
            Ok(_) => {}
            Err(StoreError::Away(_)) => self.away.increment(1),
            Err(StoreError::Stale) => self.stale.increment(1),
            Err(StoreError::Failed(_)) => self.failed.increment(1),
        }
    }
}

fn asked(since: Instant, answer: &Result<Reply, StoreError>) {
    let meters = Meters::shared();
    meters.query.record(since.elapsed());
    meters.count(answer);
}

fn written(since: Instant, answer: &Result<(), StoreError>) {
    let meters = Meters::shared();
    meters.write.record(since.elapsed());
    meters.count(answer);
}

#[async_trait]
impl Storage for Measured {
    fn query(&self, query: Query) -> Pending<Reply> {
        let since = Instant::now();
        let pending = self.store.query(query).watched(since, asked);
        self.note();
        pending
    }

    fn write(&self, batch: Batch) -> Pending<()> {
        let since = Instant::now();
        let pending = self.store.write(batch).watched(since, written);
        self.note();
        pending
    }

    fn register(&self) -> Arc<dyn ViewRegister> {
        self.store.register()
    }

    fn is_reachable(&self) -> bool {
        let reachable = self.store.is_reachable();
        self.note();
        reachable
    }

    fn waiting(&self) -> usize {
        self.store.waiting()
    }

    async fn close(&self) {
        self.store.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Memory, contract};

    #[test]
    fn a_measured_store_is_a_store() {
        contract::run(contract::holds(Arc::new(Measured::new(Arc::new(Memory::default())))));
    }
}
