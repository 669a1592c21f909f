//! One writer for each slot: epochs of its commits only rise, and who has handed it over is silent.

use std::collections::{HashMap, HashSet};

use super::{Invariant, Terms};
use crate::history::History;

pub(super) const ONE: Invariant = Invariant {
    name: "one-writer",
    what: "in each slot no commit comes after one of a higher epoch, and none from a node that has handed it over",
    source: "ARCHITECTURE.md, the second copy: an owner that was put down can never commit again",
    check,
};

fn check(history: &History, _: &Terms) -> Vec<String> {
    let mut last: HashMap<&str, (u64, usize, &str)> = HashMap::new();
    // Who has handed a slot over within an epoch: after that it is silent there.
    let mut former = HashSet::new();
    let mut found = Vec::new();
    for write in &history.writes {
        let slot = write.slot.as_str();
        let known = last.entry(slot).or_insert((write.epoch, write.node, &write.at));
        let (epoch, node, at) = *known;
        if write.epoch == epoch && write.node != node {
            former.insert((slot, epoch, node));
        }
        if write.epoch < epoch || former.contains(&(slot, write.epoch, write.node)) {
            found.push(format!(
                "slot of {slot}: node {} wrote by epoch {} at {}, after node {node} by epoch {epoch} at {at}",
                write.node, write.epoch, write.at
            ));
        } else {
            *known = (write.epoch, write.node, &write.at);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::testing::terms;
    use crate::site::Written;

    fn found(writes: &[(usize, u64)]) -> usize {
        let write = |(second, (node, epoch)): (usize, &(usize, u64))| Written {
            at: format!("{second:03}"),
            node: *node,
            slot: "rooms 7".into(),
            epoch: *epoch,
        };
        let writes = writes.iter().enumerate().map(write).collect();
        check(&History { writes, ..History::default() }, &terms()).len()
    }

    #[test]
    fn a_former_owner_that_writes_is_noticed() {
        assert_eq!(found(&[(0, 4), (1, 5), (1, 6), (0, 7)]), 0);
        assert_eq!(found(&[(0, 4), (1, 5), (0, 4)]), 1);
        assert_eq!(found(&[(0, 4), (1, 4), (1, 4)]), 0, "handed over");
        assert_eq!(found(&[(0, 4), (1, 4), (0, 4)]), 1);
    }
}
