//! What the account's own clients send: stamped with who they are, past the doors, on its way (RFC 6120 §8.1, §10).

use jid::Jid;

use super::Session;
use super::subscription::Verb;
use crate::feature::{Cx, Door, Place};
use crate::machine::{Env, Out};
use crate::stanza::{Condition, Kind, MessageType, Stanza, StanzaError};

/// Where an address leads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// To a domain of ours.
    Host,
    /// To the conference service of a domain of ours.
    Rooms,
    /// To this account or one of its resources.
    Own,
    /// To somebody else's owner.
    Away,
}

impl Session {
    /// One of the account's clients has sent a stanza.
    pub(super) fn client(&mut self, sid: u64, mut stanza: Stanza, env: &Env<'_>, out: &mut Out<Self>) {
        let Some(resource) = self.resource(sid) else { return };
        // Subscriptions are between accounts (RFC 6121 §3.1.2), all else is between clients (RFC 6120 §8.1.2.1).
        stanza.from = Some(match verb(&stanza) {
            Some(_) => self.address.clone().into(),
            None => resource.jid.clone().into(),
        });
        if stanza.to.is_none() && !matches!(stanza.kind, Kind::Presence(_)) {
            stanza.to = Some(self.address.clone().into()); // RFC 6120 §10.3
        }
        // RFC 6120 §8.2.3: a request has an id and asks something.
        if stanza.is_request() && (stanza.id.is_none() || stanza.payload.is_none()) {
            return self.bounce(sid, &stanza, Condition::BadRequest, env, out);
        }
        let place = self.place(stanza.to.as_ref(), env);
        let mut cx = Cx { place, session: self, sid: Some(sid), delivered: &[], env, out };
        if let Err(error) = env.features.guard(Door::FromClient, &mut cx, &stanza) {
            return self.bounce(sid, &stanza, error, env, out);
        }
        env.features.stamp(Door::FromClient, &mut cx, &mut stanza);
        env.features.watch(Door::FromClient, &mut cx, &stanza);
        match (stanza.kind, self.way(stanza.to.as_ref(), env)) {
            (Kind::Presence(kind), way) => {
                if stanza.to.is_none() || !matches!(way, Way::Host | Way::Rooms) {
                    self.presence_out(sid, kind, stanza, env, out);
                }
            }
            (Kind::Iq(_), Way::Host) => self.answer(Place::Host, &stanza, env, out),
            (Kind::Iq(_), Way::Rooms) => self.answer(Place::Rooms, &stanza, env, out),
            (Kind::Message(kind), Way::Host | Way::Rooms) => {
                // RFC 6121 §8.4: nobody reads messages there.
                if !matches!(kind, MessageType::Error | MessageType::Headline) {
                    self.bounce(sid, &stanza, Condition::ServiceUnavailable, env, out);
                }
            }
            (Kind::Iq(_) | Kind::Message(_), Way::Own) => self.arrive(stanza, env, out),
            (Kind::Iq(_) | Kind::Message(_), Way::Away) => out.route(stanza),
        }
    }

    /// Tells a client of ours that its stanza was refused, unless it is an answer itself.
    pub(super) fn bounce(
        &mut self,
        sid: u64,
        stanza: &Stanza,
        error: impl Into<StanzaError>,
        env: &Env<'_>,
        out: &mut Out<Self>,
    ) {
        let (Some(mut error), Some(resource)) = (stanza.error(error), self.resource(sid)) else { return };
        error.to = Some(resource.jid.clone().into());
        error.from.get_or_insert_with(|| self.address.clone().into());
        self.deliver(sid, error, env, out);
    }

    fn way(&self, to: Option<&Jid>, env: &Env<'_>) -> Way {
        let Some(to) = to else { return Way::Own };
        let domain = to.domain().as_str();
        if self.is_own(to) {
            Way::Own
        } else if to.node().is_some() {
            Way::Away
        } else if env.options.domain(domain).is_some() {
            Way::Host
        } else if env.options.conference(domain).is_some() {
            Way::Rooms
        } else {
            Way::Away
        }
    }

    /// What an address looks like to a feature at [`Door::FromClient`].
    fn place(&self, to: Option<&Jid>, env: &Env<'_>) -> Place {
        match (self.way(to, env), to) {
            (Way::Host, _) => Place::Host,
            (Way::Rooms, _) => Place::Rooms,
            (Way::Away, Some(to)) if env.options.conference(to.domain().as_str()).is_some() => Place::Room,
            (Way::Own | Way::Away, _) => Place::Account,
        }
    }
}

fn verb(stanza: &Stanza) -> Option<Verb> {
    match stanza.kind {
        Kind::Presence(kind) => Verb::of(kind),
        Kind::Message(_) | Kind::Iq(_) => None,
    }
}
