//! Acknowledgements are exact.

use super::{Invariant, Terms, complaints};
use crate::history::History;

pub(super) const EXACT: Invariant = Invariant {
    name: "h-is-exact",
    what: "h never falls within a session, never exceeds what was sent, and at rest is exactly that",
    source: "XEP-0198 §4: the number of handled stanzas of the session, modulo 2^32",
    check,
};

fn check(history: &History, _: &Terms) -> Vec<String> {
    let mut found = complaints(history, EXACT.name);
    for (life, sent, h) in &history.rest.counts {
        if sent != h {
            let client = history.lives[*life].client;
            found.push(format!("at rest: client {client} sent {sent} stanzas in its session, h is {h}"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::testing::{life, terms};

    #[test]
    fn at_rest_all_that_was_sent_is_counted() {
        let mut history = History { lives: vec![life(0), life(1)], ..History::default() };
        history.rest.counts = vec![(0, 7, 7), (1, 7, 6)];
        assert_eq!(check(&history, &terms()).len(), 1);
    }
}
