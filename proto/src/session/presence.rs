//! Presence (RFC 6121 §4): who hears that a resource is there, and who is told when somebody asks.

use jid::Jid;

use super::subscription::Verb;
use super::{Change, Resource, Session};
use crate::machine::{Effect, Env, Machine, Out};
use crate::stanza::{Condition, PresenceType, Stanza};

impl Session {
    /// One of the account's clients has sent presence.
    pub(super) fn presence_out(
        &mut self,
        sid: u64,
        kind: PresenceType,
        stanza: Stanza,
        env: &Env<'_>,
        out: &mut Out<Self>,
    ) {
        if let Some(verb) = Verb::of(kind) {
            return self.subscription_out(sid, verb, stanza, env, out);
        }
        match (kind, stanza.to.is_some()) {
            (PresenceType::Available, false) => self.come(sid, stanza, env, out),
            (PresenceType::Unavailable, false) => self.leave(sid, &stanza, true, env, out),
            (PresenceType::Available | PresenceType::Unavailable, true) => {
                self.direct(sid, kind, stanza, env, out);
            }
            (_, true) if self.is_to_own(&stanza) => self.arrive(stanza, env, out),
            (_, true) => out.route(stanza),
            (PresenceType::Probe, false) => self.bounce(sid, &stanza, Condition::BadRequest, env, out),
            (_, false) => {}
        }
    }

    /// Initial presence and its updates (§4.2, §4.4).
    fn come(&mut self, sid: u64, stanza: Stanza, env: &Env<'_>, out: &mut Out<Self>) {
        let Some(priority) = priority(&stanza) else {
            return self.bounce(sid, &stanza, Condition::BadRequest, env, out);
        };
        let is_initial = self.resource(sid).is_some_and(|resource| !resource.is_available());
        self.commit(Change::Presence(sid, Some((stanza.clone(), priority))), out);
        let contacts = self.watchers();
        fanout(&stanza, contacts, out);
        // §4.2.2: the user's resources hear of each other, and each of itself.
        self.tell_own(&stanza, None, env, out);
        if is_initial {
            self.probe_contacts(&stanza, out);
            self.hear_own(sid, env, out);
            let requests: Vec<_> = self.requests.values().cloned().collect();
            for request in requests {
                self.deliver(sid, request, env, out); // §3.1.3: until it is answered
            }
        }
        self.hand_over(out);
    }

    /// Unavailable presence: by the client itself, or by the server for one that is gone (§4.5).
    pub(super) fn leave(
        &mut self,
        sid: u64,
        stanza: &Stanza,
        by_itself: bool,
        env: &Env<'_>,
        out: &mut Out<Self>,
    ) {
        let Some(resource) = self.resource(sid) else { return };
        let was_available = resource.is_available();
        let mut to = if was_available { self.watchers() } else { vec![] };
        // §4.6.3: who had its presence directly, and does not hear of it as a contact or as a resource of ours.
        let is_told = |jid: &&Jid| was_available && self.hears_broadcasts(jid);
        to.extend(resource.directed.iter().filter(|jid| !is_told(jid)).cloned());
        fanout(stanza, to, out);
        if was_available {
            self.tell_own(stanza, (!by_itself).then_some(sid), env, out);
        }
        self.commit(Change::Presence(sid, None), out);
    }

    /// A client is gone: the server says so for it (§4.5.2), and its resource is free.
    pub(super) fn close(&mut self, sid: u64, env: &Env<'_>, out: &mut Out<Self>) {
        let Some(resource) = self.resource(sid) else { return };
        if resource.is_available() || !resource.directed.is_empty() {
            let unavailable = Stanza::presence(PresenceType::Unavailable).with_from(resource.jid.clone());
            self.leave(sid, &unavailable, false, env, out);
        }
        let managed = self.resource(sid).and_then(|resource| resource.managed.as_ref());
        let unacked = managed.map(|managed| managed.queue.iter().cloned().collect()).unwrap_or_default();
        self.commit(Change::Unbound(sid), out);
        self.send_on(unacked, env, out);
    }

    /// Whether this address hears the account's broadcasts anyway.
    pub(super) fn hears_broadcasts(&self, jid: &Jid) -> bool {
        let bare = jid.to_bare();
        bare == self.address || self.roster.is_from(&bare)
    }

