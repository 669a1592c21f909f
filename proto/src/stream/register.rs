//! Making an account before logging in (XEP-0077 §3.1), at domains that allow it.

use jid::BareJid;
use minidom::Element;

use super::steps::{answer_error, write_stanza};
use super::{Effect, State, Stream, StreamCondition, StreamError};
use crate::features::register::{check, value};
use crate::form::Form;
use crate::machine::Env;
use crate::ns;
use crate::options::Domain;
use crate::stanza::{Condition, IqType, Kind, Stanza, StanzaError};
use crate::xml::{Build, el};

/// The stream feature.
pub(super) fn feature() -> Element {
    el("register", ns::REGISTER_FEATURE)
}

impl Stream {
    /// Somebody who is not logged in sends a stanza: only a registration will do, and only where it is allowed.
    pub(super) fn stranger(
        &mut self,
        state: State,
        iq: Stanza,
        env: &Env<'_>,
        out: &mut Vec<Effect>,
    ) -> Result<State, StreamError> {
        let domain = self.domain.as_deref().and_then(|name| env.options.domain(name));
        let asks = iq.payload.as_ref().is_some_and(|payload| &*payload.ns == ns::REGISTER);
        let (true, State::LogIn, Some(domain)) = (asks, &state, domain.filter(|domain| domain.registration))
        else {
            return Err(StreamCondition::NotAuthorized.into());
        };
        match iq.kind {
            Kind::Iq(IqType::Get) => {
                let text = "Choose a user name and a password.";
                let fields = ["username", "password"].map(|name| el(name, ns::REGISTER));
                let query = el("query", ns::REGISTER).child(el("instructions", ns::REGISTER).text_of(text));
                write_stanza(out, &iq.result(Some(&query.children_of(fields))));
                Ok(state)
            }
            Kind::Iq(IqType::Set) => match wish(&iq, domain) {
                Ok((account, password)) => {
                    out.push(Effect::Register { account, password });
                    Ok(State::Registering(Box::new(without_content(iq))))
                }
                Err(error) => {
                    answer_error(&without_content(iq), error, out);
                    Ok(state)
                }
            },
            _ => Err(StreamCondition::NotAuthorized.into()),
        }
    }

    /// The world has made the account, or not.
    pub(super) fn registered(
        &self,
        iq: &Stanza,
        made: Result<(), StanzaError>,
        out: &mut Vec<Effect>,
    ) -> State {
        match made {
            Ok(()) => write_stanza(out, &iq.result(None)),
            Err(error) => answer_error(iq, error, out),
        }
        State::LogIn
    }
}

/// Answers must not repeat a password (§3.3).
fn without_content(mut iq: Stanza) -> Stanza {
    iq.set_children([]);
    iq
}

fn wish(iq: &Stanza, domain: &Domain) -> Result<(BareJid, String), StanzaError> {
    let query = iq.child("query", ns::REGISTER).ok_or(Condition::BadRequest)?;
    if query.has_child("remove", ns::REGISTER) {
        return Err(Condition::RegistrationRequired.into());
    }
    let form = Form::inside(&query)?;
    let value = |name| value(&query, form.as_ref(), name).filter(|value| !value.is_empty());
    let missing =
        || StanzaError::from(Condition::NotAcceptable).text("A user name and a password are needed.");
    let (username, password) =
        (value("username").ok_or_else(missing)?, value("password").ok_or_else(missing)?);
    check(&password)?;
    let account =
        BareJid::new(&format!("{username}@{}", domain.name)).map_err(|_| Condition::JidMalformed)?;
    // A name with an `@` or a slash would be another address.
    if username.contains(['@', '/']) || account.node().is_none() {
        return Err(Condition::JidMalformed.into());
    }
    Ok((account, password))
}
