//! What a new table changes for a node.

use muster_cluster::map::{HashMap, HashSet};
use muster_cluster::{Incarnation, Role, Slot, State, Table};

use super::{Place, SLOTS};

/// What a new table changes for this node.
#[derive(Default)]
pub(super) struct Difference {
    pub(super) arriving: Vec<(Place, u64)>,
    pub(super) leaving: HashMap<Place, u64>,
    /// Slots of dead owners, with the owner, that are ours now.
    pub(super) taken: HashSet<(Role, u16, u64)>,
    /// Slots of dead owners: their sockets must come back.
    pub(super) lost: HashSet<Place>,
    /// Those of them that did not go to their backup: nothing of them is left.
    pub(super) gone: HashSet<Place>,
    pub(super) dead: HashSet<u64>,
}

impl Difference {
    pub(super) fn between(old: &Table, new: &Table, me: u64) -> Self {
        let mut difference = Self::default();
        let is_alive =
            |node: u64| new.member_of(Incarnation(node)).is_some_and(|member| member.state != State::Down);
        difference.dead = old
            .view()
            .members
            .iter()
            .map(|member| (member.state, member.incarnation.0))
            // What becomes of this node itself when it is put down is its fate, and told elsewhere.
            .filter(|(state, node)| *state != State::Down && *node != me && !is_alive(*node))
            .map(|(_, node)| node)
            .collect();
        for role in Role::ALL {
            for slot in 0..SLOTS {
                let owner = |table: &Table| table.owner(role, Slot(slot)).map(|member| member.incarnation.0);
                let (before, after) = (owner(old), owner(new));
                let backup = old.backup(role, Slot(slot)).map(|member| member.incarnation.0);
                let (Some(before), true) = (before, before != after) else { continue };
                if !is_alive(before) {
                    difference.lost.insert((role, slot));
                    if after == Some(me) {
                        difference.taken.insert((role, slot, before));
                    }
                    if after != backup {
                        difference.gone.insert((role, slot));
                    }
                } else if after == Some(me) {
                    difference.arriving.push(((role, slot), before));
                } else if let (true, Some(after)) = (before == me, after) {
                    difference.leaving.insert((role, slot), after);
                }
            }
        }
        difference
    }
}

#[cfg(test)]
mod tests {
    use muster_cluster::{Member, NodeId, Roles, View};

    use super::*;

    fn table(epoch: u64, members: &[(&str, u64, State)]) -> Table {
        let member = |(name, incarnation, state): &(&str, u64, State)| Member {
            node: NodeId::new(name).unwrap(),
            incarnation: Incarnation(*incarnation),
            zone: String::new(),
            weight: 100,
            roles: Roles::all(),
            state: *state,
            voter: true,
            link: None,
        };
        Table::new(View { epoch, members: members.iter().map(member).collect(), trail: vec![] })
    }

    #[test]
    fn a_node_that_joins_gets_its_slots_from_those_who_had_them() {
        let old = table(1, &[("a", 1, State::Up), ("b", 2, State::Up)]);
        let new = table(2, &[("a", 1, State::Up), ("b", 2, State::Up), ("c", 3, State::Up)]);
        let joined = Difference::between(&old, &new, 3);
        let (at_a, at_b) = (Difference::between(&old, &new, 1), Difference::between(&old, &new, 2));
        assert!(joined.lost.is_empty() && joined.dead.is_empty() && joined.leaving.is_empty());
        assert!(!joined.arriving.is_empty());
        for (place, from) in &joined.arriving {
            let giver = if *from == 1 { &at_a } else { &at_b };
            assert_eq!(giver.leaving.get(place), Some(&3));
        }
        assert_eq!(joined.arriving.len(), at_a.leaving.len() + at_b.leaving.len());
    }

    #[test]
    fn a_node_that_dies_loses_its_slots_and_nothing_is_awaited() {
        let old = table(1, &[("a", 1, State::Up), ("b", 2, State::Up)]);
        let new = table(2, &[("a", 1, State::Up), ("b", 2, State::Down)]);
        let difference = Difference::between(&old, &new, 1);
        assert_eq!(difference.dead, HashSet::from_iter([2]));
        assert!(difference.arriving.is_empty() && difference.leaving.is_empty());
        assert!(!difference.lost.is_empty());
    }

    #[test]
    fn a_node_that_comes_back_under_its_name_was_dead_in_between() {
        let old = table(1, &[("a", 1, State::Up), ("b", 2, State::Up)]);
        let new = table(2, &[("a", 1, State::Up), ("b", 9, State::Joining)]);
        let difference = Difference::between(&old, &new, 1);
        assert_eq!(difference.dead, HashSet::from_iter([2]));
        assert!(!difference.lost.is_empty());
    }

    #[test]
    fn a_draining_node_gives_everything_away() {
        let old = table(1, &[("a", 1, State::Up), ("b", 2, State::Up)]);
        let new = table(2, &[("a", 1, State::Up), ("b", 2, State::Draining)]);
        let leaving = Difference::between(&old, &new, 2);
        assert_eq!(leaving.leaving.len(), Difference::between(&old, &new, 1).arriving.len());
        assert!(leaving.leaving.values().all(|to| *to == 1));
        assert!(leaving.lost.is_empty() && leaving.dead.is_empty());
    }
}
