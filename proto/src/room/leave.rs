//! Leaving, and being gone without a word (XEP-0045 §7.14, §11.1, §18.1.2).

use jid::{FullJid, Jid};

use super::broadcast::{Audience, Notice, status, unavailable};
use super::enter::reflected;
use super::occupants::Occupant;
use super::{Change, Room};
use crate::machine::{Machine, Out};
use crate::ns;
use crate::session::LostAddresses;
use crate::stanza::{Condition, Stanza};
use crate::xml::{Build, el};

/// What somebody gets whose room died with its node, from the seat there (XEP-0045 §11.1).
pub(crate) fn lost(seat: Jid) -> Stanza {
    let item = el("item", ns::MUC_USER).with("affiliation", "none").with("role", "none");
    let x = el("x", ns::MUC_USER).child(item).children_of([110, 333].map(status));
    unavailable().with_from(seat).with(&x)
}

impl Room {
    /// Somebody says good-bye. Whoever is not there is not heard (§17.3).
    pub(super) fn leave(&mut self, from: &FullJid, stanza: &Stanza, out: &mut Out<Self>) {
        // A room that was never configured ends with its creator (§10.1.3).
        let destroy = self.locked.then(|| el("destroy", ns::MUC_USER));
        let notice = Notice { id: stanza.id.clone(), destroy, ..Notice::default() };
        self.depart(from, &reflected(stanza), &notice, out);
    }

    /// An error came back from a connection: if it says that nobody is there, it is so (§18.1.2).
    pub(super) fn bounced(&mut self, from: &FullJid, stanza: &Stanza, out: &mut Out<Self>) {
        if self.occupants.at(from).is_some() && says_gone(stanza) {
            self.depart(from, &unavailable(), &Notice::codes(&[333]), out);
        }
    }

    /// The sessions of these accounts died with their node.
    pub(super) fn lose(&mut self, lost: &LostAddresses, out: &mut Out<Self>) {
        let gone: Vec<_> = self.occupants.iter().filter(|occupant| lost(&occupant.user)).cloned().collect();
        for occupant in gone {
            self.expel(&occupant, &Notice::codes(&[333]), out);
        }
        self.end_if_deserted(out);
    }

    /// One connection leaves; the occupant does with the last.
    fn depart(&mut self, seat: &FullJid, presence: &Stanza, notice: &Notice, out: &mut Out<Self>) {
        let Some(occupant) = self.occupants.at(seat).cloned() else { return };
        self.tell(&occupant, presence, notice, Audience::Seat(seat), out);
        if occupant.seats.len() == 1 {
            self.tell(&occupant, presence, notice, Audience::Others, out);
            self.commit(Change::Left(seat.clone()), out);
            return self.end_if_deserted(out);
        }
        self.commit(Change::Left(seat.clone()), out);
        let Some(rest) = self.occupants.named(occupant.nick()).cloned() else { return };
        if occupant.shown().jid == *seat {
            self.tell(&rest, &rest.shown().presence, &Notice::default(), Audience::Others, out);
            self.tell(&rest, &rest.shown().presence, &Notice::default(), Audience::Own, out);
        }
    }

    /// An occupant with all its connections is out.
    pub(super) fn expel(&mut self, who: &Occupant, notice: &Notice, out: &mut Out<Self>) {
        self.remove(who, notice, out);
        self.tell(who, &unavailable(), notice, Audience::Others, out);
    }

    /// Tells an occupant that it is out. The others are yet to be told.
    pub(super) fn remove(&mut self, who: &Occupant, notice: &Notice, out: &mut Out<Self>) {
        self.tell(who, &unavailable(), notice, Audience::Own, out);
        for seat in &who.seats {
            self.commit(Change::Left(seat.jid.clone()), out);
        }
    }

    /// The room is gone. What the store had of a persistent one has been removed before.
    pub(super) fn destroyed(&mut self, out: &mut Out<Self>) {
        let was_listed = self.is_listed();
        self.commit(Change::Destroyed, out);
        self.relist(was_listed, out);
    }

    /// A temporary room ends with its last occupant (§7.14).
    pub(super) fn end_if_deserted(&mut self, out: &mut Out<Self>) {
        // What is being written may make it persistent.
        let may_end = self.exists && self.occupants.is_empty() && !self.writing.is_busy();
        if may_end && (self.locked || !self.config.persistent) {
            self.destroyed(out);
        }
    }
}

/// Whether an error says that its sender is not there any more.
fn says_gone(stanza: &Stanza) -> bool {
    let Some(error) = stanza.child("error", ns::CLIENT) else { return false };
    let condition = error.children().find(|child| child.ns() == ns::STANZAS);
    let condition = condition.and_then(|child| Condition::parse(child.name()));
    matches!(
        condition,
        Some(
            Condition::Gone
                | Condition::ItemNotFound
                | Condition::JidMalformed
                | Condition::RecipientUnavailable
                | Condition::Redirect
                | Condition::RemoteServerNotFound
                | Condition::RemoteServerTimeout
                | Condition::ServiceUnavailable
        )
    )
}
