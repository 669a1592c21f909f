//! Memory is bounded.

use super::{Invariant, Terms};
use crate::history::History;

pub(super) const BOUNDED: Invariant = Invariant {
    name: "memory-is-bounded",
    what: "no node ever holds more than 512 MiB: queues, copies and histories are bounded, whatever is away",
    source: "ARCHITECTURE.md, overload: every mailbox, outbox and buffer is bounded",
    check,
};

const RSS_KIB_MAX: u64 = 512 * 1024;

fn check(history: &History, _: &Terms) -> Vec<String> {
    let mut most: Vec<u64> = Vec::new();
    for sample in &history.samples {
        most.resize(most.len().max(sample.nodes.len()), 0);
        for (most, seen) in most.iter_mut().zip(&sample.nodes) {
            *most = (*most).max(seen.as_ref().map_or(0, |seen| seen.rss_kib));
        }
    }
    let over = most.iter().enumerate().filter(|(_, most)| **most > RSS_KIB_MAX);
    over.map(|(node, most)| format!("node {node} held {} MiB", most / 1024)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{NodeSample, Sample};
    use crate::invariants::testing::terms;
    use std::time::Duration;

    #[test]
    fn a_node_that_grows_is_noticed_once() {
        let node = |rss_kib| Some(NodeSample { rss_kib, ..NodeSample::default() });
        let sample = |rss| Sample { at: Duration::ZERO, nodes: vec![node(1000), node(rss)] };
        let history = History { samples: vec![sample(900_000), sample(2000)], ..History::default() };
        assert_eq!(check(&history, &terms()), ["node 1 held 878 MiB"]);
    }
}
