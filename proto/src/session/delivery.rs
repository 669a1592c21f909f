//! Where a stanza for an account goes: RFC 6121 §8.5 as one pure function, and its use.

use super::{Change, Resource, Session, condition};
use crate::feature::{Cx, Door, Place};
use crate::machine::{Env, Machine, Out};
use crate::stanza::{Condition, IqType, Kind, MessageType, PresenceType, Stanza};
use crate::store::{Key, Query, Reply, collection};

/// What becomes of a stanza that has arrived for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// These sessions get it.
    Deliver(Vec<u64>),
    /// It waits for the user (XEP-0160), if it is worth it.
    Keep,
    /// The sender is told.
    Refuse(Condition),
    /// Nobody hears of it.
    Drop,
    /// The server answers or acts on behalf of the account: requests to it, subscriptions and probes.
    Server,
}

/// RFC 6121 §8.5: `resource` is the resource of its address, `resources` are all bound ones.
pub fn fate(kind: Kind, exists: bool, resource: Option<&str>, resources: &[Resource]) -> Fate {
    if !exists {
        return fate_of_no_account(kind, resource);
    }
    let Some(name) = resource else { return fate_at_bare(kind, resources) };
    // Subscriptions and probes are for the account, whatever resource they name (§3.1.3, §4.3.2).
    if let Kind::Presence(PresenceType::Available | PresenceType::Unavailable | PresenceType::Error)
    | Kind::Message(_)
    | Kind::Iq(_) = kind
        && let Some(found) = resources.iter().find(|resource| resource.jid.resource().as_str() == name)
    {
        return Fate::Deliver(vec![found.sid]); // §8.5.3.1
    }
    // §8.5.3.2: no resource matches.
    match kind {
        Kind::Message(MessageType::Chat) => fate_at_bare(kind, resources),
        Kind::Message(MessageType::Normal | MessageType::Groupchat) => {
            Fate::Refuse(Condition::ServiceUnavailable)
        }
        Kind::Message(MessageType::Headline | MessageType::Error) => Fate::Drop,
        Kind::Presence(PresenceType::Available | PresenceType::Unavailable | PresenceType::Error) => {
            Fate::Drop
        }
        Kind::Presence(_) => Fate::Server,
        Kind::Iq(IqType::Get | IqType::Set) => Fate::Refuse(Condition::ServiceUnavailable),
        Kind::Iq(IqType::Result | IqType::Error) => Fate::Drop,
    }
}

/// §8.5.1: the account does not exist.
fn fate_of_no_account(kind: Kind, resource: Option<&str>) -> Fate {
    match kind {
        // Features answer a stranger alike whether the account exists or not (XEP-0030 §8, XEP-0054 §3.3).
        Kind::Iq(IqType::Get | IqType::Set) if resource.is_none() => Fate::Server,
        Kind::Message(MessageType::Error | MessageType::Headline) => Fate::Drop,
        Kind::Message(_) | Kind::Iq(IqType::Get | IqType::Set) => Fate::Refuse(Condition::ServiceUnavailable),
        // §4.3.2: who probes an account that is not there is told that there is nothing to see.
        Kind::Presence(PresenceType::Probe) => Fate::Server,
        Kind::Presence(_) | Kind::Iq(IqType::Result | IqType::Error) => Fate::Drop,
    }
}

/// §8.5.2: the address is bare.
fn fate_at_bare(kind: Kind, resources: &[Resource]) -> Fate {
    let sids = |wanted: fn(&Resource) -> bool| -> Vec<u64> {
        resources.iter().filter(|resource| wanted(resource)).map(|resource| resource.sid).collect()
    };
    let or = |found: Vec<u64>, none: Fate| if found.is_empty() { none } else { Fate::Deliver(found) };
    match kind {
        Kind::Message(MessageType::Normal | MessageType::Chat) => {
            or(sids(Resource::wants_messages), Fate::Keep)
        }
        Kind::Message(MessageType::Headline) => or(sids(Resource::wants_messages), Fate::Drop),
        Kind::Message(MessageType::Groupchat) => Fate::Refuse(Condition::ServiceUnavailable),
        Kind::Message(MessageType::Error) => Fate::Drop,
        Kind::Presence(PresenceType::Available | PresenceType::Unavailable) => {
            or(sids(Resource::is_available), Fate::Drop)
        }
        Kind::Presence(PresenceType::Error) => Fate::Drop,
        Kind::Presence(_) | Kind::Iq(IqType::Get | IqType::Set) => Fate::Server,
        Kind::Iq(IqType::Result | IqType::Error) => Fate::Drop,
    }
}

impl Session {
    /// A stanza has arrived for this account from elsewhere.
    pub(super) fn receive(&mut self, stanza: Stanza, env: &Env<'_>, out: &mut Out<Self>) {
        if self.exists || stanza.is_answer() {
            return self.arrive(stanza, env, out);
        }
        // The account may have been made after this machine had found none.
        let key = Key::new(collection::CREDENTIALS, self.address.as_str());
        out.ask(Query::Document(key), move |session, reply, env, out| match reply {
            Ok(reply) => {
                if matches!(reply, Reply::Document(Some(_))) && !session.exists {
                    session.commit(Change::Exists, out);
                }
                session.arrive(stanza, env, out);
            }
            Err(error) => out.refuse(&stanza, condition(&error)),
        });
    }

