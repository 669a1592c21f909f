//! Invitations that go through the room, and their refusals (XEP-0045 §7.8.2). Direct ones (XEP-0249) pass by.

use jid::{FullJid, Jid};
use minidom::Element;

use super::affiliations::{Affiliation, Entry};
use super::occupants::Occupant;
use super::{Change, Room};
use crate::machine::{Env, Machine, Out};
use crate::ns;
use crate::stanza::{Condition, Facts, MessageType, Stanza, StanzaError};
use crate::xml::{Build, el};

/// Invitations in one message.
const INVITES_MAX: usize = 20;

impl Room {
    /// A message to the room with `<x/>` for users: invitations or a refusal.
    pub(super) fn mediate(&mut self, stanza: Stanza, x: &Element, env: &Env<'_>, out: &mut Out<Self>) {
        if let Some(decline) = x.get_child("decline", ns::MUC_USER) {
            return self.decline(&stanza, decline, out);
        }
        let invites: Vec<_> =
            x.children().filter(|child| child.is("invite", ns::MUC_USER)).cloned().collect();
        if invites.is_empty() || invites.len() > INVITES_MAX {
            return out.refuse(&stanza, Condition::BadRequest);
        }
        match self.invitees(&stanza, &invites, env) {
            Ok(invitees) => self.invite(stanza, invitees, env, out),
            Err(error) => out.refuse(&stanza, error),
        }
    }

    fn invitees(
        &self,
        stanza: &Stanza,
        invites: &[Element],
        env: &Env<'_>,
    ) -> Result<Vec<(Jid, Element)>, StanzaError> {
        let sender = self.sender(stanza).ok_or(Condition::NotAcceptable)?;
        // Who cannot edit the member list can only invite to a members-only room if it is configured so (§9.5).
        let may = !self.config.members_only
            || self.config.allow_invites
            || sender.affiliation >= Affiliation::Admin;
        if !may {
            return Err(Condition::Forbidden.into());
        }
        let to = |invite: &Element| {
            let to = invite.attr("to").ok_or(Condition::BadRequest)?;
            let to = Jid::new(to).map_err(|_| Condition::JidMalformed)?;
            let user = to.to_bare();
            if self.config.members_only && self.affiliation(&user, env) == Affiliation::Outcast {
                return Err(Condition::NotAllowed.into());
            }
            Ok((to, invite.clone()))
        };
        let invitees = invites.iter().map(to).collect::<Result<Vec<_>, StanzaError>>()?;
        let room_left = env.options.limits.room_affiliations_max.saturating_sub(self.affiliations.len());
        if self.config.members_only && invitees.len() > room_left {
            return Err(Condition::ResourceConstraint.into());
        }
        Ok(invitees)
    }

    fn invite(&mut self, stanza: Stanza, invitees: Vec<(Jid, Element)>, env: &Env<'_>, out: &mut Out<Self>) {
        // To invite to a members-only room is to make a member (§9.5); to any other it must not be.
        let strangers = invitees.iter().map(|(to, _)| to.to_bare());
        let strangers = strangers.filter(|user| self.affiliation(user, env) == Affiliation::None);
        let strangers: Vec<_> = strangers.filter(|_| self.config.members_only).collect();
        if !strangers.is_empty() && self.writing.is_busy() {
            return self.wait(stanza, out);
        }
        let entry = Entry { affiliation: Affiliation::Member, ..Entry::default() };
        let writes = strangers.iter().filter(|_| self.config.persistent);
        let writes = writes.map(|user| self.affiliation_write(user, Some(&entry))).collect();
        self.durably(writes, stanza, env, out, move |room, stanza, _, out| {
            for user in strangers {
                room.commit(Change::Affiliation(user, Some(entry.clone())), out);
            }
            let Some(from) = &stanza.from else { return };
            for (to, invite) in invitees {
                let message = room
                    .invitation(to, from.as_str(), invite.children())
                    .with_id(stanza.id.as_deref().unwrap_or_default());
                out.route(message);
            }
        });
    }

    /// What the room sends to whom it invites.
    pub(super) fn invitation<'a>(
        &self,
        to: Jid,
        from: &str,
        children: impl Iterator<Item = &'a Element>,
    ) -> Stanza {
        let invite = el("invite", ns::MUC_USER).with("from", from).children_of(children.cloned());
        let password = self.config.password.as_ref();
        let password = password.map(|password| el("password", ns::MUC_USER).text_of(password));
        let x = el("x", ns::MUC_USER).child(invite).children_of(password);
        Stanza::message(MessageType::Normal).with_from(self.address.clone()).with_to(to).with(&x)
    }

    /// Tells an occupant that somebody would not come. Whoever is not there is not told: the room is no relay.
    fn decline(&mut self, stanza: &Stanza, decline: &Element, out: &mut Out<Self>) {
        let Some(to) = decline.attr("to").and_then(|to| Jid::new(to).ok()) else {
            return out.refuse(stanza, Condition::BadRequest);
        };
        let Some(inviter) = self.whom(&to) else {
            return out.refuse(stanza, Condition::ItemNotFound);
        };
        let from = stanza.from.as_ref().map(Jid::to_bare);
        let decline = el("decline", ns::MUC_USER)
            .with_some("from", from.as_ref().map(|from| from.as_str()))
            .children_of(decline.children().cloned());
        let mut message = Stanza::message(MessageType::Normal)
            .with_from(self.address.clone())
            .with(&el("x", ns::MUC_USER).child(decline));
        message.id = stanza.id.clone();
        super::broadcast::deliver(message, inviter.receivers().collect(), out);
    }

    /// The occupant with this occupant JID or real JID, full or bare.
    fn whom(&self, jid: &Jid) -> Option<&Occupant> {
        if jid.to_bare() == self.address {
            return self.occupants.named(jid.resource()?.as_str());
        }
        match jid.clone().try_into_full() {
            Ok(full) => self.occupants.at(&full),
            Err(bare) => self.occupants.iter().find(|occupant| occupant.user == bare),
        }
    }

    /// An invitation came back: whom it was for does not exist (§7.8.2).
    pub(super) fn invitation_bounced(&mut self, stanza: &Stanza, out: &mut Out<Self>) {
        if !stanza.facts.contains(Facts::MUC_USER) {
            return;
        }
        let invite =
            stanza.child("x", ns::MUC_USER).and_then(|x| x.get_child("invite", ns::MUC_USER).cloned());
        let inviter = invite.as_ref().and_then(|invite| FullJid::new(invite.attr("from")?).ok());
        let Some(inviter) = inviter.filter(|inviter| self.occupants.at(inviter).is_some()) else { return };
        let to = stanza.from.as_ref().map_or(String::new(), ToString::to_string);
        let back = el("invite", ns::MUC_USER).with("to", to);
        let mut error = Stanza::message(MessageType::Error)
            .with_from(self.address.clone())
            .with_to(inviter)
            .with(&el("x", ns::MUC_USER).child(back))
            .with(&StanzaError::from(Condition::ItemNotFound).to_element());
        error.id = stanza.id.clone();
        out.route(error);
    }
}
