//! Entering, presence and changes of nickname (XEP-0045 §7.2, §7.6, §7.7).

use jid::FullJid;
use minidom::Element;

use super::affiliations::{Affiliation, Entry};
use super::broadcast::{Audience, Notice, status, unavailable};
use super::config::{Config, Whois};
use super::history::{Wanted, delay};
use super::occupants::{Occupant, Seat};
use super::{Change, Room};
use crate::machine::{Env, Machine, Out};
use crate::ns;
use crate::stanza::{Condition, ErrorType, Facts, MessageType, PresenceType, Stanza, StanzaError};
use crate::xml::{Build, el};

impl Room {
    pub(super) fn presence(
        &mut self,
        kind: PresenceType,
        stanza: Stanza,
        env: &Env<'_>,
        out: &mut Out<Self>,
    ) {
        let Some(Ok(from)) = stanza.from.clone().map(FullJid::try_from) else { return };
        match kind {
            PresenceType::Available => self.available(&from, stanza, env, out),
            PresenceType::Unavailable => self.leave(&from, &stanza, out),
            PresenceType::Error => self.bounced(&from, &stanza, out),
            // Neither to enter nor to leave (§17.3), and a room subscribes to nobody.
            PresenceType::Subscribe
            | PresenceType::Subscribed
            | PresenceType::Unsubscribe
            | PresenceType::Unsubscribed
            | PresenceType::Probe => {}
        }
    }

    fn available(&mut self, from: &FullJid, stanza: Stanza, env: &Env<'_>, out: &mut Out<Self>) {
        let Some(Ok(jid)) = stanza.to.clone().map(FullJid::try_from) else {
            return out.refuse(&stanza, Condition::JidMalformed);
        };
        match self.occupants.at(from) {
            Some(occupant) if occupant.jid == jid => self.update(from, &stanza, env, out),
            Some(_) => self.rename(from, &jid, &stanza, out),
            None if !stanza.facts.contains(Facts::MUC) => self.not_inside(jid, &stanza, out),
            None => self.enter(from, jid, &stanza, env, out),
        }
    }

    /// A client that believes itself inside, while it is not, learns so (§7.2.18).
    fn not_inside(&self, jid: FullJid, stanza: &Stanza, out: &mut Out<Self>) {
        let item = el("item", ns::MUC_USER).with("affiliation", "none").with("role", "none");
        let reason = el("reason", ns::MUC_USER).text_of("You are not in the room.");
        let x = el("x", ns::MUC_USER).child(item.child(reason));
        let x = x.children_of([110, 307, 333].map(status));
        let mut kick = Stanza::presence(PresenceType::Unavailable).with_from(jid).with(&x);
        (kick.to, kick.id, kick.trace) = (stanza.from.clone(), stanza.id.clone(), stanza.trace);
        out.route(kick);
    }

    fn enter(&mut self, from: &FullJid, jid: FullJid, stanza: &Stanza, env: &Env<'_>, out: &mut Out<Self>) {
        let x = stanza.facts.contains(Facts::MUC).then(|| stanza.child("x", ns::MUC)).flatten();
        if let Err(error) = self.may_enter(from, &jid, x.as_ref(), env) {
            return out.refuse(stanza, error);
        }
        let user = from.to_bare();
        let mut notice = Notice { id: stanza.id.clone(), own_codes: self.room_codes(), ..Notice::default() };
        if !self.exists {
            let config = Config::initial(&env.options.limits);
            self.commit(Change::Created { config, locked: true }, out);
            let owner = Entry { affiliation: Affiliation::Owner, ..Entry::default() };
            self.commit(Change::Affiliation(user.clone(), Some(owner)), out);
            self.relist(false, out);
            notice.own_codes.push(201);
        }
        let presence = reflected(stanza);
        let affiliation = self.affiliation(&user, env);
        let before =
            self.occupants.named(jid.resource().as_str()).map(|other| other.shown().presence.clone());
        let role = affiliation.default_role(&self.config);
        let seats = vec![Seat { jid: from.clone(), presence: presence.clone() }];
        self.commit(Change::Entered(Occupant { jid, user, affiliation, role, seats }), out);
        let Some(occupant) = self.occupants.at(from).cloned() else { return };
        if before.as_ref().is_none_or(|before| differs(before, &presence)) {
            self.tell(&occupant, &presence, &Notice::default(), Audience::Others, out);
            self.tell(&occupant, &presence, &Notice::default(), Audience::OwnBut(from), out);
        }
        self.greet(&occupant, from, &notice, Wanted::parse(x.as_ref(), env.now), out);
    }

    /// All that a newcomer gets, in the order of §7.1.
    fn greet(&self, who: &Occupant, seat: &FullJid, notice: &Notice, wanted: Wanted, out: &mut Out<Self>) {
        self.tell_of_others(who, seat, out);
        self.tell(who, &who.shown().presence, notice, Audience::Seat(seat), out);
        self.send_history(seat, wanted, out);
        out.route(self.subject_message().with_to(seat.clone()));
    }

    /// The subject as newcomers get it: always, even when there is none (§7.2.15).
    fn subject_message(&self) -> Stanza {
        let none = || Stanza::message(MessageType::Groupchat).with(&el("subject", ns::CLIENT));
        let message = self.subject.message.clone().unwrap_or_else(none);
        let message = if message.from.is_some() { message } else { message.with_from(self.address.clone()) };
        match self.subject.at {
            Some(at) => message.with(&delay(&self.address, at)),
            None => message,
        }
    }

    /// What a newcomer is told about the room.
    fn room_codes(&self) -> Vec<u16> {
        if self.config.whois == Whois::Anyone { vec![100] } else { vec![] }
    }

