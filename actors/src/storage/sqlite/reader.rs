//! The reader's thread: answers questions from a snapshot, never waiting for a writer.

use std::sync::mpsc::{Receiver, Sender};

use muster_proto::store::{Query, Reply};
use rusqlite::Connection;

use super::super::budget::Permit;
use super::super::pending::Answer;
use super::{Request, Shared, faults, statements};

/// Most questions answered from one snapshot.
const GROUP_MAX: usize = 256;

type Asked = (Query, u16, Answer<Reply>, Permit);

/// Serves until it is told to close, or nobody can ask any more.
pub(super) fn run(
    connection: &Connection,
    requests: &Receiver<Request>,
    writer: &Sender<Request>,
    shared: &Shared,
) {
    let mut group: Vec<Asked> = Vec::new();
    while let Ok(first) = requests.recv() {
        let rest = requests.try_iter().take(GROUP_MAX - 1);
        let mut close = None;
        for request in std::iter::once(first).chain(rest) {
            match request {
                Request::Query { query, slot, answer, permit } => {
                    if shared.lanes.follows_a_write(slot) {
                        pass(Request::Query { query, slot, answer, permit }, &[slot], writer, shared);
                    } else {
                        group.push((query, slot, answer, permit));
                    }
                }
                Request::Write { batch, mark, slots, answer, permit } => {
                    // What was asked before must not see this write.
                    serve(connection, &mut group, shared);
                    let touched = slots.clone();
                    pass(Request::Write { batch, mark, slots, answer, permit }, &touched, writer, shared);
                }
                Request::Close { done } => {
                    close = Some(done);
                    break;
                }
                request @ (Request::Load { .. } | Request::Swap { .. } | Request::Claim { .. }) => {
                    drop(writer.send(request))
                }
            }
        }
        serve(connection, &mut group, shared);
        if let Some(done) = close {
            let _ = done.send(());
            return;
        }
    }
}

fn pass(request: Request, slots: &[u16], writer: &Sender<Request>, shared: &Shared) {
    shared.lanes.passed(slots);
    // The writer outlives the reader; if it has ended, the dropped request answers `Away`.
    let _ = writer.send(request);
    shared.lanes.read(slots);
}

fn serve(connection: &Connection, group: &mut Vec<Asked>, shared: &Shared) {
    if group.is_empty() {
        return;
    }
    // One snapshot for all: a lock taken once. Without it each question is a transaction of its own.
    let snapshot = group.len() > 1 && connection.execute_batch("BEGIN").is_ok();
    for (query, slot, answer, permit) in group.drain(..) {
        let reply = statements::answer(connection, &query).map_err(|error| faults::at_work(&error));
        shared.note_read(&reply);
        drop(permit);
        answer.send(reply);
        shared.lanes.read(&[slot]);
    }
    if snapshot {
        let _ = connection.execute_batch("COMMIT");
    }
}
