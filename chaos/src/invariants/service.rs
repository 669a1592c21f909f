//! When all is healed, everything works.

use super::{Invariant, Terms, complaints};
use crate::history::{History, Kind};

pub(super) const SERVED: Invariant = Invariant {
    name: "service-returns",
    what: "once all faults are healed, every client sends and receives, and anybody can log in at any node",
    source: "ARCHITECTURE.md: a client does not care which node it talks to, and nothing stays broken",
    check,
};

fn check(history: &History, _: &Terms) -> Vec<String> {
    let mut found = complaints(history, SERVED.name);
    found.extend(complaints(history, "becomes-whole"));
    let late = history.messages.iter().enumerate().filter(|(_, message)| {
        let healed = message.composed_at > history.rest.healed_at;
        let served =
            message.acked_at.is_some() && (message.kind == Kind::Room || message.arrived_at.is_some());
        healed && !served
    });
    found.extend(late.map(|(number, message)| {
        format!(
            "message {number} from client {}, said after all was healed, {}",
            message.from,
            if message.acked_at.is_none() { "was not acknowledged" } else { "did not arrive" }
        )
    }));
    let failed = history.rest.newcomers.iter().filter_map(|(node, done)| Some((node, done.as_ref().err()?)));
    found.extend(failed.map(|(node, why)| format!("a newcomer at node {node}: {why}")));
    found
}
