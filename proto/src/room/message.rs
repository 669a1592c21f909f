//! Messages to everybody, to one occupant, and of the subject (XEP-0045 §7.4, §7.5, §8.1).

use jid::FullJid;
use minidom::Element;

use super::affiliations::Role;
use super::broadcast::deliver;
use super::{Change, Room, Subject};
use crate::machine::{Env, Machine, Out};
use crate::ns;
use crate::stanza::{Condition, Facts, MessageType, Stanza};
use crate::xml::el;

impl Room {
    pub(super) fn message(&mut self, kind: MessageType, stanza: Stanza, env: &Env<'_>, out: &mut Out<Self>) {
        if kind == MessageType::Error {
            return self.message_bounced(&stanza, out);
        }
        // A room that is not unlocked does not exist for others (§17.2).
        if !self.exists || (self.locked && self.sender(&stanza).is_none()) {
            return out.refuse(&stanza, Condition::ItemNotFound);
        }
        if let Some(nick) = Self::addressee(&stanza).map(ToOwned::to_owned) {
            return self.private_message(kind, stanza, &nick, out);
        }
        if kind == MessageType::Groupchat {
            return self.groupchat(stanza, env, out);
        }
        if stanza.facts.contains(Facts::MUC_USER)
            && let Some(x) = stanza.child("x", ns::MUC_USER)
        {
            return self.mediate(stanza, &x, env, out);
        }
        if let Some(form) = stanza.child("x", ns::DATA) {
            return self.voice_form(&stanza, &form, out);
        }
        // Improperly typed (§17.2).
        let known = self.sender(&stanza).is_some();
        out.refuse(&stanza, if known { Condition::BadRequest } else { Condition::NotAcceptable });
    }

    fn message_bounced(&mut self, stanza: &Stanza, out: &mut Out<Self>) {
        let Some(Ok(from)) = stanza.from.clone().map(FullJid::try_from) else {
            return self.invitation_bounced(stanza, out);
        };
        if self.occupants.at(&from).is_some() {
            self.bounced(&from, stanza, out);
        } else {
            self.invitation_bounced(stanza, out);
        }
    }

    fn groupchat(&mut self, stanza: Stanza, env: &Env<'_>, out: &mut Out<Self>) {
        let Some(sender) = self.sender(&stanza) else {
            return out.refuse(&stanza, Condition::NotAcceptable);
        };
        let (role, jid) = (sender.role, sender.jid.clone());
        // Only this is a change of subject (§8.1).
        let company = stanza.facts & (Facts::SUBJECT | Facts::BODY | Facts::THREAD);
        let is_subject = company == Facts::SUBJECT;
        let least = match (is_subject, self.config.change_subject) {
            (true, false) => Role::Moderator,
            (true, true) | (false, _) => Role::Participant,
        };
        if role < least {
            return out.refuse(&stanza, Condition::Forbidden);
        }
        let mut said = self.reflection(stanza);
        said.from = Some(jid.into());
        // Without an id nobody could tell the reflections apart from others (§7.4).
        said.id.get_or_insert_with(|| format!("{:016x}", env.random).into());
        deliver(said.clone(), self.occupants.receivers(), out);
        if is_subject {
            self.commit(Change::Subject(Subject { message: Some(said), at: Some(env.now) }), out);
            self.keep_subject(out);
        } else {
            self.remember(&said, env, out);
        }
    }

    /// A message as others get it: without what only the room may say.
    fn reflection(&self, mut stanza: Stanza) -> Stanza {
        stanza.to = None;
        if stanza.facts.intersects(Facts::MUC_USER | Facts::DELAY) {
            let children = stanza.children();
            let ours = |child: &&Element| {
                let stamp = child.is("delay", ns::DELAY) && child.attr("from") == Some(self.address.as_str());
                stamp || child.is("x", ns::MUC_USER)
            };
            stanza.set_children(children.iter().filter(|child| !ours(child)));
        }
        stanza
    }

    fn private_message(&mut self, kind: MessageType, stanza: Stanza, nick: &str, out: &mut Out<Self>) {
        let Some(sender) = self.sender(&stanza) else {
            return out.refuse(&stanza, Condition::NotAcceptable);
        };
        if kind == MessageType::Groupchat {
            return out.refuse(&stanza, Condition::BadRequest);
        }
        let Some(target) = self.occupants.named(nick) else {
            return out.refuse(&stanza, Condition::ItemNotFound);
        };
        if !self.config.private_messages.allow(sender.role) {
            return out.refuse(&stanza, Condition::Forbidden);
        }
        let mut private = self.reflection(stanza.clone());
        private.from = Some(sender.jid.clone().into());
        private.push(&el("x", ns::MUC_USER));
        deliver(private, target.receivers().collect(), out);
    }
}
