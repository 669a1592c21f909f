//! The store that all nodes share, and each node's line to it: late, in order, and sometimes away.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use muster_actors::storage::{Batch, Memory, Pending, Storage};
use muster_cluster::{MemoryRegister, RegisterError, ViewRegister};
use muster_proto::store::{Query, Reply, StoreError};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use crate::chance::Chance;
use crate::commits::Commits;
use crate::network::Place;

/// How long a store that is away may keep a caller waiting.
const PATIENCE: Duration = Duration::from_secs(1);

/// A write waits for a store that is away, as every node's queue of writes has it, and is tried again after this.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// The store.
#[derive(Clone)]
pub struct Store(Arc<Shared>);

struct Shared {
    memory: Memory,
    register: MemoryRegister,
    away: AtomicBool,
    /// Views as they were agreed, for going back.
    views: Mutex<Vec<(u64, Vec<u8>)>>,
    /// Who wrote to which slot.
    writers: Commits,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Store {
    fn default() -> Self {
        Self(Arc::new(Shared {
            memory: Memory::default(),
            register: MemoryRegister::default(),
            away: AtomicBool::new(false),
            views: Mutex::default(),
            writers: Commits::default(),
        }))
    }
}

impl Store {
    /// From now on it answers nothing, or again.
    pub fn set_away(&self, away: bool) {
        self.0.away.store(away, Ordering::Relaxed);
        self.0.register.set_away(away);
    }

    /// The register forgets its newest views, as an asynchronous fail-over of a store does; how many.
    pub fn roll_back(&self, most: usize) -> usize {
        let mut views = lock(&self.0.views);
        let keep = views.len().saturating_sub(most).max(1).min(views.len());
        let lost = views.len() - keep;
        views.truncate(keep);
        if let Some((epoch, view)) = views.last() {
            self.0.register.roll_back(*epoch, Some(view.clone()));
        }
        lost
    }

    /// Writes at once, as an administrator.
    pub async fn put(&self, batch: Batch) {
        self.0.memory.write(batch).await.expect("it is open");
    }

    /// What no store may ever see.
    pub fn faults(&self) -> Vec<String> {
        self.0.writers.faults()
    }

    fn is_away(&self) -> bool {
        self.0.away.load(Ordering::Relaxed)
    }

    async fn write(&self, by: Place, batch: Batch) -> Result<(), StoreError> {
        let fence = batch.fence;
        let written = self.0.memory.write(batch).await;
        if let (Some(fence), Ok(())) = (fence, &written) {
            self.0.writers.note("slot", &fence.slot.to_string(), by, fence.epoch);
        }
        written
    }

    /// A node's line to it. What runs it ends with the node.
    pub fn line(&self, of: Place, chance: Chance) -> (Line, impl Future<Output = ()> + use<>) {
        let (jobs, mut todo) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let line = Line { jobs, waiting: waiting.clone(), store: self.clone() };
        let (store, mut chance) = (self.clone(), chance);
        let run = async move {
            while let Some(job) = todo.recv().await {
                sleep(chance.millis(0, 2)).await;
                if store.is_away() {
                    sleep(PATIENCE).await;
                }
                while matches!(job, Job::Write(..)) && store.is_away() {
                    sleep(AGAIN_AFTER).await;
                }
                store.serve(of, job).await;
                waiting.fetch_sub(1, Ordering::Relaxed);
            }
        };
        (line, run)
    }

    async fn serve(&self, of: Place, job: Job) {
        let away = || StoreError::Away("it does not answer".into());
        // Whoever asked may be gone.
        match job {
            Job::Query(query, answer) => {
                let reply = if self.is_away() { Err(away()) } else { self.0.memory.query(query).await };
                answer(reply);
            }
            Job::Write(batch, answer) => {
                let done = if self.is_away() { Err(away()) } else { self.write(of, batch).await };
                answer(done);
            }
            Job::Load(answer) => {
                let _ = answer.send(self.0.register.load().await);
            }
            Job::Set(expected, epoch, view, answer) => {
                let set = self.0.register.compare_and_set(expected, epoch, view.clone()).await;
                if set == Ok(true) {
                    lock(&self.0.views).push((epoch, view));
                }
                let _ = answer.send(set);
            }
            Job::Claim(holder, epoch, time, answer) => {
                let _ = answer.send(self.0.register.claim(holder, epoch, time).await);
            }
        }
    }
}

type Give<T> = Box<dyn FnOnce(Result<T, StoreError>) + Send>;
type Answer<T> = oneshot::Sender<Result<T, RegisterError>>;

enum Job {
    Query(Query, Give<Reply>),
    Write(Batch, Give<()>),
    Load(Answer<Option<Vec<u8>>>),
    Set(u64, u64, Vec<u8>, Answer<bool>),
    Claim(u64, u64, Duration, Answer<bool>),
}

/// A node's line to the store.
#[derive(Clone)]
pub struct Line {
    jobs: mpsc::UnboundedSender<Job>,
    waiting: Arc<AtomicUsize>,
    store: Store,
}

impl Line {
    fn send(&self, job: Job) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        // Who runs the line ends with the node, and then nobody waits for an answer.
        let _ = self.jobs.send(job);
    }

    async fn ask<T>(&self, job: impl FnOnce(Answer<T>) -> Job) -> Result<T, RegisterError> {
        let (answer, answered) = oneshot::channel();
        self.send(job(answer));
        answered.await.unwrap_or_else(|_| Err(RegisterError("closed".into())))
    }
}

#[async_trait]
impl Storage for Line {
    fn query(&self, query: Query) -> Pending<Reply> {
        let (answer, pending) = Pending::later();
        self.send(Job::Query(query, Box::new(answer)));
        pending
    }

    fn write(&self, batch: Batch) -> Pending<()> {
        let (answer, pending) = Pending::later();
        self.send(Job::Write(batch, Box::new(answer)));
        pending
    }

    fn register(&self) -> Arc<dyn ViewRegister> {
        Arc::new(self.clone())
    }

    fn is_reachable(&self) -> bool {
        !self.store.is_away()
    }

    fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    async fn close(&self) {}
}

#[async_trait]
impl ViewRegister for Line {
    async fn load(&self) -> Result<Option<Vec<u8>>, RegisterError> {
        self.ask(Job::Load).await
    }

    async fn compare_and_set(&self, expected: u64, epoch: u64, view: Vec<u8>) -> Result<bool, RegisterError> {
        self.ask(|answer| Job::Set(expected, epoch, view, answer)).await
    }

    async fn claim(&self, holder: u64, epoch: u64, time: Duration) -> Result<bool, RegisterError> {
        self.ask(|answer| Job::Claim(holder, epoch, time, answer)).await
    }
}
