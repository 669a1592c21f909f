//! What an operator is told of a store that is waited for: metrics, and a line when an outage begins, goes on and ends.

use std::time::{Duration, Instant};

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};
use muster_proto::store::StoreError;

const BYTES: &str = "muster_storage_queue_bytes";
const OLDEST: &str = "muster_storage_queue_oldest_seconds";
const RETRIES: &str = "muster_storage_retries_total";
const LATE: &str = "muster_storage_writes_late_total";
const LOST: &str = "muster_storage_writes_refused_total";

/// How often an outage that goes on is told of.
const AGAIN: Duration = Duration::from_secs(10);

/// Describes the metrics of the queue.
pub(in crate::storage) fn describe() {
    describe_gauge!(BYTES, Unit::Bytes, "Bytes of questions and writes that wait for the store.");
    describe_gauge!(OLDEST, Unit::Seconds, "Age of the oldest question or write that waits for the store.");
    describe_counter!(
        RETRIES,
        Unit::Count,
        "Attempts to write that the store did not answer; they are repeated."
    );
    describe_counter!(LATE, Unit::Count, "Writes that the store took after it had not answered at first.");
    describe_counter!(
        LOST,
        Unit::Count,
        "Writes whose senders were told to wait, by why (full, time, stale, failed)."
    );
    describe_counter!(
        "muster_storage_rewritten_total",
        Unit::Count,
        "Acknowledged writes repeated after the connection to Redis was lost, by outcome (written, stale, failed)."
    );
}

/// How an outage goes.
#[derive(Default)]
pub(super) struct Report {
    outage: Option<Outage>,
    /// A refusal because of a full queue was logged at this time.
    full: Option<Instant>,
}

struct Outage {
    since: Instant,
    reason: String,
    told: Instant,
    late: u64,
    refused: u64,
    /// The last write that was answered was written.
    recovers: bool,
}

impl Report {
    /// A write was not answered and rests before it is repeated.
    pub(super) fn rests(&mut self, reason: &str, now: Instant) {
        counter!(RETRIES).increment(1);
        match &mut self.outage {
            Some(outage) => {
                reason.clone_into(&mut outage.reason);
                outage.recovers = false;
            }
            None => {
                tracing::warn!(%reason, "the store does not take writes; they wait, and everything that needs no store goes on");
                let reason = reason.to_owned();
                let outage = Outage { since: now, reason, told: now, late: 0, refused: 0, recovers: false };
                self.outage = Some(outage);
            }
        }
    }

    /// A write has come to its end, perhaps after it was repeated.
    pub(super) fn ended(&mut self, outcome: &Result<(), StoreError>, repeated: bool) {
        let why = match outcome {
            Ok(()) => {
                let Some(outage) = &mut self.outage else { return };
                outage.recovers = true;
                if repeated {
                    counter!(LATE).increment(1);
                    outage.late += 1;
                }
                return;
            }
            Err(StoreError::Away(_)) => "time",
            Err(StoreError::Stale) => "stale",
            Err(StoreError::Failed(_)) => "failed",
        };
        counter!(LOST, "why" => why).increment(1);
        self.outage.iter_mut().for_each(|outage| outage.refused += 1);
    }

    /// A request was refused because too much waits.
    pub(super) fn refused(&mut self, bytes: usize, waiting: usize) {
        counter!(LOST, "why" => "full").increment(1);
        self.outage.iter_mut().for_each(|outage| outage.refused += 1);
        if self.full.is_none_or(|told| told.elapsed() >= AGAIN) {
            self.full = Some(Instant::now());
            tracing::error!(
                bytes,
                waiting,
                "the queue to the store is full (storage.queue_bytes_max); senders are told to wait"
            );
        }
    }

    /// Sets the gauges; ends the outage when nothing rests any more.
    #[allow(clippy::cast_precision_loss)] // gauges are floating point
    pub(super) fn look(&mut self, waiting: usize, bytes: usize, oldest: Duration, resting: usize) {
        gauge!(BYTES).set(bytes as f64);
        gauge!(OLDEST).set(oldest.as_secs_f64());
        let Some(outage) = &mut self.outage else { return };
        let seconds = outage.since.elapsed().as_secs();
        if outage.recovers && resting == 0 {
            let (late, refused) = (outage.late, outage.refused);
            tracing::info!(seconds, late, refused, "the store takes writes again");
            self.outage = None;
        } else if waiting > 0 && outage.told.elapsed() >= AGAIN {
            outage.told = Instant::now();
            let (reason, refused) = (&outage.reason, outage.refused);
            let oldest = oldest.as_secs();
            tracing::warn!(seconds, waiting, bytes, oldest, refused, %reason, "the store still does not take writes");
        }
    }
}
