//! A store that is waited for: what cannot be written now waits its turn and is tried again until it is written, its time is
//! over, or too much waits. Nobody is told that something is written before it is.
//!
//! Of each slot one batch is under way at a time, so that one that fails can be tried again before what came after it. What
//! waits behind it meanwhile goes out together when it is done.

mod queue;
mod report;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use muster_cluster::ViewRegister;
use muster_proto::store::{Query, Reply, StoreError};

use super::{Backend, Batch, Pending, StartError, Storage, budget};
use queue::{Queue, Sent};
pub(super) use report::describe;

/// How often what waits is looked at, and how often while nothing does.
const LOOK: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// How long closing waits for what was asked before.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(10);

/// A store that is waited for.
pub struct Patient(Arc<Shared>);

struct Shared {
    store: Arc<dyn Backend>,
    queue: Mutex<Queue>,
    /// Something may wait: the looker looks more often.
    waits: AtomicBool,
    looker: Mutex<Option<Thread>>,
}

impl Patient {
    /// Waits for this store: a write so long, and all of them as long as they are not more bytes than this.
    ///
    /// # Errors
    /// Its thread could not be started.
    pub fn new(store: Arc<dyn Backend>, bytes_max: usize, time_max: Duration) -> Result<Self, StartError> {
        let shared = Arc::new(Shared {
            store,
            queue: Mutex::new(Queue::new(bytes_max, time_max)),
            waits: AtomicBool::new(false),
            looker: Mutex::new(None),
        });
        let weak = Arc::downgrade(&shared);
        let thread = thread::Builder::new().name("store-wait".to_owned()).spawn(move || look_after(&weak));
        let thread = thread.map_err(StartError::Thread)?.thread().clone();
        *shared.looker.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(Self(shared))
    }
}

#[async_trait]
impl Storage for Patient {
    fn query(&self, query: Query) -> Pending<Reply> {
        let passes = self.0.queue().passes(&query);
        if passes { self.0.store.query(query) } else { self.0.ask(query) }
    }

    fn write(&self, batch: Batch) -> Pending<()> {
        let (answer, pending) = Pending::channel();
        let sent = {
            let mut queue = self.0.queue();
            if let Err(error) = queue.push_write(batch, answer, Instant::now()) {
                return Pending::ready(Err(error));
            }
            queue.start(&*self.0.store)
        };
        self.0.follow(sent);
        pending
    }

    fn register(&self) -> Arc<dyn ViewRegister> {
        self.0.store.register()
    }

    fn is_reachable(&self) -> bool {
        self.0.store.is_reachable()
    }

    fn waiting(&self) -> usize {
        self.0.queue().len() + self.0.store.waiting()
    }

    async fn close(&self) {
        let idle = self.0.queue().close();
        if tokio::time::timeout(CLOSE_TIME_MAX, idle).await.is_err() {
            self.0.queue().abandon();
        }
        self.0.store.close().await;
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(self: &Arc<Self>, query: Query) -> Pending<Reply> {
        let (answer, pending) = Pending::channel();
        let sent = {
            let mut queue = self.queue();
            if let Err(error) = queue.push_query(query, answer, Instant::now()) {
                return Pending::ready(Err(error));
            }
            queue.start(&*self.store)
        };
        self.follow(sent);
        pending
    }

    /// Sees to it that the answers of what was sent come back here. Never under the lock: they may be there already.
    fn follow(self: &Arc<Self>, sent: Vec<Sent>) {
        for sent in sent {
            match sent {
                Sent::Write(id, pending) => {
                    let shared = Arc::downgrade(self);
                    pending.then(move |outcome| {
                        if let Some(shared) = shared.upgrade() {
                            shared.written(id, outcome);
                        }
                    });
                }
                Sent::Query(pending, answer) => pending.then(move |reply| answer.send(reply)),
            }
        }
    }

    fn written(self: &Arc<Self>, id: u64, outcome: Result<(), StoreError>) {
        let away = matches!(outcome, Err(StoreError::Away(_)));
        let (sent, told) = {
            let mut queue = self.queue();
            let told = queue.settle(id, outcome, Instant::now());
            (queue.start(&*self.store), told)
        };
        told.into_iter().for_each(|(answer, outcome)| answer.send(outcome));
        self.follow(sent);
        if away && !self.waits.swap(true, Ordering::AcqRel) {
            let looker = self.looker.lock().unwrap_or_else(PoisonError::into_inner);
            looker.iter().for_each(Thread::unpark);
        }
    }

    /// Tries again what is due, and gives up what has waited too long. Whether anything waits.
    fn look(self: &Arc<Self>) -> bool {
        let (sent, told, waits) = {
            let mut queue = self.queue();
            let told = queue.expire(Instant::now());
            let sent = queue.start(&*self.store);
            queue.report();
            let waits = queue.len() > 0;
            self.waits.store(waits, Ordering::Release);
            (sent, told, waits)
        };
        told.tell();
        self.follow(sent);
        waits
    }
}

fn look_after(shared: &Weak<Shared>) {
    let mut pause = LOOK.1;
    loop {
        thread::park_timeout(pause);
        let Some(shared) = shared.upgrade() else { return };
        pause = if shared.look() { LOOK.0 } else { LOOK.1 };
    }
}

/// About how many bytes a question keeps in memory.
fn bytes_of(query: &Query) -> usize {
    64 + query.key().owner.len()
}

/// About how many bytes a batch keeps in memory.
fn bytes_of_batch(batch: &Batch) -> usize {
    64 + budget::bytes_of(&batch.writes)
}
