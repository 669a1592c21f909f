//! How a view came about. Two views may follow each other faster than a node reads them, and what moves between two views
//! is decided by both: so a view carries what the last ones changed, and nobody acts by one without having acted by those before.

use serde::{Deserialize, Serialize};

use crate::{Member, NodeId, View};

/// Views that one which is missed for a moment cannot be more than behind.
const TRAIL_MAX: usize = 16;

/// What one view changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Members that changed or went, as they were before.
    pub was: Vec<Member>,
    /// Members that came.
    pub came: Vec<NodeId>,
}

impl View {
    /// The view that follows this one, with these members, sorted by node id.
    pub fn next(&self, members: Vec<Member>) -> View {
        let changed = |m: &&Member| !members.contains(m);
        let was = self.members.iter().filter(changed).cloned().collect();
        let is_new = |m: &&Member| self.member(&m.node).is_none();
        let came = members.iter().filter(is_new).map(|m| m.node.clone()).collect();
        let before = self.trail.iter().take(TRAIL_MAX - 1).cloned();
        let trail = std::iter::once(Step { was, came }).chain(before).collect();
        View { epoch: self.epoch + 1, members, trail }
    }

    /// The view before this one, if it is known.
    pub fn before(&self) -> Option<View> {
        let (step, trail) = self.trail.split_first()?;
        let is_same = |m: &&Member| !step.came.contains(&m.node) && step.was.iter().all(|w| w.node != m.node);
        let mut members: Vec<Member> =
            self.members.iter().filter(is_same).chain(&step.was).cloned().collect();
        members.sort_by(|a, b| a.node.cmp(&b.node));
        Some(View { epoch: self.epoch.checked_sub(1)?, members, trail: trail.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Incarnation, Roles, State};

    fn member(name: &str, incarnation: u64) -> Member {
        Member {
            node: NodeId::new(name).unwrap(),
            incarnation: Incarnation(incarnation),
            zone: String::new(),
            weight: 100,
            roles: Roles::all(),
            state: State::Joining,
            voter: false,
            link: None,
        }
    }

    #[test]
    fn the_views_before_a_view_are_known_from_it() {
        let mut views = vec![View::default().with(member("b", 1))];
        let mut then = |next: &dyn Fn(&View) -> View| views.push(next(views.last().unwrap()));
        then(&|view| view.with_state(Incarnation(1), State::Up).unwrap());
        then(&|view| view.with(member("a", 2)));
        then(&|view| view.with(member("b", 3)));
        then(&|view| view.without(&NodeId::new("a").unwrap()));
        let last = View::from_bytes(&views.last().unwrap().to_bytes()).unwrap();
        let known: Vec<View> = std::iter::successors(Some(last), View::before).collect();
        assert_eq!(known.len(), views.len() + 1, "and the one before all, which is empty");
        assert!(known.iter().zip(views.iter().rev()).all(|(known, view)| known == view));
    }

    #[test]
    fn what_was_long_ago_is_not_known() {
        let mut view = View::default().with(member("a", 1));
        for incarnation in 2..100 {
            view = view.with(member("a", incarnation));
        }
        assert_eq!(std::iter::successors(Some(view), View::before).count(), TRAIL_MAX + 1);
    }
}
