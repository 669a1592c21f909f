//! Rooms know who is in them.

use std::collections::BTreeSet;

use super::{Invariant, Terms, complaints};
use crate::history::History;

pub(super) const KEPT: Invariant = Invariant {
    name: "rooms-keep-their-occupants",
    what: "nobody is put out of a room, and at rest those are in it whose sessions live: no ghosts, nobody missing",
    source: "XEP-0045 §7.1, §7.14; ARCHITECTURE.md: a room survives with its occupants under any single fault",
    check,
};

fn check(history: &History, _: &Terms) -> Vec<String> {
    let mut found = complaints(history, KEPT.name);
    for room in &history.rest.rooms {
        let Some(are) = &room.are else {
            if !room.should.is_empty() {
                found.push(format!("{} did not say who is in it", room.address));
            }
            continue;
        };
        let (should, are): (BTreeSet<_>, BTreeSet<_>) = (room.should.iter().collect(), are.iter().collect());
        for ghost in are.difference(&should) {
            found.push(format!("{}: {ghost} is a ghost", room.address));
        }
        for missing in should.difference(&are) {
            found.push(format!("{}: {missing} is missing", room.address));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::RoomAtRest;
    use crate::invariants::testing::terms;

    #[test]
    fn ghosts_and_missing_ones_are_noticed() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let mut history = History::default();
        history.rest.rooms.push(RoomAtRest {
            address: "room".into(),
            should: names(&["a", "b"]),
            are: Some(names(&["b", "c"])),
        });
        assert_eq!(check(&history, &terms()), ["room: c is a ghost", "room: a is missing"]);
    }
}
