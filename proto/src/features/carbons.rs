//! Message Carbons (XEP-0280): every device of a user sees both sides of all conversations.
//!
//! What leaves for others is copied when the client sends it; what arrives, also from oneself, when it was delivered,
//! so that nobody gets both the message and a copy.

use bytes::Bytes;

use super::{is_own, set};
use crate::feature::{Answer, Ask, Cx, Door, Feature, Place, Power, Spec};
use crate::ns;
use crate::options::Options;
use crate::session::Change;
use crate::stanza::{Condition, Facts, Kind, MessageType, Stanza};

/// XEP-0280.
pub struct Carbons;

/// Which side of a conversation a copy shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Sent,
    Received,
}

impl Feature for Carbons {
    fn spec(&self) -> Spec {
        Spec { name: "XEP-0280", version: "1.0.1", title: "Message Carbons" }
    }

    fn advertises(&self, place: Place) -> &'static [&'static str] {
        match place {
            Place::Host | Place::Account => &[ns::CARBONS, ns::CARBONS_RULES],
            Place::Rooms | Place::Room => &[],
        }
    }

    fn asks(&self) -> &'static [Ask] {
        const ASKS: [Ask; 2] =
            [set(Place::Account, ns::CARBONS, "enable"), set(Place::Account, ns::CARBONS, "disable")];
        &ASKS
    }

    fn answer(&self, cx: &mut Cx<'_, '_>, iq: &Stanza) -> Answer {
        let Some(resource) = cx.sid.filter(|_| is_own(cx, iq)).and_then(|sid| cx.session.resource(sid))
        else {
            return Answer::Error(Condition::NotAllowed.into());
        };
        let on = iq.payload.as_ref().is_some_and(|payload| &*payload.name == "enable");
        let (sid, is_on) = (resource.sid, resource.carbons);
        // To ask again is no error (§10.1).
        if on != is_on {
            cx.commit(Change::Carbons(sid, on));
        }
        Answer::Result(None)
    }

    fn stands(&self) -> &'static [(Door, Power)] {
        &[(Door::FromClient, Power::Watch), (Door::AtAccount, Power::Watch)]
    }

    fn watch(&self, door: Door, cx: &mut Cx<'_, '_>, stanza: &Stanza) {
        if !matches!(stanza.kind, Kind::Message(_)) {
            return;
        }
        let to_self = stanza.to.as_ref().is_none_or(|to| cx.session.is_own(to));
        match door {
            Door::FromClient if !to_self && is_eligible(stanza, Side::Sent, cx.env.options) => {
                copy(cx, stanza, Side::Sent, cx.sid);
            }
            Door::AtAccount => {
                let sender =
                    cx.session.resources.iter().find(|resource| stanza.from.as_ref() == Some(&resource.jid));
                let sender = sender.map(|resource| resource.sid);
                let side = if is_own(cx, stanza) { Side::Sent } else { Side::Received };
                if !was_refused(cx, stanza) && is_eligible(stanza, side, cx.env.options) {
                    copy(cx, stanza, side, sender);
                }
            }
            Door::FromClient | Door::AtRoom | Door::ToClient => {}
        }
    }
}

/// The rules of §6.1, all of them (§6.2).
fn is_eligible(message: &Stanza, side: Side, options: &Options) -> bool {
    let Kind::Message(kind) = message.kind else { return false };
    let facts = message.facts;
    // A copy of a copy would let a stranger forge one, and an error for a copy goes no further (§10.3, §12).
    if facts.intersects(Facts::PRIVATE | Facts::NO_COPY | Facts::CARBON) {
        return false;
    }
    // The room itself sends private messages to every resource that is in it.
    if side == Side::Received && is_from_occupant(message, options) {
        return false;
    }
    let is_im = facts.intersects(Facts::CHAT_STATE | Facts::RECEIPT | Facts::MARKER);
    // Mediated invitations carry the same element as private messages, which were sorted out above.
    let is_invitation = facts.intersects(Facts::INVITE | Facts::MUC_USER);
    match kind {
        MessageType::Groupchat => false,
        MessageType::Chat => true,
        MessageType::Normal => facts.contains(Facts::BODY) || is_im || is_invitation,
        MessageType::Headline => is_im || is_invitation,
        // Whether the message was eligible shows in what the error repeats of it.
        MessageType::Error => facts.contains(Facts::BODY) || is_im,
    }
}

/// Whether the sender was told that nobody got it (RFC 6121 §8.5.3.2.1): then nobody should.
fn was_refused(cx: &Cx<'_, '_>, message: &Stanza) -> bool {
    let to_resource = message.to.as_ref().is_some_and(|to| to.resource().is_some());
    message.kind == Kind::Message(MessageType::Normal) && to_resource && cx.delivered.is_empty()
}

/// Whether it is a private message from a room's occupant (XEP-0045 §7.5).
fn is_from_occupant(message: &Stanza, options: &Options) -> bool {
    let from = message.from.as_ref().filter(|from| from.resource().is_some());
    from.is_some_and(|from| {
        message.facts.contains(Facts::MUC_USER) || options.conference(from.domain().as_str()).is_some()
    })
}

/// Copies for all who want them, but for who has the message, and its sender.
fn copy(cx: &mut Cx<'_, '_>, message: &Stanza, side: Side, sender: Option<u64>) {
    let targets = cx.session.carbon_targets(cx.delivered, sender);
    if targets.is_empty() {
        return;
    }
    // Wrapped once; the copies share the bytes.
    let mut carbon = Stanza::new(message.kind).with_from(cx.session.address.clone());
    carbon.trace = message.trace;
    carbon.facts = Facts::CARBON;
    carbon.inner = wrap(message, side);
    for sid in targets {
        if let Some(resource) = cx.session.resource(sid) {
            let to = resource.jid.clone();
            cx.deliver(sid, carbon.clone().with_to(to));
        }
    }
}

/// The message that an account got a copy of; `None` if the account sent it itself.
pub fn original(carbon: &Stanza, account: &jid::BareJid) -> Option<Stanza> {
    if carbon.from.as_ref().is_none_or(|from| *from != *account) {
        return None;
    }
    let received = carbon.child("received", ns::CARBONS)?;
    Stanza::from_element(received.get_child("forwarded", ns::FORWARD)?.children().next()?).ok()
}

/// The message inside `<forwarded/>` (XEP-0297) inside `<sent/>` or `<received/>`.
fn wrap(message: &Stanza, side: Side) -> Bytes {
    let name = match side {
        Side::Sent => "sent",
        Side::Received => "received",
    };
    let message = message.to_xml();
    let mut bytes = Vec::with_capacity(message.len() + 128);
    bytes.extend_from_slice(
        format!("<{name} xmlns='{}'><forwarded xmlns='{}'>", ns::CARBONS, ns::FORWARD).as_bytes(),
    );
    bytes.extend_from_slice(&message);
    bytes.extend_from_slice(format!("</forwarded></{name}>").as_bytes());
    bytes.into()
}

#[cfg(test)]
mod tests;
