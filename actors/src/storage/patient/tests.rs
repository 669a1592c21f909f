//! Outages of a store in memory that does as it is told.

use std::sync::atomic::{AtomicU32, AtomicU64};

use futures_util::future::join_all;
use muster_proto::store::Write;

use super::super::contract::{self, Subject, all, document, log};
use super::super::{Mark, Memory};
use super::*;

/// A store that can be told to fail.
#[derive(Default)]
struct Moody {
    memory: Memory,
    mood: Mutex<Mood>,
    calls: AtomicU32,
    /// The highest number that came; every new batch must be above it.
    number: AtomicU64,
    held: Mutex<Vec<super::super::pending::Answer<()>>>,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Mood {
    #[default]
    Good,
    /// It does nothing and says so.
    Away,
    /// It does what it is asked, and says that it is away.
    Unsure,
    /// It fails for whoever is called bad, and all that come with it.
    Picky,
    /// It does not answer.
    Silent,
}

impl Moody {
    fn be(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
        self.held.lock().unwrap().clear();
    }

    fn mood(&self) -> Mood {
        *self.mood.lock().unwrap()
    }
}

fn away<T>() -> Pending<T> {
    Pending::ready(Err(StoreError::Away("told to".to_owned())))
}

#[async_trait]
impl Storage for Moody {
    fn query(&self, query: Query) -> Pending<Reply> {
        if self.mood() == Mood::Away { away() } else { self.memory.query(query) }
    }

    fn write(&self, batch: Batch) -> Pending<()> {
        self.memory.write(batch)
    }

    fn register(&self) -> Arc<dyn ViewRegister> {
        self.memory.register()
    }

    fn is_reachable(&self) -> bool {
        self.mood() != Mood::Away
    }

    fn waiting(&self) -> usize {
        0
    }

    async fn close(&self) {
        self.memory.close().await;
    }
}

impl Backend for Moody {
    fn write_once(&self, mark: Mark, batch: Arc<Batch>) -> Pending<()> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.number.fetch_max(mark.number, Ordering::SeqCst);
        match self.mood() {
            Mood::Good => self.memory.write_once(mark, batch),
            Mood::Away => away(),
            Mood::Unsure => {
                drop(self.memory.write_once(mark, batch));
                away()
            }
            Mood::Picky if batch.writes.iter().any(|write| &*write.key().owner == "bad@x") => {
                Pending::ready(Err(StoreError::Failed("told to".to_owned())))
            }
            Mood::Picky => self.memory.write_once(mark, batch),
            Mood::Silent => {
                let (answer, pending) = Pending::channel();
                self.held.lock().unwrap().push(answer);
                pending
            }
        }
    }
}

fn patient(time_max: Duration) -> (Arc<Moody>, Subject) {
    let store = Arc::new(Moody::default());
    (store.clone(), Subject(Arc::new(Patient::new(store, 100_000, time_max).unwrap())))
}

const LONG: Duration = Duration::from_secs(60);

fn append(owner: &str, id: u64) -> Batch {
    Batch::unfenced(vec![Write::Append(log(owner), id, vec![b'x'; 100])])
}

#[test]
fn a_store_that_is_waited_for_is_a_store() {
    contract::run(async {
        let patient = Patient::new(Arc::new(Memory::default()), 64 << 20, LONG).unwrap();
        contract::holds(Arc::new(patient)).await;
    });
}

#[test]
fn what_is_written_in_an_outage_is_written_in_order_after_it_and_acknowledged_then() {
    let (store, subject) = patient(LONG);
    contract::run(async {
        store.be(Mood::Away);
        let written: Vec<_> = (0..50)
            .map(|n| subject.0.write(Batch::unfenced(vec![Write::Put(document("a@x"), vec![n])])))
            .chain((0..50).map(|n| subject.0.write(append("b@x", n))))
            .collect();
        // A question behind them sees them all, and one of another slot is not held up.
        let asked = subject.0.query(Query::Document(document("a@x")));
        assert!(matches!(subject.0.query(Query::Document(document("c@x"))).await, Err(StoreError::Away(_))));
        assert_eq!(subject.0.waiting(), 101);
        store.be(Mood::Good);
        for outcome in join_all(written).await {
            assert_eq!(outcome, Ok(()));
        }
        assert_eq!(asked.await, Ok(Reply::Document(Some(vec![49]))));
        assert_eq!(subject.page("b@x", all()).await.len(), 50);
        assert_eq!(subject.0.waiting(), 0);
    });
}

#[test]
fn what_may_have_been_written_is_not_written_twice() {
    let (store, subject) = patient(LONG);
    contract::run(async {
        store.be(Mood::Unsure);
        let written = subject.0.write(append("a@x", 5));
        // It is there, and an administrator removes it before it is tried again.
        store.memory.write(Batch::unfenced(vec![Write::RemoveEntry(log("a@x"), 5)])).await.unwrap();
        store.be(Mood::Good);
        assert_eq!(written.await, Ok(()));
        assert_eq!(subject.page("a@x", all()).await, []);
    });
}