    /// A stanza has arrived for this account: doors, then its fate.
    pub(super) fn arrive(&mut self, stanza: Stanza, env: &Env<'_>, out: &mut Out<Self>) {
        match stanza.kind {
            Kind::Message(_) => self.together(out, |session, out| session.enter(stanza, env, out)),
            Kind::Presence(_) | Kind::Iq(_) => self.enter(stanza, env, out),
        }
    }

    fn enter(&mut self, mut stanza: Stanza, env: &Env<'_>, out: &mut Out<Self>) {
        if stanza.to.is_none() || stanza.from.is_none() {
            return;
        }
        let sid = self.sid_of_sender(&stanza);
        let mut cx = Cx { place: Place::Account, session: self, sid, delivered: &[], env, out };
        if let Err(error) = env.features.guard(Door::AtAccount, &mut cx, &stanza) {
            out.refuse(&stanza, error);
            return;
        }
        env.features.stamp(Door::AtAccount, &mut cx, &mut stanza);
        let resource = stanza.to.as_ref().and_then(|to| to.resource()).map(|resource| resource.as_str());
        let delivered = match fate(stanza.kind, self.exists, resource, &self.resources) {
            Fate::Deliver(sids) => self.hand_out(sids, &stanza, env, out),
            Fate::Keep => {
                self.keep(stanza.clone(), env, out);
                vec![]
            }
            Fate::Refuse(condition) => {
                // If it came again after this owner's death, a later session of the client would get it, after what is newer.
                if self.exists && matches!(stanza.kind, Kind::Message(_)) {
                    self.commit(Change::Refused, out);
                }
                out.refuse(&stanza, condition);
                vec![]
            }
            Fate::Drop => vec![],
            Fate::Server => {
                self.serve(&stanza, env, out);
                vec![]
            }
        };
        let mut cx = Cx { place: Place::Account, session: self, sid, delivered: &delivered, env, out };
        env.features.watch(Door::AtAccount, &mut cx, &stanza);
    }

    /// Gives a stanza to sessions; those who got it.
    pub(super) fn hand_out(
        &mut self,
        sids: Vec<u64>,
        stanza: &Stanza,
        env: &Env<'_>,
        out: &mut Out<Self>,
    ) -> Vec<u64> {
        let is_message = matches!(stanza.kind, Kind::Message(_));
        // What still waits was not handed over when its reader came: the owner died.
        if is_message && !self.under_way.unreadable {
            self.hand_over(out);
        }
        // While older messages are on their way into or out of the store, newer ones queue behind them (RFC 6120 §10.1).
        // Out of the store all who want messages get them: so only what is for all of these.
        let is_for_readers = || sids == self.readers();
        let passes = self.under_way.handing_over || self.under_way.is_keeping();
        let queues = passes && self.is_worth_keeping(stanza) && is_for_readers();
        if queues && self.has_room(env) {
            self.keep(stanza.clone(), env, out);
            return vec![];
        }
        for sid in &sids {
            self.deliver(*sid, stanza.clone(), env, out);
        }
        // Or the store was away, and may be back.
        if is_message {
            self.hand_over(out);
        }
        sids
    }

    /// Acts for the account: answers requests, keeps subscriptions, tells who asks whether the user is there.
    fn serve(&mut self, stanza: &Stanza, env: &Env<'_>, out: &mut Out<Self>) {
        match stanza.kind {
            Kind::Iq(_) => self.answer(Place::Account, stanza, env, out),
            Kind::Presence(PresenceType::Probe) => self.probed(stanza, out),
            Kind::Presence(_) => self.subscription_in(stanza, env, out),
            Kind::Message(_) => {}
        }
    }

    /// Hands a stanza to one of the account's own clients, through [`Door::ToClient`].
    pub fn deliver(&mut self, sid: u64, mut stanza: Stanza, env: &Env<'_>, out: &mut Out<Self>) {
        if self.resource(sid).is_none() {
            return;
        }
        let mut cx = Cx { place: Place::Account, session: self, sid: Some(sid), delivered: &[], env, out };
        // Who is shielded from it does not hear of the refusal either.
        if env.features.guard(Door::ToClient, &mut cx, &stanza).is_err() {
            return;
        }
        env.features.stamp(Door::ToClient, &mut cx, &mut stanza);
        env.features.watch(Door::ToClient, &mut cx, &stanza);
        self.write(sid, stanza, env, out);
    }

    /// The session of the sender, if it is one of the account's own.
    pub(super) fn sid_of_sender(&self, stanza: &Stanza) -> Option<u64> {
        let from = stanza.from.as_ref()?.try_as_full().ok()?;
        self.resources.iter().find(|resource| resource.jid == *from).map(|resource| resource.sid)
    }
}
