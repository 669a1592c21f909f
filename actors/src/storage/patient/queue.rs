//! What waits for the store, in order of the calls within each slot.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use muster_proto::store::{Query, Reply, StoreError};

use super::super::pending::Answer;
use super::super::{Backend, Batch, Mark, Pending, budget, slots};
use super::report::Report;
use super::{bytes_of, bytes_of_batch};

/// How long a question may wait behind a write of its slot.
const QUERY_TIME_MAX: Duration = Duration::from_secs(5);
/// The shortest and longest pause before a write is tried again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));
/// Batches of one slot that go out together, and how much later than the first the last may have come.
const TOGETHER_MAX: (usize, Duration) = (64, Duration::from_millis(500));

/// What waits.
pub(super) struct Queue {
    bytes_max: usize,
    time_max: Duration,
    writer: u64,
    number: u64,
    last: u64,
    bytes: usize,
    entries: BTreeMap<u64, Entry>,
    slots: HashMap<u16, VecDeque<u64>>,
    /// Those that may be first in all their slots now.
    ready: Vec<u64>,
    resting: usize,
    closed: Option<Vec<Answer<()>>>,
    report: Report,
}

struct Entry {
    slots: Vec<u16>,
    bytes: usize,
    since: Instant,
    what: What,
}

enum What {
    Query(Query, Answer<Reply>),
    Write {
        batch: Arc<Batch>,
        answer: Answer<()>,
        alone: bool,
    },
    /// Sent, or to be sent again: its mark, its content, and those that it is made of.
    Started {
        batch: Arc<Batch>,
        mark: Mark,
        parts: Vec<Part>,
        pause: Duration,
        rests_until: Option<Instant>,
    },
}

/// A batch that went out, perhaps with others.
struct Part {
    batch: Arc<Batch>,
    answer: Answer<()>,
    bytes: usize,
}

/// What went out: the answer is under way.
pub(super) enum Sent {
    Write(u64, Pending<()>),
    Query(Pending<Reply>, Answer<Reply>),
}

/// Who is told that their time is over.
#[derive(Default)]
pub(super) struct Expired {
    writes: Vec<(Answer<()>, StoreError)>,
    queries: Vec<(Answer<Reply>, StoreError)>,
}

impl Expired {
    /// Tells them.
    pub(super) fn tell(self) {
        self.writes.into_iter().for_each(|(answer, error)| answer.send(Err(error)));
        self.queries.into_iter().for_each(|(answer, error)| answer.send(Err(error)));
    }
}

