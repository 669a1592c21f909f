//! What nodes say that they wrote: a line of their log for each commit, with the slot and the epoch.

use serde::Serialize;

/// One commit of an owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Written {
    /// When, as the machine's clock had it: all nodes have the same.
    pub at: String,
    /// By which node.
    pub node: usize,
    /// In which slot of which role's ring.
    pub slot: String,
    /// By which epoch it acted.
    pub epoch: u64,
}

/// Reads the logs of nodes.
pub(super) fn read(logs: impl Iterator<Item = (usize, String)>) -> Vec<Written> {
    let mut all = Vec::new();
    for (node, log) in logs {
        all.extend(log.lines().filter_map(|line| line_of(node, line)));
    }
    all.sort_by(|one, other| one.at.cmp(&other.at));
    all
}

fn line_of(node: usize, line: &str) -> Option<Written> {
    let (head, fields) = line.split_once(" TRACE muster_actors::writes: committed ")?;
    let field =
        |name: &str| fields.split_whitespace().find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    let at = head.split_whitespace().nth(1)?.to_owned();
    let slot = format!("{} {}", field("role")?.to_lowercase(), field("slot")?);
    Some(Written { at, node, slot, epoch: field("epoch")?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_read_from_logs_in_their_order() {
        let line = |second: u8, slot: u16| {
            format!(
                "node-0 2026-01-01T00:00:0{second}.5Z TRACE muster_actors::writes: committed role=Rooms slot={slot} epoch=7\n"
            )
        };
        let other = "node-1 2026-01-01T00:00:01.5Z  INFO muster: nothing slot=3 epoch=4\n".to_owned();
        let all = read([(0, line(2, 9) + &other), (1, line(1, 8))].into_iter());
        assert_eq!(
            all.iter().map(|one| (one.node, one.slot.as_str(), one.epoch)).collect::<Vec<_>>(),
            [(1, "rooms 8", 7), (0, "rooms 9", 7)]
        );
    }
}
