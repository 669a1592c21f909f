//! No session is lost.

use super::{Invariant, Terms};
use crate::history::History;

pub(super) const NONE_LOST: Invariant = Invariant {
    name: "no-session-lost",
    what: "a client whose connection is lost resumes its session at any node",
    source: "XEP-0198 §5; ARCHITECTURE.md, managed streams: resumed at any node, under any single fault",
    check,
};

fn check(history: &History, terms: &Terms) -> Vec<String> {
    if !terms.single {
        return Vec::new();
    }
    let say = |refusal: &crate::history::Refusal| {
        let lost = refusal.lost.as_ref().map(|(at, why)| format!(" at {:.2} s ({why})", at.as_secs_f64()));
        format!(
            "client {}, lost at node {}{}, was refused by node {} at {:.2} s: {}",
            history.lives[refusal.life].client,
            refusal.left,
            lost.unwrap_or_default(),
            refusal.node,
            refusal.at.as_secs_f64(),
            refusal.why
        )
    };
    history.refusals.iter().map(say).collect()
}
