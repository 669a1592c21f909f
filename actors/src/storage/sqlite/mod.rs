//! The embedded store: one SQLite file in WAL mode, shared by the processes of one machine.
//!
//! Each process has two threads: a writer with group commit, and a reader, so that a question does not wait for a disk.

mod faults;
mod lanes;
#[cfg(test)]
mod outages;
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
use muster_cluster::{ViewRegister, priority};
use muster_proto::store::{Query, Reply, StoreError};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::budget::{self, Budget, Permit};
use super::config::Config;
use super::pending::Answer;
use super::{Backend, Batch, Mark, Pending, StartError, Storage, slots};
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
    reads: AtomicBool,
    writes: AtomicBool,
    closed: AtomicBool,
}

/// Logs when how it goes has changed.
fn note<T>(works: &AtomicBool, what: &str, outcome: &Result<T, StoreError>) {
    if works.swap(outcome.is_ok(), Ordering::Relaxed) != outcome.is_ok() {
        match outcome {
            Ok(_) => tracing::info!(what, "the store works again"),
            Err(error) => tracing::warn!(what, %error, "the store does not work"),
        }
    }
}

/// What the threads are asked.
enum Request {
    /// A question.
    Query { query: Query, slot: u16, answer: Answer<Reply>, permit: Permit },
    /// A batch and the slots it touches.
    Write { batch: Arc<Batch>, mark: Option<Mark>, slots: Vec<u16>, answer: Answer<()>, permit: Permit },
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
    pub fn open(config: &Config) -> Result<Self, StartError> {
        Self::over(schema::open(config)?, schema::open_to_read(config)?, config)
    }

    fn over(writing: Connection, reading: Connection, config: &Config) -> Result<Self, StartError> {
        let shared = Arc::new(Shared {
            budget: Budget::new(config.queue_bytes_max),
            lanes: Lanes::default(),
            reads: AtomicBool::new(true),
            writes: AtomicBool::new(true),
            closed: AtomicBool::new(false),
        });
        let (writer, requests) = mpsc::channel();
        let known = Arc::clone(&shared);
        start("store-write", move || writer::run(&writing, &requests, &known))?;
        let (reader, requests) = mpsc::channel();
        let (known, forward) = (Arc::clone(&shared), writer.clone());
        start("store-read", move || {
            // It answers all that wait from one snapshot.
            priority::give_way();
            reader::run(&reading, &requests, &forward, &known);
        })?;
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
        self.send(None, Arc::new(batch))
    }

    fn register(&self) -> Arc<dyn ViewRegister> {
        Arc::new(register::Register::new(self.writer.clone()))
    }

    fn is_reachable(&self) -> bool {
        self.shared.reads.load(Ordering::Relaxed) && self.shared.writes.load(Ordering::Relaxed)
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
        self.shared.writes.store(false, Ordering::Relaxed);
    }
}

impl Backend for Sqlite {
    fn write_once(&self, mark: Mark, batch: Arc<Batch>) -> Pending<()> {
        self.send(Some(mark), batch)
    }
}

impl Sqlite {
    fn send(&self, mark: Option<Mark>, batch: Arc<Batch>) -> Pending<()> {
        let permit = match self.shared.admit(budget::bytes_of(&batch.writes)) {
            Ok(permit) => permit,
            Err(error) => return Pending::ready(Err(error)),
        };
        let (answer, pending) = Pending::channel();
        let slots = slots::of_batch(&batch);
        let lane = if self.shared.lanes.write(&slots) { &self.reader } else { &self.writer };
        let _ = lane.send(Request::Write { batch, mark, slots, answer, permit });
        pending
    }
}

impl Shared {
    fn admit(&self, bytes: usize) -> Result<Permit, StoreError> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(StoreError::Away("it was closed".to_owned()));
        }
        self.budget.take(bytes)
    }

    /// Notes how the last question went. Those go on while a disk is full.
    fn note_read<T>(&self, outcome: &Result<T, StoreError>) {
        note(&self.reads, "reads", outcome);
    }

    /// Notes how the last transaction of the writer went.
    fn note_write(&self, outcome: &Result<(), StoreError>) {
        note(&self.writes, "writes", outcome);
    }
}
