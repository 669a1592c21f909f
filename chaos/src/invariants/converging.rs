//! The view settles soon after a fault is gone, and nothing stays with one copy.

use std::time::Duration;

use super::{Invariant, Terms};
use crate::history::{History, Sample};

pub(super) const SOON: Invariant = Invariant {
    name: "view-converges",
    what: "2 s after the last fault is gone and every process answers, all nodes act by one view in which all are up",
    source: "ARCHITECTURE.md, ownership: a partition heals by itself",
    check: soon,
};

pub(super) const COPIED: Invariant = Invariant {
    name: "under-replicated-goes-to-zero",
    what: "30 s after the last fault is gone, no slot in use has one copy only",
    source: "ARCHITECTURE.md, the second copy: a new backup is filled in the background",
    check: copied,
};

const CONVERGED_WITHIN: Duration = Duration::from_secs(2);
/// Looks come so often, and each takes a while.
const LOOKS: Duration = Duration::from_millis(600);
const COPIED_WITHIN: Duration = Duration::from_secs(30);

fn soon(history: &History, _: &Terms) -> Vec<String> {
    let Some(healed) = history.incidents.last().and_then(|incident| incident.healed) else {
        return Vec::new();
    };
    let after: Vec<_> = history.samples.iter().filter(|sample| sample.at >= healed).collect();
    let Some(last) = after.last() else { return Vec::new() };
    // Who answers at the end has to answer at the beginning, too.
    let answers = |sample: &&&Sample| {
        let mut both = sample.nodes.iter().zip(&last.nodes);
        both.all(|(now, then)| now.is_some() == then.is_some())
    };
    let Some(begin) = after.iter().find(answers).map(|sample| sample.at) else { return Vec::new() };
    let settled = after
        .iter()
        .rposition(|sample| !agrees(sample))
        .map_or(begin, |at| after.get(at + 1).map_or(Duration::MAX, |sample| sample.at));
    let took = settled.saturating_sub(begin);
    if took <= CONVERGED_WITHIN + LOOKS {
        return Vec::new();
    }
    let how =
        if settled == Duration::MAX { "never".into() } else { format!("after {:.2} s", took.as_secs_f64()) };
    vec![format!("the last fault was gone at {:.2} s; nodes agreed {how}", healed.as_secs_f64())]
}

fn agrees(sample: &Sample) -> bool {
    let mut seen = sample.nodes.iter().flatten();
    let Some(first) = seen.next() else { return false };
    let is_up = first.members.iter().filter(|member| member.state == "up").count();
    is_up == sample.nodes.iter().flatten().count()
        && seen.all(|other| (other.epoch, &other.members) == (first.epoch, &first.members))
}

fn copied(history: &History, _: &Terms) -> Vec<String> {
    let Some(healed) = history.incidents.last().and_then(|incident| incident.healed) else {
        return Vec::new();
    };
    let due = healed + COPIED_WITHIN;
    // The last look before that time, or the last of all: a run may end sooner, at rest.
    let Some(sample) = history.samples.iter().rfind(|sample| sample.at <= due) else { return Vec::new() };
    let bare = |(node, seen): (usize, &Option<crate::history::NodeSample>)| {
        let slots = seen.as_ref()?.under_replicated.filter(|slots| *slots > 0)?;
        Some(format!("{:.2} s: {slots} slots of node {node} have one copy", sample.at.as_secs_f64()))
    };
    sample.nodes.iter().enumerate().filter_map(bare).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Incident, NodeSample};
    use crate::invariants::testing::terms;
    use crate::site::Member;

    fn at(seconds: u64, epochs: [u64; 2]) -> Sample {
        let member = |node: &str| Member { node: node.into(), incarnation: 1, state: "up".into() };
        let seen = |epoch| {
            let members = vec![member("a"), member("b")];
            Some(NodeSample { epoch, members, under_replicated: Some(0), ..NodeSample::default() })
        };
        Sample { at: Duration::from_secs(seconds), nodes: epochs.map(seen).to_vec() }
    }

    fn history(samples: Vec<Sample>) -> History {
        let incident = Incident { healed: Some(Duration::from_secs(10)), ..Incident::default() };
        History { samples, incidents: vec![incident], ..History::default() }
    }

    #[test]
    fn nodes_that_disagree_for_long_are_noticed() {
        assert!(soon(&history(vec![at(10, [1, 2]), at(11, [2, 2])]), &terms()).is_empty());
        assert_eq!(soon(&history(vec![at(10, [1, 2]), at(14, [1, 2]), at(15, [2, 2])]), &terms()).len(), 1);
        assert_eq!(soon(&history(vec![at(10, [2, 2]), at(15, [1, 2])]), &terms()).len(), 1);
    }

    #[test]
    fn slots_that_keep_one_copy_are_noticed() {
        let mut late = at(39, [2, 2]);
        if let Some(seen) = &mut late.nodes[1] {
            seen.under_replicated = Some(7);
        }
        assert_eq!(copied(&history(vec![at(11, [2, 2]), late]), &terms()).len(), 1);
        assert!(copied(&history(vec![at(11, [2, 2])]), &terms()).is_empty());
    }
}
