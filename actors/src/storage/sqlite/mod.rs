//! The embedded store: one SQLite file in WAL mode, shared by the processes of one machine.
//!
//! Each process has two threads: a writer with group commit, and a reader, so that a question does not wait for a disk.

mod faults;
mod lanes;
mod reader;
mod register;
mod schema;
mod statements;
#[cfg(test)]
mod tests;
mod writer;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use muster_cluster::ViewRegister;
use muster_proto::store::{Query, Reply, StoreError};
use tokio::sync::oneshot;

use super::budget::{self, Budget, Permit};
use super::config::SqliteConfig;
use super::pending::Answer;
use super::{Batch, Pending, StartError, Storage, slots};
use lanes::Lanes;

/// The embedded store.
pub struct Sqlite {
    shared: Arc<Shared>,
    writer: mpsc::Sender<Request>,
    reader: mpsc::Sender<Request>,
}

/// What the callers and both threads know together.
struct Shared {
    budget: Arc<Budget>,
    lanes: Lanes,
    reachable: AtomicBool,
    closed: AtomicBool,
}

/// What the threads are asked.
enum Request {
    /// A question.
    Query { query: Query, slot: u16, answer: Answer<Reply>, permit: Permit },
    /// A batch and the slots it touches.
    Write { batch: Batch, slots: Vec<u16>, answer: Answer<()>, permit: Permit },
    /// The view register: asks.
    Load { answer: Answer<Option<Vec<u8>>> },
    /// The view register: replaces.
    Swap { expected: u64, epoch: u64, view: Vec<u8>, answer: Answer<bool> },
    /// The lease key: takes it.
    Claim { holder: u64, epoch: u64, time: Duration, answer: Answer<bool> },
    /// Serve what came before, then end.
    Close { done: oneshot::Sender<()> },
}

impl Sqlite {
    /// Opens the file, brings it to this version's schema, and starts both threads.
    ///
    /// # Errors
    /// The file cannot be used; the error names the fix.
    pub fn open(config: &SqliteConfig) -> Result<Self, StartError> {
        let writing = schema::open(config)?;
        let reading = schema::open_to_read(config)?;
        let shared = Arc::new(Shared {
            budget: Budget::new(config.queue_bytes_max),
            lanes: Lanes::default(),
            reachable: AtomicBool::new(true),
            closed: AtomicBool::new(false),
        });
        let (writer, requests) = mpsc::channel();
        let known = Arc::clone(&shared);
        start("store-write", move || writer::run(&writing, &requests, &known))?;
        let (reader, requests) = mpsc::channel();
        let (known, forward) = (Arc::clone(&shared), writer.clone());
        start("store-read", move || reader::run(&reading, &requests, &forward, &known))?;
        Ok(Self { shared, writer, reader })
    }
}

fn start(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), StartError> {
    thread::Builder::new().name(name.to_owned()).spawn(run).map(drop).map_err(StartError::Thread)
}

#[async_trait]
impl Storage for Sqlite {
    fn query(&self, query: Query) -> Pending<Reply> {
        let permit = match self.shared.admit(64 + query.key().owner.len()) {
            Ok(permit) => permit,
            Err(error) => return Pending::ready(Err(error)),
        };
        let (answer, pending) = Pending::channel();
        let slot = slots::of_query(&query);
        let lane = if self.shared.lanes.query(slot) { &self.reader } else { &self.writer };
        // A thread that has ended drops the request, which answers `Away`.
        let _ = lane.send(Request::Query { query, slot, answer, permit });
        pending
    }

    fn write(&self, batch: Batch) -> Pending<()> {
        let permit = match self.shared.admit(budget::bytes_of(&batch.writes)) {
            Ok(permit) => permit,
            Err(error) => return Pending::ready(Err(error)),
        };
        let (answer, pending) = Pending::channel();
        let slots = slots::of_batch(&batch);
        let lane = if self.shared.lanes.write(&slots) { &self.reader } else { &self.writer };
        let _ = lane.send(Request::Write { batch, slots, answer, permit });
        pending
    }

    fn register(&self) -> Arc<dyn ViewRegister> {
        Arc::new(register::Register::new(self.writer.clone()))
    }

    fn is_reachable(&self) -> bool {
        self.shared.reachable.load(Ordering::Relaxed)
    }

    fn waiting(&self) -> usize {
        self.shared.budget.waiting()
    }

    async fn close(&self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        // The reader first: what it forwards must still find the writer.
        for lane in [&self.reader, &self.writer] {
            let (done, ended) = oneshot::channel();
            if lane.send(Request::Close { done }).is_ok() {
                let _ = ended.await;
            }
        }
        self.shared.reachable.store(false, Ordering::Relaxed);
    }
}

impl Shared {
    fn admit(&self, bytes: usize) -> Result<Permit, StoreError> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(StoreError::Away("it was closed".to_owned()));
        }
        self.budget.take(bytes)
    }

    /// Notes how the last transaction went; logs when that changes.
    fn note<T>(&self, outcome: &Result<T, StoreError>) {
        let reachable = outcome.is_ok();
        if self.reachable.swap(reachable, Ordering::Relaxed) != reachable {
            match outcome {
                Ok(_) => tracing::info!("the store works again"),
                Err(error) => tracing::warn!(%error, "the store does not work"),
            }
        }
    }
}
