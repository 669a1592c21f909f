//! A batch that reaches into several slots of a Redis Cluster: whole within each, not across them.

use std::sync::Arc;

use futures_util::future::join_all;
use tokio::runtime::Handle;

use super::super::budget::Permit;
use super::super::pending::Answer;
use super::super::{Batch, Mark, Pending, slots};
use super::{Lane, What, lane_of};

type Part = (u16, Batch);

/// Writes the fence's slot, and then the others if the fence holds; without a fence all of them at once.
pub(super) fn write(
    runtime: &Handle,
    lanes: &[Lane],
    (batch, mark): (&Batch, Option<Mark>),
    touched: &[u16],
    answer: Answer<()>,
    permit: Permit,
) {
    let fenced = batch.fence.is_some();
    let mut now = split(batch, touched);
    let later = if fenced { now.split_off(1) } else { vec![] };
    // Sent here, so that their order is that of the calls.
    let sent: Vec<_> = now.into_iter().map(|part| send(lanes, mark, part)).collect();
    let lanes = lanes.to_vec();
    runtime.spawn(async move {
        let _permit = permit;
        let mut outcome = join_all(sent).await.into_iter().collect::<Result<Vec<()>, _>>().map(drop);
        if outcome.is_ok() {
            let sent: Vec<_> = later.into_iter().map(|part| send(&lanes, mark, part)).collect();
            outcome = join_all(sent).await.into_iter().collect::<Result<Vec<()>, _>>().map(drop);
        }
        answer.send(outcome);
    });
}

fn send(lanes: &[Lane], mark: Option<Mark>, (slot, part): Part) -> Pending<()> {
    let (answer, pending) = Pending::channel();
    lane_of(lanes, slot).send(What::Write(Arc::new(part), mark, answer), slot, None);
    pending
}

/// The batch by slots, in the order of `touched`, which begins with the fence's.
fn split(batch: &Batch, touched: &[u16]) -> Vec<Part> {
    let mut fence = batch.fence;
    let mut parts: Vec<Part> =
        touched.iter().map(|slot| (*slot, Batch { fence: fence.take(), writes: vec![] })).collect();
    for write in &batch.writes {
        let slot = slots::slot(write.key());
        let (_, part) = parts.iter_mut().find(|(of, _)| *of == slot).expect("every slot is listed");
        part.writes.push(write.clone());
    }
    parts
}