    /// Somebody asks whether the user is there (§4.3.2).
    pub(super) fn probed(&mut self, probe: &Stanza, out: &mut Out<Self>) {
        let (Some(from), Some(to)) = (&probe.from, &probe.to) else { return };
        if !self.exists || !self.hears_broadcasts(from) {
            let no = Stanza::presence(PresenceType::Unsubscribed).with_from(self.address.clone());
            return out.route(no.with_to(from.to_bare()));
        }
        let asked = |resource: &&Resource| to.resource().is_none_or(|name| resource.jid.resource() == name);
        let mut presences: Vec<_> =
            self.available().filter(asked).filter_map(|resource| resource.presence.clone()).collect();
        if presences.is_empty() {
            presences.push(Stanza::presence(PresenceType::Unavailable).with_from(to.clone()));
        }
        for presence in presences {
            out.route(presence.with_to(from.clone()));
        }
    }

    /// The sessions of these contacts died with their node: they are not there any more.
    pub(super) fn contacts_lost(&mut self, lost: &super::LostAddresses, env: &Env<'_>, out: &mut Out<Self>) {
        let gone: Vec<_> = self
            .roster
            .iter()
            .filter(|(contact, item)| item.to && lost(contact))
            .map(|(contact, _)| contact.clone())
            .collect();
        for contact in gone {
            self.tell_own(&Stanza::presence(PresenceType::Unavailable).with_from(contact), None, env, out);
        }
    }

    /// Tells a contact of every available resource, because it may now see them (§3.1.5).
    pub(super) fn show_to(&mut self, contact: &jid::BareJid, out: &mut Out<Self>) {
        for presence in self.available().filter_map(|resource| resource.presence.clone()) {
            out.route(presence.with_to(contact.clone()));
        }
    }

    /// Tells a contact that no resource is available, because it may not see them any more (§3.2.2).
    pub(super) fn hide_from(&mut self, contact: &jid::BareJid, out: &mut Out<Self>) {
        for resource in self.available() {
            let gone = Stanza::presence(PresenceType::Unavailable).with_from(resource.jid.clone());
            out.route(gone.with_to(contact.clone()));
        }
    }

    /// The contacts that get the user's presence.
    fn watchers(&self) -> Vec<Jid> {
        self.roster.iter().filter(|(_, item)| item.from).map(|(contact, _)| contact.clone().into()).collect()
    }

    /// Asks the contacts whose presence the user gets (§4.2.2).
    fn probe_contacts(&mut self, presence: &Stanza, out: &mut Out<Self>) {
        let to = self
            .roster
            .iter()
            .filter(|(_, item)| item.to)
            .map(|(contact, _)| contact.clone().into())
            .collect();
        let mut probe = Stanza::presence(PresenceType::Probe);
        probe.from.clone_from(&presence.from);
        fanout(&probe, to, out);
    }

    /// Gives a presence to the account's available resources.
    fn tell_own(&mut self, stanza: &Stanza, without: Option<u64>, env: &Env<'_>, out: &mut Out<Self>) {
        let own: Vec<_> = self
            .available()
            .filter(|resource| Some(resource.sid) != without)
            .map(|resource| (resource.sid, resource.jid.clone()))
            .collect();
        for (sid, jid) in own {
            self.deliver(sid, stanza.clone().with_to(jid), env, out);
        }
    }

    /// Gives a new resource the presence of the account's others.
    fn hear_own(&mut self, sid: u64, env: &Env<'_>, out: &mut Out<Self>) {
        let Some(me) = self.resource(sid).map(|resource| resource.jid.clone()) else { return };
        let others: Vec<_> = self
            .available()
            .filter(|resource| resource.sid != sid)
            .filter_map(|resource| resource.presence.clone())
            .collect();
        for presence in others {
            self.deliver(sid, presence.with_to(me.clone()), env, out);
        }
    }

    pub(super) fn is_to_own(&self, stanza: &Stanza) -> bool {
        stanza.to.as_ref().is_some_and(|to| self.is_own(to))
    }
}

fn fanout(stanza: &Stanza, to: Vec<Jid>, out: &mut Out<Session>) {
    if !to.is_empty() {
        out.effects.push(Effect::Fanout { stanza: stanza.clone(), to });
    }
}

/// A presence's priority: 0 if it has none or an empty one, `None` if it is not a number from -128 to 127 (§4.7.2.3).
fn priority(presence: &Stanza) -> Option<i8> {
    if presence.inner.is_empty() {
        return Some(0);
    }
    match presence.child_text("priority") {
        None => Some(0),
        Some(text) if text.trim().is_empty() => Some(0),
        Some(text) => text.trim().parse().ok(),
    }
}
