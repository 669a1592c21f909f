//! What was stored is there, whatever was restarted.

use std::collections::HashMap;

use super::{Invariant, Terms, complaints};
use crate::history::History;

pub(super) const ROSTERS: Invariant = Invariant {
    name: "rosters-are-kept",
    what: "after a restart of everything each roster has its last acknowledged change, or one that was tried later",
    source: "RFC 6121 §2.1.5: a result means that the change is done; docs/storage.md",
    check: rosters,
};

pub(super) const OFFLINE: Invariant = Invariant {
    name: "offline-is-kept",
    what: "after a restart of everything, messages left for one who was away are there",
    source: "XEP-0160; XEP-0198 §4: they were acknowledged",
    check: offline,
};

pub(super) const ENDS: Invariant = Invariant {
    name: "ends-when-asked",
    what: "a node that is asked to end (SIGTERM) or to hand over does so within its time",
    source: "docs/operations.md, signals: SIGTERM drains, at most node.drain_seconds_max",
    check: |history, _| complaints(history, ENDS.name),
};

fn rosters(history: &History, _: &Terms) -> Vec<String> {
    if !history.rest.restarted {
        return Vec::new();
    }
    // For each contact: the last change that was done.
    let mut done = HashMap::new();
    for change in history.changes.iter().filter(|change| change.done_at.is_some()) {
        done.insert((change.client, change.contact), change.number);
    }
    let now: HashMap<_, _> =
        history.rest.rosters.iter().map(|(client, contact, name)| ((*client, *contact), *name)).collect();
    let mut found = Vec::new();
    for ((client, contact), number) in done {
        if !history.rest.rosters_read.contains(&client) {
            found.push(format!("the roster of client {client} could not be read"));
            continue;
        }
        match now.get(&(client, contact)) {
            Some(name) if *name >= number => {}
            Some(name) => found.push(format!(
                "client {client}: contact {contact} is called {name}, and {number} was acknowledged"
            )),
            None => found.push(format!("client {client}: contact {contact} is gone")),
        }
    }
    found.sort();
    found.dedup();
    found
}

fn offline(history: &History, _: &Terms) -> Vec<String> {
    let (left, read) = (history.rest.left_for_absent, history.rest.read_by_absent);
    if !history.rest.restarted || read >= left {
        return Vec::new();
    }
    vec![format!("{left} messages were left and acknowledged, {read} were there after the restart")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Change;
    use crate::invariants::testing::terms;
    use std::time::Duration;

    #[test]
    fn a_change_that_was_done_and_is_gone_is_noticed_and_a_later_unknown_one_is_not() {
        let change = |number, done: bool| Change {
            client: 1,
            contact: 0,
            number,
            done_at: done.then_some(Duration::ZERO),
        };
        let mut history = History { changes: vec![change(5, true), change(6, false)], ..History::default() };
        history.rest.restarted = true;
        history.rest.rosters_read = vec![1];
        for (name, wrong) in [(5, 0), (6, 0), (4, 1)] {
            history.rest.rosters = vec![(1, 0, name)];
            assert_eq!(rosters(&history, &terms()).len(), wrong, "{name}");
        }
        history.rest.rosters.clear();
        assert_eq!(rosters(&history, &terms()), ["client 1: contact 0 is gone"]);
    }
}