#[test]
fn too_much_and_too_long_are_refused_and_never_acknowledged() {
    let (store, subject) = patient(Duration::from_millis(300));
    contract::run(async {
        store.be(Mood::Away);
        let began = Instant::now();
        let written: Vec<_> = (0..2_000).map(|n| subject.0.write(append(&format!("{n}@x"), n))).collect();
        let refused = subject.0.write(append("late@x", 1)).await;
        assert_eq!(refused, Err(StoreError::Away("too much waits for it".to_owned())));
        assert!(began.elapsed() < Duration::from_millis(300), "who is refused is told at once");
        for outcome in join_all(written).await {
            assert!(matches!(outcome, Err(StoreError::Away(_))), "{outcome:?}");
        }
        assert_eq!(subject.0.waiting(), 0);
        store.be(Mood::Good);
        assert_eq!(subject.0.write(append("late@x", 2)).await, Ok(()), "there is room again");
        assert_eq!(subject.page("late@x", all()).await.len(), 1);
    });
}

#[test]
fn what_came_while_one_was_under_way_goes_out_together() {
    let (store, subject) = patient(LONG);
    contract::run(async {
        store.be(Mood::Silent);
        let written: Vec<_> = (0..40).map(|n| subject.0.write(append("a@x", n))).collect();
        assert_eq!(store.calls.load(Ordering::SeqCst), 1, "one of a slot at a time");
        store.be(Mood::Good);
        for outcome in join_all(written).await {
            assert_eq!(outcome, Ok(()));
        }
        // The first, the first again, and all others.
        assert_eq!(store.calls.load(Ordering::SeqCst), 3);
        assert_eq!(store.number.load(Ordering::SeqCst), 2);
        assert_eq!(subject.page("a@x", all()).await.len(), 40);
    });
}

#[test]
fn one_that_fails_does_not_take_those_with_it_that_it_went_out_with() {
    let (store, subject) = patient(LONG);
    contract::run(async {
        store.be(Mood::Silent);
        let slot = super::super::slots::slot(&document("bad@x"));
        let batch =
            |owner: &str, epoch| Batch::fenced(slot, epoch, vec![Write::Put(document(owner), vec![1])]);
        // Batches of one slot: only the fence's slot and the owner's own can be the same here.
        let before = subject.0.write(Batch::fenced(slot, 1, vec![]));
        let good = subject.0.write(Batch::fenced(slot, 1, vec![]));
        let bad = subject.0.write(batch("bad@x", 1));
        let after = subject.0.write(Batch::fenced(slot, 1, vec![]));
        let newer = subject.0.write(Batch::fenced(slot, 2, vec![]));
        store.be(Mood::Picky);
        assert_eq!((before.await, good.await), (Ok(()), Ok(())));
        assert!(matches!(bad.await, Err(StoreError::Failed(_))));
        assert_eq!((after.await, newer.await), (Ok(()), Ok(())));
        let older = subject.0.write(Batch::fenced(slot, 1, vec![]));
        assert_eq!(older.await, Err(StoreError::Stale), "which is not tried again");
        assert_eq!(subject.0.waiting(), 0);
    });
}

#[test]
fn a_batch_of_several_slots_keeps_its_place_in_each() {
    let (store, subject) = patient(LONG);
    contract::run(async {
        let put = |owner: &str, value: u8| Write::Put(document(owner), vec![value]);
        store.be(Mood::Away);
        let written = vec![
            subject.0.write(Batch::unfenced(vec![put("a@x", 1)])),
            subject.0.write(Batch::unfenced(vec![put("a@x", 2), put("b@x", 2)])),
            subject.0.write(Batch::unfenced(vec![put("b@x", 3)])),
            subject.0.write(Batch::unfenced(vec![put("b@x", 4), put("c@x", 4), put("a@x", 4)])),
            subject.0.write(Batch::unfenced(vec![put("c@x", 5)])),
        ];
        store.be(Mood::Good);
        for outcome in join_all(written).await {
            assert_eq!(outcome, Ok(()));
        }
        for (owner, value) in [("a@x", 4), ("b@x", 4), ("c@x", 5)] {
            assert_eq!(subject.document(owner).await, Some(vec![value]), "{owner}");
        }
    });
}

#[test]
fn closing_waits_for_what_was_asked_and_takes_nothing_more() {
    let (store, subject) = patient(LONG);
    contract::run(async {
        store.be(Mood::Away);
        let late = subject.0.write(append("a@x", 1));
        let closing = subject.0.clone();
        let (closed, outcome, ()) = tokio::join!(closing.close(), late, async {
            tokio::task::yield_now().await;
            store.be(Mood::Good);
        });
        assert_eq!((closed, outcome), ((), Ok(())));
        assert!(matches!(subject.0.write(append("a@x", 2)).await, Err(StoreError::Away(_))));
    });
}