impl Queue {
    /// Nothing waits yet.
    pub(super) fn new(bytes_max: usize, time_max: Duration) -> Self {
        Self {
            bytes_max,
            time_max,
            writer: rand::random(),
            number: 0,
            last: 0,
            bytes: 0,
            entries: BTreeMap::new(),
            slots: HashMap::new(),
            ready: Vec::new(),
            resting: 0,
            closed: None,
            report: Report::default(),
        }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no write of its slot waits, so that it need not either.
    pub(super) fn passes(&self, query: &Query) -> bool {
        self.slots.is_empty() || !self.slots.contains_key(&slots::of_query(query))
    }

    /// Queues a question behind the writes of its slot.
    pub(super) fn push_query(
        &mut self,
        query: Query,
        answer: Answer<Reply>,
        now: Instant,
    ) -> Result<(), StoreError> {
        let (slots, bytes) = (vec![slots::of_query(&query)], bytes_of(&query));
        self.push(slots, bytes, now, What::Query(query, answer))
    }

    /// Queues a batch behind what waits in its slots.
    pub(super) fn push_write(
        &mut self,
        batch: Batch,
        answer: Answer<()>,
        now: Instant,
    ) -> Result<(), StoreError> {
        let (slots, bytes) = (slots::of_batch(&batch), bytes_of_batch(&batch));
        if slots.is_empty() {
            answer.send(Ok(()));
            return Ok(());
        }
        self.push(slots, bytes, now, What::Write { batch: Arc::new(batch), answer, alone: false })
    }

    fn push(&mut self, slots: Vec<u16>, bytes: usize, since: Instant, what: What) -> Result<(), StoreError> {
        if self.closed.is_some() {
            return Err(StoreError::Away("it was closed".to_owned()));
        }
        let full = self.bytes + bytes > self.bytes_max || self.entries.len() >= budget::REQUESTS_MAX;
        // A single large one is let through when nothing else waits.
        if full && !self.entries.is_empty() {
            self.report.refused(self.bytes, self.entries.len());
            return Err(StoreError::Away("too much waits for it".to_owned()));
        }
        self.last += 1;
        for slot in &slots {
            self.slots.entry(*slot).or_default().push_back(self.last);
        }
        self.bytes += bytes;
        self.entries.insert(self.last, Entry { slots, bytes, since, what });
        self.ready.push(self.last);
        Ok(())
    }

    /// Sends whatever is first in all its slots and neither under way nor resting.
    ///
    /// The calls are made here, under the lock, so that their order is that of the queue.
    pub(super) fn start(&mut self, store: &dyn Backend) -> Vec<Sent> {
        let mut sent = Vec::new();
        while let Some(id) = self.ready.pop() {
            let Some(entry) = self.entries.get(&id) else { continue };
            if !entry.slots.iter().all(|slot| self.slots[slot].front() == Some(&id)) {
                continue;
            }
            match &entry.what {
                What::Query(..) => sent.extend(self.ask(id, store)),
                What::Write { .. } => {
                    self.begin(id);
                    sent.extend(self.send(id, store));
                }
                What::Started { rests_until: Some(_), .. } => sent.extend(self.send(id, store)),
                What::Started { rests_until: None, .. } => {}
            }
        }
        sent
    }

    fn ask(&mut self, id: u64, store: &dyn Backend) -> Option<Sent> {
        match self.remove(id)?.what {
            What::Query(query, answer) => Some(Sent::Query(store.query(query), answer)),
            What::Write { .. } | What::Started { .. } => None,
        }
    }

    /// Makes one batch of this one and those of its slot that came soon after it.
    fn begin(&mut self, id: u64) {
        let Some(entry) = self.entries.get(&id) else { return };
        let mut ids = vec![id];
        if let (What::Write { alone: false, batch, .. }, [slot]) = (&entry.what, &entry.slots[..]) {
            let (fence, until) = (batch.fence, entry.since + TOGETHER_MAX.1);
            let joins = |id: &&u64| {
                self.entries.get(id).is_some_and(|next| {
                    next.slots.len() == 1
                        && next.since <= until
                        && matches!(&next.what, What::Write { batch, alone: false, .. } if batch.fence == fence)
                })
            };
            ids.extend(self.slots[slot].iter().skip(1).take(TOGETHER_MAX.0 - 1).take_while(joins));
        }
        let Some(first) = self.entries.get(&id) else { return };
        let (slots, since) = (first.slots.clone(), first.since);
        let mut parts = Vec::with_capacity(ids.len());
        for id in ids {
            if let Some(Entry { bytes, what: What::Write { batch, answer, .. }, .. }) =
                self.entries.remove(&id)
            {
                parts.push(Part { batch, answer, bytes });
                if parts.len() > 1 {
                    // Always of one slot: the second place is its own by now.
                    self.slots.get_mut(&slots[0]).and_then(|queue| queue.remove(1));
                }
            }
        }
        let batch = match &parts[..] {
            [one] => one.batch.clone(),
            parts => Arc::new(Batch {
                fence: parts.first().and_then(|part| part.batch.fence),
                writes: parts.iter().flat_map(|part| part.batch.writes.clone()).collect(),
            }),
        };
        self.number += 1;
        let mark = Mark { writer: self.writer, number: self.number };
        let bytes = parts.iter().map(|part| part.bytes).sum();
        let what = What::Started { batch, mark, parts, pause: PAUSE.0, rests_until: None };
        self.entries.insert(id, Entry { slots, bytes, since, what });
    }

    fn send(&mut self, id: u64, store: &dyn Backend) -> Option<Sent> {
        let What::Started { batch, mark, rests_until, .. } = &mut self.entries.get_mut(&id)?.what else {
            return None;
        };
        if rests_until.take().is_some() {
            self.resting -= 1;
        }
        Some(Sent::Write(id, store.write_once(*mark, batch.clone())))
    }

    /// What went out was answered. Yields who is to be told what.
    pub(super) fn settle(
        &mut self,
        id: u64,
        outcome: Result<(), StoreError>,
        now: Instant,
    ) -> Vec<(Answer<()>, Result<(), StoreError>)> {
        let Some(entry) = self.entries.get_mut(&id) else { return Vec::new() };
        let What::Started { parts, pause, rests_until, .. } = &mut entry.what else { return Vec::new() };
        match &outcome {
            Err(StoreError::Away(reason)) if now < entry.since + self.time_max => {
                *rests_until = Some(now + pause.mul_f64(rand::random_range(0.5..1.0)));
                *pause = PAUSE.1.min(*pause * 2);
                self.resting += 1;
                self.report.rests(reason, now);
                return Vec::new();
            }
            // One of them may be to blame for all: each for itself.
            Err(StoreError::Failed(_)) if parts.len() > 1 => {
                self.take_apart(id);
                return Vec::new();
            }
            _ => {}
        }
        self.report.ended(&outcome, *pause > PAUSE.0);
        match self.remove(id).map(|entry| entry.what) {
            Some(What::Started { parts, .. }) => {
                parts.into_iter().map(|part| (part.answer, outcome.clone())).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Puts the parts of one that failed back, each for itself, before what came after them.
    fn take_apart(&mut self, id: u64) {
        let Some(Entry { slots, since, what: What::Started { parts, .. }, .. }) = self.entries.remove(&id)
        else {
            return;
        };
        let queue = self.slots.entry(slots[0]).or_default();
        queue.pop_front();
        for (at, part) in parts.into_iter().enumerate() {
            // Its own id is the first's; the others get new ones, which only have to be different.
            let id = if at == 0 { id } else { self.last + at as u64 };
            queue.insert(at, id);
            let what = What::Write { batch: part.batch, answer: part.answer, alone: true };
            self.entries.insert(id, Entry { slots: slots.clone(), bytes: part.bytes, since, what });
        }
        self.last += TOGETHER_MAX.0 as u64;
        self.ready.push(id);
    }

    /// Takes one out; what is first in its slots then may go.
    fn remove(&mut self, id: u64) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        self.bytes -= entry.bytes;
        for slot in &entry.slots {
            let Some(queue) = self.slots.get_mut(slot) else { continue };
            queue.retain(|other| *other != id);
            match queue.front() {
                Some(next) => self.ready.push(*next),
                None => drop(self.slots.remove(slot)),
            }
        }
        if self.entries.is_empty() {
            self.closed.iter_mut().flat_map(std::mem::take).for_each(|idle| idle.send(Ok(())));
        }
        Some(entry)
    }

    /// Takes out what has waited too long, and makes ready what has rested enough.
    pub(super) fn expire(&mut self, now: Instant) -> Expired {
        let mut over = Vec::new();
        for (id, entry) in &self.entries {
            match &entry.what {
                What::Query(..) if now >= entry.since + QUERY_TIME_MAX => over.push(*id),
                What::Write { .. } if now >= entry.since + self.time_max => over.push(*id),
                What::Started { rests_until: Some(until), .. } => {
                    if now >= entry.since + self.time_max {
                        over.push(*id);
                    } else if now >= *until {
                        self.ready.push(*id);
                    }
                }
                What::Query(..) | What::Write { .. } | What::Started { .. } => {}
            }
        }
        let mut expired = Expired::default();
        for id in over {
            self.give_up(id, "it has not come back in time", &mut expired);
        }
        expired
    }

    fn give_up(&mut self, id: u64, why: &str, expired: &mut Expired) {
        let Some(entry) = self.remove(id) else { return };
        let away = || StoreError::Away(why.to_owned());
        match entry.what {
            What::Query(_, answer) => expired.queries.push((answer, away())),
            What::Write { answer, .. } => expired.writes.push((answer, away())),
            What::Started { parts, rests_until, .. } => {
                self.resting -= usize::from(rests_until.is_some());
                expired.writes.extend(parts.into_iter().map(|part| (part.answer, away())));
            }
        }
        self.report.ended(&Err(away()), true);
    }

    /// Takes nothing more; answers when nothing waits any more.
    pub(super) fn close(&mut self) -> Pending<()> {
        if self.entries.is_empty() {
            self.closed = Some(Vec::new());
            return Pending::ready(Ok(()));
        }
        let (answer, pending) = Pending::channel();
        self.closed.get_or_insert_default().push(answer);
        pending
    }

    /// Gives up all that waits.
    pub(super) fn abandon(&mut self) {
        let mut expired = Expired::default();
        for id in self.entries.keys().copied().collect::<Vec<_>>() {
            self.give_up(id, "it was closed", &mut expired);
        }
        if !expired.writes.is_empty() {
            tracing::error!(
                writes = expired.writes.len(),
                "this node stops while writes wait for the store; their senders were not told that they are kept"
            );
        }
        // Nobody listens any more; told under the lock, they could only come back to be refused.
        drop(expired);
    }

    /// Sets the gauges, and says once in a while how an outage goes.
    pub(super) fn report(&mut self) {
        let oldest = self.entries.values().next().map(|entry| entry.since.elapsed());
        self.report.look(self.entries.len(), self.bytes, oldest.unwrap_or_default(), self.resting);
    }
}
