//! In-Band Registration (XEP-0077) for those who are logged in: change the password, or remove the account.
//!
//! Making accounts before logging in belongs to the stream.

use jid::BareJid;
use minidom::Element;

use super::{account, get, is_own, set, store_error};
use crate::feature::{Answer, Ask, Cx, Feature, Place, Spec};
use crate::form::Form;
use crate::machine::Effect;
use crate::ns;
use crate::sasl;
use crate::session::Order;
use crate::stanza::{Condition, IqType, Kind, Stanza, StanzaError};
use crate::xml::{Build, el};

/// XEP-0077.
pub struct Register;

impl Feature for Register {
    fn spec(&self) -> Spec {
        Spec { name: "XEP-0077", version: "2.4", title: "In-Band Registration" }
    }

    fn advertises(&self, place: Place) -> &'static [&'static str] {
        match place {
            Place::Host => &[ns::REGISTER],
            Place::Rooms | Place::Account | Place::Room => &[],
        }
    }

    fn asks(&self) -> &'static [Ask] {
        const ASKS: [Ask; 4] = [
            get(Place::Host, ns::REGISTER, "query"),
            set(Place::Host, ns::REGISTER, "query"),
            // Without `to`, it is the account that is asked (RFC 6120 §10.3.3).
            get(Place::Account, ns::REGISTER, "query"),
            set(Place::Account, ns::REGISTER, "query"),
        ];
        &ASKS
    }

    fn answer(&self, cx: &mut Cx<'_, '_>, iq: &Stanza) -> Answer {
        if !is_own(cx, iq) {
            return Answer::Error(Condition::ServiceUnavailable.into());
        }
        let at_home = iq.to.as_ref().is_none_or(|to| to.domain() == cx.session.address.domain());
        if !at_home || cx.session.anonymous {
            return Answer::Error(Condition::NotAllowed.into());
        }
        if iq.kind == Kind::Iq(IqType::Get) {
            return Answer::Result(Some(registration(&cx.session.address)));
        }
        let query = iq.child("query", ns::REGISTER);
        let done = match query {
            Some(query) if query.has_child("remove", ns::REGISTER) => remove(cx, iq, &query),
            Some(query) => change(cx, iq, &query),
            None => Err(Condition::BadRequest.into()),
        };
        if let Err(error) = done {
            cx.out.refuse(&without_content(iq), error);
        }
        Answer::Later
    }
}

/// Errors must not repeat a password (§3.3).
fn without_content(iq: &Stanza) -> Stanza {
    let mut iq = iq.clone();
    iq.set_children([]);
    iq
}

fn registration(address: &BareJid) -> Element {
    let username = address.node().map(|node| node.as_str()).unwrap_or_default();
    el("query", ns::REGISTER)
        .child(el("registered", ns::REGISTER))
        .child(el("username", ns::REGISTER).text_of(username))
        .child(el("password", ns::REGISTER))
}

/// What a client fills in: as elements, or in a form.
pub(crate) fn value(query: &Element, form: Option<&Form>, name: &str) -> Option<String> {
    let in_form = || form.and_then(|form| form.value(name)).map(ToOwned::to_owned);
    query.get_child(name, ns::REGISTER).map(Element::text).or_else(in_form)
}

fn change(cx: &mut Cx<'_, '_>, iq: &Stanza, query: &Element) -> Result<(), StanzaError> {
    let form = Form::inside(query)?;
    let value = |name| value(query, form.as_ref(), name);
    let username = value("username").ok_or(Condition::BadRequest)?;
    let password = value("password").filter(|password| !password.is_empty()).ok_or(Condition::BadRequest)?;
    if !names(&username, &cx.session.address) {
        return Err(StanzaError::from(Condition::NotAllowed).text("That is not your account."));
    }
    check(&password)?;
    let iq = without_content(iq);
    cx.out.derive(password, move |session, credentials, _, out| {
        // Else a password would bring back an account that was removed meanwhile.
        if !session.exists {
            return out.refuse(&iq, Condition::RegistrationRequired);
        }
        out.store(
            vec![account::password(&session.address, &credentials)],
            move |_, reply, _, out| match reply {
                Ok(_) => out.route(iq.result(None)),
                Err(error) => out.refuse(&iq, store_error(&error)),
            },
        );
    });
    Ok(())
}

/// Whether a password can be one.
///
/// # Errors
/// `not-acceptable`, with the reason.
pub fn check(password: &str) -> Result<(), StanzaError> {
    let refusal = |text: String| StanzaError::from(Condition::NotAcceptable).text(text);
    if password.len() > account::PASSWORD_BYTES_MAX {
        return Err(refusal(format!("A password may have {} bytes.", account::PASSWORD_BYTES_MAX)));
    }
    sasl::prepare(password).map_err(|error| refusal(format!("This password cannot be used: {error}.")))?;
    Ok(())
}

/// Whether a user name means this account; some clients send the whole address.
fn names(username: &str, address: &BareJid) -> bool {
    let whole =
        if username.contains('@') { username.to_owned() } else { format!("{username}@{}", address.domain()) };
    BareJid::new(&whole).is_ok_and(|jid| jid == *address)
}

fn remove(cx: &mut Cx<'_, '_>, iq: &Stanza, query: &Element) -> Result<(), StanzaError> {
    if query.children().count() != 1 {
        return Err(Condition::BadRequest.into());
    }
    let iq = iq.clone();
    cx.out.store(account::closing(&cx.session.address), move |session, reply, _, out| match reply {
        Ok(_) => {
            // The result goes first: the order ends the stream that it takes.
            out.route(iq.result(None));
            out.effects.push(Effect::Order(session.address.clone(), Order::Remove));
        }
        Err(error) => out.refuse(&iq, store_error(&error)),
    });
    Ok(())
}

#[cfg(test)]
mod tests;
