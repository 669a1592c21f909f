//! The shared store: Redis, alone, behind sentinels, or as a Redis Cluster.
//!
//! One thread of its own serves everything, so that no arbiter waits. It has lanes: within one, groups of requests go out
//! as one pipeline each, the next when the last is answered. That keeps order even when a connection breaks, and makes
//! groups as large as the round trip is long. A slot always uses the same lane. A cluster has several lanes, so that
//! a part of it that is away does not hold up the others.

mod across;
mod commands;
mod faults;
mod lane;
mod place;
mod register;
mod reign;
mod script;
mod server;
mod tail;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use muster_cluster::ViewRegister;
use muster_proto::store::{Query, Reply, StoreError};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::budget::{self, Budget, Permit};
use super::config::Config;
use super::pending::Answer;
use super::{Backend, Batch, Mark, Pending, StartError, Storage, slots};
use server::Server;

/// Lanes to a Redis Cluster. Each has its own connection to each of its servers: while one looks for a server that is
/// gone, it serves nothing.
const CLUSTER_LANES: usize = 16;

/// The shared store.
pub struct Redis {
    shared: Arc<Shared>,
    lanes: Vec<Lane>,
    runtime: Handle,
    /// Whether a script may touch keys of several slots.
    whole: bool,
}

/// The way to a lane.
#[derive(Clone)]
struct Lane {
    requests: mpsc::UnboundedSender<Request>,
    reachable: Arc<AtomicBool>,
}

struct Shared {
    budget: Arc<Budget>,
    closed: AtomicBool,
}

/// What a lane is asked.
struct Request {
    what: What,
    /// The slot that its keys lie in.
    slot: u16,
    since: Instant,
    /// Its share of the queue; the register has none.
    _permit: Option<Permit>,
}

enum What {
    /// A question.
    Query(Query, Answer<Reply>),
    /// A batch; of one slot, if the server is a cluster.
    Write(Arc<Batch>, Option<Mark>, Answer<()>),
    /// The view register: asks.
    Load(Answer<Option<Vec<u8>>>),
    /// The view register: replaces.
    Swap { expected: u64, epoch: u64, view: Vec<u8>, answer: Answer<bool> },
    /// The lease key: takes it.
    Claim { holder: u64, epoch: u64, time: Duration, answer: Answer<bool> },
    /// Serve what came before, then end.
    Close(oneshot::Sender<()>),
}

impl Redis {
    /// Connects, and starts the thread.
    ///
    /// # Errors
    /// The settings cannot be, or Redis refuses or cannot be reached; the error names the fix.
    pub async fn open(config: &Config) -> Result<Self, StartError> {
        let server = Server::new(config)?;
        let budget = Budget::new(config.queue_bytes_max);
        let (started, ready) = oneshot::channel();
        thread::Builder::new()
            .name("store-redis".to_owned())
            .spawn(move || serve(server, started))
            .map_err(StartError::Thread)?;
        let (lanes, runtime, whole) = ready.await.expect("the thread answers before it ends")?;
        Ok(Self {
            shared: Arc::new(Shared { budget, closed: AtomicBool::new(false) }),
            lanes,
            runtime,
            whole,
        })
    }

    fn lane(&self, slot: u16) -> &Lane {
        lane_of(&self.lanes, slot)
    }
}

fn lane_of(lanes: &[Lane], slot: u16) -> &Lane {
    &lanes[place::lane(slot, lanes.len())]
}

type Started = Result<(Vec<Lane>, Handle, bool), StartError>;

/// The thread: connects, then runs every lane to its end.
fn serve(mut server: Server, started: oneshot::Sender<Started>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(started.send(Err(StartError::Thread(error)))),
    };
    runtime.block_on(async move {
        if let Err(error) = server.start().await {
            return drop(started.send(Err(error)));
        }
        let whole = !server.is_cluster();
        let server = Arc::new(server);
        let watched = Arc::clone(&server);
        tokio::spawn(async move { watched.reign().watch().await });
        let (mut lanes, mut running) = (Vec::new(), Vec::new());
        let count = if whole { 1 } else { CLUSTER_LANES };
        for number in 0..count {
            let (requests, queue) = mpsc::unbounded_channel();
            let reachable = Arc::new(AtomicBool::new(true));
            lanes.push(Lane { requests, reachable: Arc::clone(&reachable) });
            running.push(tokio::spawn(lane::run(
                Arc::clone(&server),
                place::slot_of_lane(number, count),
                queue,
                reachable,
            )));
        }
        let _ = started.send(Ok((lanes, Handle::current(), whole)));
        for lane in running {
            let _ = lane.await;
        }
    });
}

#[async_trait]
impl Storage for Redis {
    fn query(&self, query: Query) -> Pending<Reply> {
        let slot = slots::of_query(&query);
        let permit = match self.admit(slot, 64 + query.key().owner.len()) {
            Ok(permit) => permit,
            Err(error) => return Pending::ready(Err(error)),
        };
        let (answer, pending) = Pending::channel();
        self.lane(slot).send(What::Query(query, answer), slot, Some(permit));
        pending
    }

    fn write(&self, batch: Batch) -> Pending<()> {
        self.send(None, Arc::new(batch))
    }

    fn register(&self) -> Arc<dyn ViewRegister> {
        Arc::new(register::Register::new(self.lane(register::SLOT).clone()))
    }

    fn is_reachable(&self) -> bool {
        !self.shared.closed.load(Ordering::SeqCst) && self.lanes.iter().all(Lane::is_reachable)
    }

    fn waiting(&self) -> usize {
        self.shared.budget.waiting()
    }

    async fn close(&self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        for lane in &self.lanes {
            let (done, ended) = oneshot::channel();
            lane.send(What::Close(done), 0, None);
            let _ = ended.await;
        }
    }
}

impl Backend for Redis {
    fn write_once(&self, mark: Mark, batch: Arc<Batch>) -> Pending<()> {
        self.send(Some(mark), batch)
    }
}

impl Redis {
    fn send(&self, mark: Option<Mark>, batch: Arc<Batch>) -> Pending<()> {
        let touched = slots::of_batch(&batch);
        let Some(slot) = touched.first().copied() else {
            return Pending::ready(Ok(()));
        };
        let permit = match self.admit(slot, budget::bytes_of(&batch.writes)) {
            Ok(permit) => permit,
            Err(error) => return Pending::ready(Err(error)),
        };
        let (answer, pending) = Pending::channel();
        if self.whole || touched.len() == 1 {
            self.lane(slot).send(What::Write(batch, mark, answer), slot, Some(permit));
        } else {
            across::write(&self.runtime, &self.lanes, (&batch, mark), &touched, answer, permit);
        }
        pending
    }

    fn admit(&self, slot: u16, bytes: usize) -> Result<Permit, StoreError> {
        if self.shared.closed.load(Ordering::SeqCst) {
            return Err(StoreError::Away("it was closed".to_owned()));
        }
        if !self.lane(slot).is_reachable() {
            // The lane looks for it, and opens again when it is found: nobody waits for nothing.
            return Err(StoreError::Away("Redis has not been reached for a while".to_owned()));
        }
        self.shared.budget.take(bytes)
    }
}

impl Lane {
    fn is_reachable(&self) -> bool {
        self.reachable.load(Ordering::Relaxed)
    }

    /// Hands it over. A lane that has ended drops the request, which answers `Away`.
    fn send(&self, what: What, slot: u16, permit: Option<Permit>) {
        let _ = self.requests.send(Request { what, slot, since: Instant::now(), _permit: permit });
    }
}
