//! What the room tells its occupants of each other: presence with affiliation, role and status codes (XEP-0045 §7.2.2).

use jid::{FullJid, Jid};
use minidom::Element;

use super::Room;
use super::affiliations::Role;
use super::config::Whois;
use super::occupants::Occupant;
use crate::machine::{Effect, Out};
use crate::ns;
use crate::stanza::{Kind, MessageType, PresenceType, Stanza, Trace};
use crate::xml::{Build, el};

/// What is said along with a presence.
#[derive(Clone, Debug, Default)]
pub(super) struct Notice {
    /// Status codes for everybody.
    pub codes: Vec<u16>,
    /// Further status codes for the occupant itself; 110 is always there.
    pub own_codes: Vec<u16>,
    /// Why.
    pub reason: Option<String>,
    /// The nickname of whoever did it.
    pub actor: Option<String>,
    /// The new nickname.
    pub nick: Option<String>,
    /// The room is gone (XEP-0045 §10.9).
    pub destroy: Option<Element>,
    /// The `id` of the stanza that this answers, for the occupant itself.
    pub id: Option<Box<str>>,
}

/// Who is told.
#[derive(Clone, Copy)]
pub(super) enum Audience<'a> {
    /// Everybody but the occupant itself.
    Others,
    /// All connections of the occupant itself.
    Own,
    /// One of them.
    Seat(&'a FullJid),
    /// All of them but one.
    OwnBut(&'a FullJid),
}

impl Notice {
    pub(super) fn codes(codes: &[u16]) -> Self {
        Self { codes: codes.to_vec(), ..Self::default() }
    }
}

/// Presence that says nothing but that the occupant is gone.
pub(super) fn unavailable() -> Stanza {
    Stanza::presence(PresenceType::Unavailable)
}

/// `<status code=…/>`.
pub(super) fn status(code: u16) -> Element {
    el("status", ns::MUC_USER).with("code", code.to_string())
}

impl Room {
    /// Tells an audience of an occupant: the real JID only to those who may see it, 110 only to itself.
    pub(super) fn tell(
        &self,
        who: &Occupant,
        presence: &Stanza,
        notice: &Notice,
        audience: Audience<'_>,
        out: &mut Out<Self>,
    ) {
        let (mut knowing, mut unknowing) = (Vec::new(), Vec::new());
        let mut add = |occupant: &Occupant| {
            let list = if self.sees_jids(occupant.role) { &mut knowing } else { &mut unknowing };
            let wanted = |jid: &FullJid| match audience {
                Audience::Others | Audience::Own => true,
                Audience::Seat(seat) => jid == seat,
                Audience::OwnBut(seat) => jid != seat,
            };
            list.extend(
                occupant
                    .seats
                    .iter()
                    .filter(|seat| wanted(&seat.jid))
                    .map(|seat| Jid::from(seat.jid.clone())),
            );
        };
        let own = !matches!(audience, Audience::Others);
        if own {
            add(who);
        } else {
            self.occupants.iter().filter(|occupant| occupant.jid != who.jid).for_each(add);
        }
        for (to, with_jid) in [(knowing, true), (unknowing, false)] {
            if !to.is_empty() {
                let stanza = self.presence_of(who, presence, notice, with_jid, own);
                deliver(stanza, to, out);
            }
        }
    }

    /// Tells one new occupant of everybody else who is there.
    pub(super) fn tell_of_others(&self, who: &Occupant, seat: &FullJid, out: &mut Out<Self>) {
        let with_jid = self.sees_jids(who.role);
        for other in self.occupants.iter().filter(|other| other.jid != who.jid) {
            let notice = Notice::default();
            let stanza = self.presence_of(other, &other.shown().presence, &notice, with_jid, false);
            out.route(stanza.with_to(seat.clone()));
        }
    }

    /// Whether occupants of this role see real JIDs (XEP-0045 §7.2.3, §7.2.4).
    pub(super) fn sees_jids(&self, role: Role) -> bool {
        self.config.whois == Whois::Anyone || role == Role::Moderator
    }

    /// A message from the room to everybody with status codes and nothing else (XEP-0045 §10.2.1).
    pub(super) fn tell_status(&self, codes: &[u16], out: &mut Out<Self>) {
        if codes.is_empty() || self.occupants.is_empty() {
            return;
        }
        let x = el("x", ns::MUC_USER).children_of(codes.iter().map(|code| status(*code)));
        let message = Stanza::message(MessageType::Groupchat).with_from(self.address.clone()).with(&x);
        deliver(message, self.occupants.receivers(), out);
    }

    fn presence_of(
        &self,
        who: &Occupant,
        presence: &Stanza,
        notice: &Notice,
        with_jid: bool,
        own: bool,
    ) -> Stanza {
        let gone = presence.kind == Kind::Presence(PresenceType::Unavailable);
        let role = if gone { Role::None } else { who.role };
        let actor = notice.actor.as_ref().map(|nick| el("actor", ns::MUC_USER).with("nick", nick));
        let reason = notice.reason.as_ref().map(|reason| el("reason", ns::MUC_USER).text_of(reason));
        let item = el("item", ns::MUC_USER)
            .with("affiliation", who.affiliation.name())
            .with("role", role.name())
            .with_some("jid", with_jid.then(|| who.shown().jid.as_str()))
            .with_some("nick", notice.nick.as_ref())
            .children_of(actor)
            .children_of(reason);
        let mut codes = notice.codes.clone();
        if own {
            codes.push(110);
            codes.extend(&notice.own_codes);
        }
        codes.sort_unstable();
        let x = el("x", ns::MUC_USER)
            .child(item)
            .children_of(notice.destroy.clone())
            .children_of(codes.into_iter().map(status));
        let mut stanza = presence.clone();
        stanza.id = if own { notice.id.clone() } else { None };
        stanza.with_from(who.jid.clone()).with(&x)
    }
}

/// Sends one stanza to one or many.
pub(super) fn deliver(stanza: Stanza, mut to: Vec<Jid>, out: &mut Out<Room>) {
    match to.len() {
        0 => {}
        1 => out.route(stanza.with_to(to.remove(0))),
        _ => out.effects.push(Effect::Fanout { stanza, to }),
    }
}

/// What a stanza leads to is followed by its number, also what was said long before.
pub(super) fn traced(trace: Trace, effects: &mut [Effect<Room>]) {
    for effect in effects {
        match effect {
            Effect::Route(stanza) | Effect::Fanout { stanza, .. } => stanza.trace = trace,
            Effect::Socket(..)
            | Effect::Ask(..)
            | Effect::Store(..)
            | Effect::Derive(..)
            | Effect::Order(..) => {}
        }
    }
}
