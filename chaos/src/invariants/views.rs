//! Nodes agree: one view for each epoch, and epochs only rise.

use std::collections::HashMap;

use super::{Invariant, Terms};
use crate::history::History;

pub(super) const ONE_PER_EPOCH: Invariant = Invariant {
    name: "one-view-per-epoch",
    what: "all nodes have the same members in the same epoch, so each slot has one owner in it",
    source: "ARCHITECTURE.md, ownership: owners are a pure function of the view, views change by compare-and-set",
    check: one_per_epoch,
};

pub(super) const RISING: Invariant = Invariant {
    name: "epochs-rise",
    what: "the epoch by which a process acts never falls, and neither does the highest of all",
    source: "ARCHITECTURE.md, ownership: views are totally ordered by their epoch",
    check: rising,
};

fn one_per_epoch(history: &History, _: &Terms) -> Vec<String> {
    let mut views = HashMap::new();
    let mut found = Vec::new();
    for sample in &history.samples {
        for (node, seen) in sample.nodes.iter().enumerate() {
            let Some(seen) = seen.as_ref().filter(|seen| seen.view_epoch > 0) else { continue };
            let (first, members) =
                views.entry(seen.view_epoch).or_insert_with(|| (node, seen.members.clone()));
            if *members != seen.members {
                found.push(format!(
                    "{:.2} s: nodes {first} and {node} both know epoch {}, with other members",
                    sample.at.as_secs_f64(),
                    seen.view_epoch
                ));
            }
        }
    }
    found
}

fn rising(history: &History, _: &Terms) -> Vec<String> {
    let mut highest: HashMap<u32, u64> = HashMap::new();
    let mut found = Vec::new();
    for sample in &history.samples {
        for (node, seen) in sample.nodes.iter().enumerate() {
            let Some(seen) = seen else { continue };
            let before = highest.entry(seen.pid).or_default();
            if seen.epoch < *before {
                found.push(format!(
                    "{:.2} s: node {node} went back from epoch {before} to {}",
                    sample.at.as_secs_f64(),
                    seen.epoch
                ));
            }
            *before = seen.epoch.max(*before);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{NodeSample, Sample};
    use crate::invariants::testing::terms;
    use crate::site::Member;
    use std::time::Duration;

    fn seen(epoch: u64, state: &str) -> Option<NodeSample> {
        let member = Member { node: "a".into(), incarnation: 1, state: state.into() };
        Some(NodeSample { pid: 1, epoch, view_epoch: epoch, members: vec![member], ..NodeSample::default() })
    }

    fn samples(nodes: Vec<Vec<Option<NodeSample>>>) -> History {
        let sample = |nodes| Sample { at: Duration::ZERO, nodes };
        History { samples: nodes.into_iter().map(sample).collect(), ..History::default() }
    }

    #[test]
    fn two_views_of_one_epoch_are_noticed() {
        let history = samples(vec![vec![seen(4, "up"), seen(4, "up")], vec![seen(5, "up"), seen(4, "down")]]);
        assert_eq!(one_per_epoch(&history, &terms()).len(), 1);
    }

    #[test]
    fn an_epoch_that_falls_is_noticed() {
        let history = samples(vec![vec![seen(4, "up")], vec![seen(3, "up")]]);
        assert_eq!(rising(&history, &terms()).len(), 1);
    }
}
