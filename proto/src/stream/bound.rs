//! Resource binding (RFC 6120 §7), and what a bound client sends.

use jid::{FullJid, Jid, ResourcePart};

use super::steps::{answer_error, write_stanza};
use super::{Effect, State, Stream, StreamCondition, StreamError};
use crate::machine::Env;
use crate::ns;
use crate::session::{Ask, Word};
use crate::stanza::{Condition, IqType, Kind, Stanza, StanzaError};
use crate::xml::{Build, el};

impl Stream {
    /// A client without a resource sent a stanza: it may only bind one.
    pub(super) fn unbound(&mut self, stanza: Stanza, out: &mut Vec<Effect>) -> Result<State, StreamError> {
        let (Some(who), true) = (&self.who, is_bind(&stanza)) else {
            return Err(StreamCondition::NotAuthorized.into());
        };
        match resource(&stanza) {
            Ok(resource) => {
                out.push(Effect::Enter(Ask::Bind { resource, anonymous: who.anonymous }));
                Ok(State::Binding(Box::new(stanza)))
            }
            Err(error) => {
                answer_error(&stanza, error, out);
                Ok(State::Unbound)
            }
        }
    }

    /// The resource is bound: tells the client its address.
    pub(super) fn bound(&mut self, iq: &Stanza, jid: FullJid, out: &mut Vec<Effect>) -> State {
        let name = el("jid", ns::BIND).text_of(jid.as_str());
        let mut answer = iq.result(Some(&el("bind", ns::BIND).child(name)));
        (answer.to, answer.from) = (None, None);
        write_stanza(out, &answer);
        State::Open(jid)
    }

    /// A bound client sent a stanza.
    pub(super) fn stanza(
        &mut self,
        jid: FullJid,
        mut stanza: Stanza,
        out: &mut Vec<Effect>,
    ) -> Result<State, StreamError> {
        self.check_from(&jid, &stanza)?;
        stanza.from = None;
        let is_answer = matches!(stanza.kind, Kind::Iq(IqType::Result | IqType::Error));
        if is_answer && stanza.id.is_some() && stanza.id.as_deref() == self.idle.asked.as_deref() {
            self.idle.asked = None;
            self.answer(None, &jid, out);
        } else if is_bind(&stanza) {
            // One resource for each stream (RFC 6120 §7.6.2.2).
            self.answer(stanza.error(Condition::NotAllowed), &jid, out);
        } else if is_session(&stanza) {
            self.answer(Some(stanza.result(None)), &jid, out);
        } else {
            // RFC 6120 §8.1.5.
            if stanza.lang.is_none() && self.lang.is_some() {
                stanza.lang.clone_from(&self.lang);
            }
            out.push(match self.count() {
                Some(number) => Effect::Word(Word::Stanza(number, stanza)),
                None => Effect::Stanza(stanza),
            });
        }
        Ok(State::Open(jid))
    }

    /// Nothing came for a while: asks the client whether it is there, and gives it up if it was asked before.
    pub(super) fn idle(
        &mut self,
        state: State,
        env: &Env<'_>,
        out: &mut Vec<Effect>,
    ) -> Result<State, StreamError> {
        let State::Open(jid) = state else { return Ok(state) };
        if self.idle.silent {
            return Err(StreamError::because(StreamCondition::ConnectionTimeout, "no answer to a ping"));
        }
        if self.ask(out) {
            self.idle.silent = true;
            return Ok(State::Open(jid));
        }
        let id = format!("idle-{}", self.chance.draw(env));
        let mut ping = Stanza::iq(IqType::Get, &id, Some(&el("ping", ns::PING))).with_to(jid.clone());
        ping.from = Jid::new(jid.domain().as_str()).ok();
        write_stanza(out, &ping);
        (self.idle.asked, self.idle.silent) = (Some(id.into()), true);
        Ok(State::Open(jid))
    }

    /// A client speaks for itself only (RFC 6120 §4.9.3.9, §8.1.2.1).
    pub(super) fn check_from(&self, jid: &FullJid, stanza: &Stanza) -> Result<(), StreamError> {
        match &stanza.from {
            Some(from) if *from != *jid && self.account().is_none_or(|account| *from != *account) => {
                Err(StreamCondition::InvalidFrom.into())
            }
            _ => Ok(()),
        }
    }
}

/// Whether it asks for a resource.
pub(super) fn is_bind(stanza: &Stanza) -> bool {
    asks(stanza, "bind", ns::BIND)
}

fn is_session(stanza: &Stanza) -> bool {
    asks(stanza, "session", ns::SESSION)
}

fn asks(stanza: &Stanza, name: &str, ns: &str) -> bool {
    let payload = stanza.payload.as_ref();
    let is_that = payload.is_some_and(|payload| *payload.name == *name && *payload.ns == *ns);
    stanza.kind == Kind::Iq(IqType::Set) && is_that
}

/// The resource that a client wishes, if any. Profanity sends `<required/>` beside it, which says nothing.
fn resource(stanza: &Stanza) -> Result<Option<String>, StanzaError> {
    let bind = stanza.child("bind", ns::BIND).ok_or(Condition::BadRequest)?;
    let wish = bind.children().find(|child| child.is("resource", ns::BIND)).map(minidom::Element::text);
    match wish.filter(|wish| !wish.is_empty()) {
        None => Ok(None),
        // Prepared here, so that nothing invalid is ever looked up (RFC 6120 §7.7.2.1).
        Some(wish) => match ResourcePart::new(&wish) {
            Ok(resource) => Ok(Some(resource.as_str().to_owned())),
            Err(_) => Err(Condition::BadRequest.into()),
        },
    }
}
