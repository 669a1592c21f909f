//! From one view to the next: a member that comes is compared with each slot's owner and backup alone, and what a member that
//! goes had is picked anew. With fifty members that is a tenth of the work of picking from all, for each change and node.

use super::{Draw, NOBODY, Owners, Table};
use crate::{Role, Slot, View};

/// More who come at once than these are not worth it.
const CAME_MAX: usize = 4;

/// What changes between two views.
pub(super) struct Step<'a> {
    view: &'a View,
    draws: &'a [Draw],
    before: &'a [(u16, u16)],
    /// The draw of each former member that was up and still is.
    stays: Vec<Option<&'a Draw>>,
    came: Vec<&'a Draw>,
}

impl<'a> Step<'a> {
    /// None if it is better to begin anew. The draws must be even.
    pub(super) fn between(before: &'a Table, role: Role, view: &'a View, draws: &'a [Draw]) -> Option<Self> {
        let owners = before.owners(role);
        if !Draw::are_even(&owners.draws) {
            return None;
        }
        let mut came: Vec<&Draw> = draws.iter().filter(|d| d.is_up(view)).collect();
        let mut stays = vec![None; before.view.members.len()];
        for draw in owners.draws.iter().filter(|d| d.is_up(&before.view)) {
            let now = came.iter().position(|d| d.seed == draw.seed);
            stays[usize::from(draw.member)] = now.map(|at| came.swap_remove(at));
        }
        if came.len() > CAME_MAX {
            return None;
        }
        Some(Step { view, draws, before: &owners.pairs, stays, came })
    }

    /// The slot's owner and backup.
    pub(super) fn pick(&self, slot: Slot) -> (u16, u16) {
        let (owner, backup) = self.before[slot.index()];
        let stays = |member: u16| if member == NOBODY { None } else { self.stays[usize::from(member)] };
        match (stays(owner), stays(backup)) {
            (Some(owner), Some(backup)) => {
                let best = [owner, backup].into_iter().chain(self.came.iter().copied());
                Owners::highest(best, slot).unwrap_or_else(|| Owners::pick(self.view, self.draws, slot))
            }
            _ => Owners::pick_even(self.view, self.draws, slot),
        }
    }
}
