//! The writer's thread: group commit. What waits is served in order inside one transaction, and answered after it.

use std::sync::mpsc::Receiver;

use muster_proto::store::{Reply, StoreError};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{Request, Shared, faults, statements};

/// Most requests in one transaction: bounds how long the first of them waits.
const GROUP_MAX: usize = 2_048;

/// What a request has come to, once the transaction is durable.
enum Served {
    Reply(Reply),
    /// Whether the fence held.
    Written(bool),
    Loaded(Option<Vec<u8>>),
    Swapped(bool),
}

/// Serves until it is told to close, or nobody can ask any more.
pub(super) fn run(connection: &Connection, requests: &Receiver<Request>, shared: &Shared) {
    let mut group = Vec::new();
    while let Ok(first) = requests.recv() {
        group.push(first);
        drain(requests, &mut group);
        let writes = group.iter().any(|request| {
            !matches!(request, Request::Query { .. } | Request::Load { .. } | Request::Close { .. })
        });
        let begun = begin(connection, writes);
        if writes && begun.is_ok() {
            // While the lock was awaited, more came: it is cheaper to take them along.
            drain(requests, &mut group);
        }
        let close = last(&mut group);
        serve(connection, &mut group, begun, shared);
        if let Some(done) = close {
            let _ = done.send(());
            return;
        }
    }
}

fn drain(requests: &Receiver<Request>, group: &mut Vec<Request>) {
    group.extend(requests.try_iter().take(GROUP_MAX.saturating_sub(group.len())));
}

/// Takes `Close` out of the group, and what came after it: that was not admitted any more and answers `Away`.
fn last(group: &mut Vec<Request>) -> Option<oneshot::Sender<()>> {
    let at = group.iter().position(|request| matches!(request, Request::Close { .. }))?;
    match group.drain(at..).next() {
        Some(Request::Close { done }) => Some(done),
        _ => None,
    }
}

/// Takes the write lock if somebody writes, else a snapshot.
fn begin(connection: &Connection, writes: bool) -> rusqlite::Result<()> {
    connection.prepare_cached(if writes { "BEGIN IMMEDIATE" } else { "BEGIN" })?.execute([]).map(drop)
}

fn serve(connection: &Connection, group: &mut Vec<Request>, begun: rusqlite::Result<()>, shared: &Shared) {
    let served = begun.and_then(|()| attempt(connection, group));
    match served {
        Ok(served) => {
            // Questions are served while nothing can be written.
            if !served.iter().all(|served| matches!(served, Served::Reply(_) | Served::Loaded(_))) {
                shared.note_write(&Ok(()));
            }
            group.drain(..).zip(served).for_each(|(request, served)| answer(request, Ok(served), shared));
        }
        Err(error) if group.len() > 1 && !faults::concerns_all(&error) => {
            // One of them is to blame, and only that one may fail.
            for request in group.drain(..) {
                let alone = begin(connection, true)
                    .and_then(|()| attempt(connection, std::slice::from_ref(&request)))
                    .map(|mut served| served.remove(0))
                    .map_err(|error| faults::at_work(&error));
                answer(request, alone, shared);
            }
        }
        Err(error) => {
            let alarm = faults::concerns_all(&error);
            let error = faults::at_work(&error);
            if alarm {
                shared.note_write(&Err(error.clone()));
            }
            group.drain(..).for_each(|request| answer(request, Err(error.clone()), shared));
        }
    }
}

/// Serves all of them inside the transaction that has begun, and commits it; or serves none.
fn attempt(connection: &Connection, group: &[Request]) -> rusqlite::Result<Vec<Served>> {
    let served = group
        .iter()
        .map(|request| execute(connection, request))
        .collect::<rusqlite::Result<Vec<_>>>()
        .and_then(|served| connection.prepare_cached("COMMIT")?.execute([]).map(|_| served));
    // Some errors have rolled it back already.
    if served.is_err() && !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK")?;
    }
    served
}

fn execute(connection: &Connection, request: &Request) -> rusqlite::Result<Served> {
    match request {
        Request::Query { query, .. } => statements::answer(connection, query).map(Served::Reply),
        Request::Write { batch, mark, slots, .. } => {
            let held = batch.fence.map_or(Ok(true), |fence| statements::pass(connection, fence))?;
            let first = match mark {
                Some(mark) if held => statements::mark(connection, *mark, slots)?,
                // A newer owner does not undo what was written before it came.
                Some(mark) => return statements::is_marked(connection, *mark, slots).map(Served::Written),
                None => true,
            };
            if held && first {
                batch.writes.iter().try_for_each(|write| statements::apply(connection, write))?;
            }
            Ok(Served::Written(held))
        }
        Request::Load { .. } => statements::load(connection).map(Served::Loaded),
        Request::Swap { expected, epoch, view, .. } => {
            statements::swap(connection, *expected, *epoch, view).map(Served::Swapped)
        }
        Request::Claim { holder, epoch, time, .. } => {
            statements::claim(connection, *holder, *epoch, *time).map(Served::Swapped)
        }
        Request::Close { .. } => unreachable!("it was taken out of the group"),
    }
}

fn answer(request: Request, served: Result<Served, StoreError>, shared: &Shared) {
    match request {
        Request::Query { slot, answer, permit, .. } => {
            drop(permit);
            answer.send(served.map(Served::reply));
            shared.lanes.written(&[slot]);
        }
        Request::Write { slots, answer, permit, .. } => {
            drop(permit);
            let written =
                served.and_then(|served| if served.yes() { Ok(()) } else { Err(StoreError::Stale) });
            answer.send(written);
            shared.lanes.written(&slots);
        }
        Request::Load { answer } => answer.send(served.map(Served::stored)),
        Request::Swap { answer, .. } | Request::Claim { answer, .. } => {
            answer.send(served.map(|served| served.yes()));
        }
        Request::Close { .. } => {}
    }
}

impl Served {
    fn reply(self) -> Reply {
        match self {
            Self::Reply(reply) => reply,
            Self::Written(_) | Self::Loaded(_) | Self::Swapped(_) => unreachable!("a question gets a reply"),
        }
    }

    fn stored(self) -> Option<Vec<u8>> {
        match self {
            Self::Loaded(stored) => stored,
            Self::Reply(_) | Self::Written(_) | Self::Swapped(_) => {
                unreachable!("a load yields what is stored")
            }
        }
    }

    fn yes(&self) -> bool {
        match self {
            Self::Written(yes) | Self::Swapped(yes) => *yes,
            Self::Reply(_) | Self::Loaded(_) => unreachable!("a write yields yes or no"),
        }
    }
}
