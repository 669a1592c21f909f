//! What a new table changes for a node.

use muster_cluster::map::{HashMap, HashSet};
use muster_cluster::{Member, Role, Slot, State, Table};

use super::{Place, SLOTS};

/// Where a slot comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// Who has its machines, or copies of them.
    pub(super) from: u64,
    /// Who was the backup of the one who has its machines.
    pub(super) then: Option<u64>,
    /// Whether it has the machines: then it is who was told what was for them, and sends it on.
    pub(super) is_owner: bool,
}

impl Source {
    /// An owner gives its machines; who was its backup has copies.
    pub(super) fn owner(from: u64, then: Option<u64>) -> Self {
        Self { from, then, is_owner: true }
    }

    /// Who was the backup of a dead owner gives its copies.
    pub(super) fn keeper(from: u64) -> Self {
        Self { from, then: None, is_owner: false }
    }
}

/// What a new table changes for this node.
#[derive(Default)]
pub(super) struct Difference {
    pub(super) arriving: Vec<(Place, Source)>,
    pub(super) leaving: HashMap<Place, u64>,
    /// Slots of dead owners that are ours now, and whose backup we were.
    pub(super) taken: HashSet<Place>,
    /// Slots whose backup we are now, and who has copies of what is in them.
    pub(super) filling: Vec<(Place, u64)>,
    /// Slots of dead owners: their sockets must come back.
    pub(super) lost: HashSet<Place>,
    /// Those of them of which nobody had copies: nothing of them is left.
    pub(super) gone: HashSet<Place>,
    pub(super) dead: HashSet<u64>,
    alive: HashSet<u64>,
    owned: HashSet<Place>,
}

impl Difference {
    pub(super) fn between(old: &Table, new: &Table, me: u64) -> Self {
        let members = |table: &Table| -> HashSet<u64> {
            let is_there = |member: &&Member| member.state != State::Down;
            table.view().members.iter().filter(is_there).map(|member| member.incarnation.0).collect()
        };
        let alive = members(new);
        // What becomes of this node itself when it is put down is its fate, and told elsewhere.
        let dead = members(old).into_iter().filter(|node| *node != me && !alive.contains(node)).collect();
        let mut difference = Self { alive, dead, ..Self::default() };
        for role in Role::ALL {
            for slot in 0..SLOTS {
                difference.look_at((role, slot), [old, new], me);
            }
        }
        difference
    }

    fn look_at(&mut self, place: Place, tables: [&Table; 2], me: u64) {
        let (role, slot) = (place.0, Slot(place.1));
        let node = |member: Option<&Member>| member.map(|member| member.incarnation.0);
        let [before, after] = tables.map(|table| node(table.owner(role, slot)));
        let [had_copies, has_copies] = tables.map(|table| node(table.backup(role, slot)));
        if after == Some(me) {
            self.owned.insert(place);
        }
        let Some(before) = before else { return };
        let is_other = |node: &u64| *node != me && self.alive.contains(node);
        let keeper = had_copies.filter(is_other);
        if has_copies == Some(me) && (had_copies != Some(me) || after != Some(before)) {
            // Its giver has the newest; an owner that stays has them where they were.
            let from = if after == Some(before) { keeper } else { Some(before).filter(is_other).or(keeper) };
            self.filling.extend(from.map(|from| (place, from)));
        }
        if after == Some(before) {
            return;
        }
        if !self.alive.contains(&before) {
            self.lost.insert(place);
            if !had_copies.is_some_and(|keeper| self.alive.contains(&keeper)) {
                self.gone.insert(place);
            }
            if after == Some(me) {
                match keeper {
                    Some(from) => self.arriving.push((place, Source::keeper(from))),
                    None => drop(self.taken.insert(place)),
                }
            }
        } else if after == Some(me) {
            self.arriving.push((place, Source::owner(before, keeper)));
        } else if let (true, Some(after)) = (before == me, after) {
            self.leaving.insert(place, after);
        }
    }

    /// Whether that node is a member.
    pub(super) fn is_alive(&self, node: u64) -> bool {
        self.alive.contains(&node)
    }

    /// Whether what that node owned in a slot is ours now.
    pub(super) fn inherits(&self, role: Role, of: u64, slot: u16) -> bool {
        self.owned.contains(&(role, slot)) && !self.alive.contains(&of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::table;

    #[test]
    fn a_node_that_joins_gets_its_slots_from_those_who_had_them() {
        let old = table(1, &[("a", 1, State::Up), ("b", 2, State::Up)]);
        let new = table(2, &[("a", 1, State::Up), ("b", 2, State::Up), ("c", 3, State::Up)]);
        let joined = Difference::between(&old, &new, 3);
        let (at_a, at_b) = (Difference::between(&old, &new, 1), Difference::between(&old, &new, 2));
        assert!(joined.lost.is_empty() && joined.dead.is_empty() && joined.leaving.is_empty());
        assert!(!joined.arriving.is_empty());
        for (place, Source { from, then, .. }) in &joined.arriving {
            let giver = if *from == 1 { &at_a } else { &at_b };
            assert_eq!(giver.leaving.get(place), Some(&3));
            assert_eq!(*then, Some(3 - from), "its backup has copies if it dies on the way");
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
    fn a_new_backup_knows_who_has_the_copies_until_it_has_them() {
        let old = table(1, &[("a", 1, State::Up), ("b", 2, State::Up)]);
        let new = table(2, &[("a", 1, State::Up), ("b", 2, State::Up), ("c", 3, State::Up)]);
        let joined = Difference::between(&old, &new, 3);
        assert!(!joined.filling.is_empty());
        for (place, from) in &joined.filling {
            let owner = |table: &Table| table.owner(place.0, Slot(place.1)).unwrap().incarnation.0;
            assert_eq!(owner(&old), owner(&new), "it is new, and so the second");
            assert_eq!(*from, 3 - owner(&new), "the one who was the backup");
        }
    }

    #[test]
    fn copies_outlive_an_owner_that_dies_as_another_joins() {
        let old = table(1, &[("a", 1, State::Up), ("b", 2, State::Up)]);
        let new = table(2, &[("a", 1, State::Up), ("b", 2, State::Down), ("c", 3, State::Up)]);
        let joined = Difference::between(&old, &new, 3);
        assert!(!joined.lost.is_empty() && joined.gone.is_empty());
        assert!(joined.arriving.iter().all(|(_, source)| source.from == 1));
        assert!(joined.taken.is_empty(), "it was no backup");
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