    fn may_enter(
        &self,
        from: &FullJid,
        jid: &FullJid,
        x: Option<&Element>,
        env: &Env<'_>,
    ) -> Result<(), StanzaError> {
        let limits = &env.options.limits;
        if jid.resource().as_str().trim().is_empty() {
            return Err(Condition::JidMalformed.into());
        }
        if !self.exists {
            return Ok(());
        }
        let user = from.to_bare();
        let affiliation = self.affiliation(&user, env);
        if self.locked && affiliation < Affiliation::Owner {
            return Err(Condition::ItemNotFound.into());
        }
        if affiliation == Affiliation::Outcast {
            return Err(Condition::Forbidden.into());
        }
        if self.config.members_only && affiliation < Affiliation::Member {
            return Err(Condition::RegistrationRequired.into());
        }
        if let Some(password) = &self.config.password {
            let given = x.and_then(|x| x.get_child("password", ns::MUC)).map(Element::text);
            if given.as_ref() != Some(password) {
                return Err(Condition::NotAuthorized.into());
            }
        }
        self.nick_is_free(jid, &user)?;
        if self.occupants.seats_len() >= limits.room_occupants_max {
            return Err(StanzaError::from(Condition::ServiceUnavailable).of_type(ErrorType::Wait));
        }
        // Administrators always get in (§7.2.9), up to the service's own limit.
        let is_new = self.occupants.named(jid.resource().as_str()).is_none();
        let is_full = self.occupants.len() >= self.config.occupants_max(limits);
        if is_new && is_full && affiliation < Affiliation::Admin {
            return Err(StanzaError::from(Condition::ServiceUnavailable).of_type(ErrorType::Wait));
        }
        Ok(())
    }

    /// One nickname belongs to one user, who may share it among several connections (§7.2.8).
    fn nick_is_free(&self, jid: &FullJid, user: &jid::BareJid) -> Result<(), StanzaError> {
        let nick = jid.resource().as_str();
        let taken = self.occupants.named(nick).is_some_and(|other| other.user != *user);
        if taken || self.is_reserved(nick, user) {
            return Err(Condition::Conflict.into());
        }
        Ok(())
    }

    /// Presence of somebody who is there: a change of availability (§7.7), or with `<x/>` the wish to hear everything
    /// again (§17.3).
    fn update(&mut self, from: &FullJid, stanza: &Stanza, env: &Env<'_>, out: &mut Out<Self>) {
        let presence = reflected(stanza);
        let again = stanza.facts.contains(Facts::MUC);
        let Some(occupant) = self.occupants.at(from) else { return };
        let changes = differs(&occupant.shown().presence, &presence);
        self.commit(Change::Presence(from.clone(), presence.clone()), out);
        let Some(occupant) = self.occupants.at(from).cloned() else { return };
        let plain = Notice { id: stanza.id.clone(), ..Notice::default() };
        if !again {
            // Also when nothing changed: the client may be waiting for it.
            self.tell(&occupant, &presence, &plain, Audience::Others, out);
            return self.tell(&occupant, &presence, &plain, Audience::Own, out);
        }
        if changes {
            self.tell(&occupant, &presence, &Notice::default(), Audience::Others, out);
            self.tell(&occupant, &presence, &Notice::default(), Audience::OwnBut(from), out);
        }
        let x = stanza.child("x", ns::MUC);
        let notice = Notice { own_codes: self.room_codes(), ..plain };
        self.greet(&occupant, from, &notice, Wanted::parse(x.as_ref(), env.now), out);
    }

    /// Another nickname, for all connections of the occupant (§7.6).
    fn rename(&mut self, from: &FullJid, jid: &FullJid, stanza: &Stanza, out: &mut Out<Self>) {
        let nick = jid.resource().as_str();
        let Some(old) = self.occupants.at(from).cloned() else { return };
        if nick.trim().is_empty() {
            return out.refuse(stanza, Condition::JidMalformed);
        }
        // Two occupants of one user do not become one.
        if self.nick_is_free(jid, &old.user).is_err() || self.occupants.named(nick).is_some() {
            return out.refuse(stanza, Condition::Conflict);
        }
        let notice = Notice { codes: vec![303], nick: Some(nick.to_owned()), ..Notice::default() };
        self.tell(&old, &unavailable(), &notice, Audience::Others, out);
        self.tell(&old, &unavailable(), &notice, Audience::Own, out);
        self.commit(Change::Renamed(old.nick().to_owned(), jid.clone()), out);
        self.commit(Change::Presence(from.clone(), reflected(stanza)), out);
        let Some(new) = self.occupants.at(from).cloned() else { return };
        let notice = Notice { id: stanza.id.clone(), ..Notice::default() };
        self.tell(&new, &new.shown().presence, &notice, Audience::Others, out);
        self.tell(&new, &new.shown().presence, &notice, Audience::Own, out);
    }
}

/// What others may see of a client's presence: all but what only the room may say (§17.3).
pub(super) fn reflected(stanza: &Stanza) -> Stanza {
    let mut presence = stanza.clone();
    (presence.to, presence.from, presence.id) = (None, None, None);
    if stanza.facts.intersects(Facts::MUC | Facts::MUC_USER) {
        let children = stanza.children();
        let ours = |child: &&Element| child.is("x", ns::MUC) || child.is("x", ns::MUC_USER);
        presence.set_children(children.iter().filter(|child| !ours(child)));
    }
    presence
}

fn differs(one: &Stanza, other: &Stanza) -> bool {
    one.inner != other.inner || one.extra != other.extra || one.lang != other.lang
}
