//! The steps of a stream: which input means what where it stands.

use minidom::Element;

use super::{Channel, Effect, Ending, Input, State, Stream, StreamCondition, StreamError, Timeout};
use crate::machine::Env;
use crate::ns;
use crate::stanza::{Stanza, StanzaError};
use crate::xml::reader::{Event, NONZA_BYTES_MAX, Reader};
use crate::xml::writer;

impl Stream {
    /// Takes one step, appending what the world must do to `out`, in order.
    pub fn handle(&mut self, input: Input<'_>, env: &Env<'_>, out: &mut Vec<Effect>) {
        // Consumed by each step: an error leaves the stream closed.
        let state = std::mem::replace(&mut self.state, State::Closed);
        let securing = matches!(state, State::Securing);
        let next = match (state, input) {
            (State::Closed, _) => return,
            (state, Input::Bytes(bytes)) => {
                self.state = state;
                return self.receive(bytes, env, out);
            }
            (_, Input::PeerClosed) => return out.push(Effect::Close(Ending::Lost)),
            // Clear text must not follow <proceed/>.
            (State::Securing, Input::End(error)) => return out.push(Effect::Close(Ending::Failed(error))),
            (_, Input::End(error)) => Err(error),
            (state @ (State::Open(..) | State::Enabling(..)), Input::Timeout(Timeout::Login)) => Ok(state),
            (_, Input::Timeout(Timeout::Login)) => {
                Err(StreamError::because(StreamCondition::ConnectionTimeout, "no log-in for too long"))
            }
            (state, Input::Timeout(Timeout::Idle)) => self.idle(state, env, out),
            (State::Securing, Input::Encrypted(facts)) => {
                self.channel = Channel::tls(facts);
                self.restart();
                Ok(State::Opening)
            }
            (State::Asking(mut exchange), Input::Credentials(found)) => {
                let step = exchange.found(found);
                self.proceed(exchange, step, env, out)
            }
            (State::Asking(mut exchange), Input::Derived(derived)) => {
                let step = exchange.derived(derived);
                self.proceed(exchange, step, env, out)
            }
            (State::Registering(iq), Input::Registered(made)) => Ok(self.registered(&iq, made, out)),
            (State::Binding(iq), Input::Bound(jid)) => Ok(self.bound(&iq, jid, out)),
            (State::Binding(iq), Input::Refused(error)) => {
                answer_error(&iq, error, out);
                Ok(State::Unbound)
            }
            (
                state,
                input @ (Input::Enabled { .. }
                | Input::NotEnabled(_)
                | Input::Resumed(_)
                | Input::NotResumed(_)
                | Input::Timeout(Timeout::Ack)),
            ) => Ok(self.managed(state, input, out)),
            // An answer that comes too late, as after an abort.
            (
                state,
                Input::Encrypted(_)
                | Input::Credentials(_)
                | Input::Derived(_)
                | Input::Registered(_)
                | Input::Bound(_)
                | Input::Refused(_),
            ) => Ok(state),
        };
        match next {
            Ok(state) => {
                self.state = state;
                let pending = std::mem::take(&mut self.pending);
                self.receive(&pending, env, out);
            }
            Err(error) if securing => out.push(Effect::Close(Ending::Failed(error))),
            Err(error) => self.fail(error, env, out),
        }
    }

    /// Reads bytes as far as they can be used now, and keeps the rest.
    fn receive(&mut self, bytes: &[u8], env: &Env<'_>, out: &mut Vec<Effect>) {
        self.idle.silent &= bytes.is_empty();
        let mut rest = bytes;
        while self.wants_bytes() && !rest.is_empty() {
            if self.take_short(&mut rest, out) {
                continue;
            }
            let mut reader = self.reader.take().unwrap_or_else(|| self.new_reader(env));
            let event = reader.read(&mut rest);
            self.reader = Some(reader);
            let state = std::mem::replace(&mut self.state, State::Closed);
            let next = match event {
                Ok(Some(event)) => self.event(state, event, env, out),
                Ok(None) => Ok(state),
                Err(error) => Err(error),
            };
            match next {
                Ok(state) => self.state = state,
                Err(error) => self.fail(error, env, out),
            }
        }
        match self.state {
            // Clear bytes after <starttls/> were not sent by whom we will talk to (RFC 6120 §5.4.3.3).
            State::Securing | State::Closed => self.pending = Vec::new(),
            _ if self.pending.len() + rest.len() > env.options.limits.stanza_bytes_max => {
                self.fail(StreamCondition::PolicyViolation.into(), env, out);
            }
            _ => self.pending.extend_from_slice(rest),
        }
    }

    fn new_reader(&self, env: &Env<'_>) -> Reader {
        let mut reader = Reader::new(&env.options.limits);
        if self.account().is_none() {
            reader.set_bytes_max(NONZA_BYTES_MAX.min(env.options.limits.stanza_bytes_max));
        }
        reader
    }

    fn event(
        &mut self,
        state: State,
        event: Event,
        env: &Env<'_>,
        out: &mut Vec<Effect>,
    ) -> Result<State, StreamError> {
        match (state, event) {
            (state, Event::Header(header)) => self.opened(state, header, env, out),
            (_, Event::End) => {
                write(out, b"</stream:stream>");
                out.push(Effect::Close(Ending::Closed));
                Ok(State::Closed)
            }
            (State::Open(jid), Event::Stanza(stanza)) => self.stanza(jid, stanza, out),
            (State::Open(jid), Event::Bad(stanza, error)) => {
                self.check_from(&jid, &stanza)?;
                self.answer(stanza.error(error), &jid, out);
                Ok(State::Open(jid))
            }
            (State::Unbound, Event::Stanza(stanza)) => self.unbound(stanza, out),
            (State::Unbound, Event::Bad(stanza, error)) if super::bound::is_bind(&stanza) => {
                answer_error(&stanza, error, out);
                Ok(State::Unbound)
            }
            (state @ State::LogIn, Event::Stanza(stanza)) => self.stranger(state, stanza, env, out),
            // RFC 6120 §4.9.3.12: only after log-in and bind.
            (_, Event::Stanza(_) | Event::Bad(..)) => Err(StreamCondition::NotAuthorized.into()),
            (state, Event::Nonza(element)) => self.nonza(state, &element, env, out),
        }
    }

    fn nonza(
        &mut self,
        state: State,
        element: &Element,
        env: &Env<'_>,
        out: &mut Vec<Effect>,
    ) -> Result<State, StreamError> {
        match (state, element.name(), &*element.ns()) {
            // The client says what we did wrong and leaves (RFC 6120 §4.9.1.1).
            (_, "error", ns::STREAM) => {
                write(out, b"</stream:stream>");
                out.push(Effect::Close(Ending::Closed));
                Ok(State::Closed)
            }
            (State::Clear, "starttls", ns::TLS) => {
                write_element(out, &Element::bare("proceed", ns::TLS));
                out.push(Effect::StartTls);
                Ok(State::Securing)
            }
            (_, "starttls", ns::TLS) => {
                write_element(out, &Element::bare("failure", ns::TLS));
                write(out, b"</stream:stream>");
                out.push(Effect::Close(Ending::Failed(StreamCondition::UnsupportedFeature.into())));
                Ok(State::Closed)
            }
            (state @ (State::Clear | State::LogIn | State::Responding(_)), _, ns::SASL) => {
                self.sasl(state, element, env, out)
            }
            (state, _, ns::SM) => self.manage(state, element, out),
            _ => Err(StreamCondition::UnsupportedStanzaType.into()),
        }
    }

    /// Makes ready for a new stream over the same connection (RFC 6120 §4.3.3).
    pub(super) fn restart(&mut self) {
        self.reader = None;
        self.greeted = false;
    }

    /// Ends the stream with an error, opening ours first if need be (RFC 6120 §4.9.1.2).
    pub(super) fn fail(&mut self, error: StreamError, env: &Env<'_>, out: &mut Vec<Effect>) {
        if !self.greeted {
            self.greet(None, env, out);
        }
        let mut bytes = Vec::new();
        error.write(&mut bytes);
        bytes.extend_from_slice(b"</stream:stream>");
        write(out, &bytes);
        out.push(Effect::Close(Ending::Failed(error)));
        self.state = State::Closed;
        (self.pending, self.reader) = (Vec::new(), None);
    }
}

/// Writes the error that answers a stanza of a client without a resource, if it may be answered.
pub(super) fn answer_error(stanza: &Stanza, error: StanzaError, out: &mut Vec<Effect>) {
    if let Some(mut answer) = stanza.error(error) {
        answer.to = None;
        write_stanza(out, &answer);
    }
}

/// Writes bytes, together with what is written already.
pub(super) fn write(out: &mut Vec<Effect>, bytes: &[u8]) {
    match out.last_mut() {
        Some(Effect::Write(written)) => written.extend_from_slice(bytes),
        _ => out.push(Effect::Write(bytes.to_vec())),
    }
}

/// Writes an element.
pub(super) fn write_element(out: &mut Vec<Effect>, element: &Element) {
    let mut bytes = Vec::new();
    writer::element(element, ns::CLIENT, &mut bytes);
    write(out, &bytes);
}

/// Writes a stanza.
pub(super) fn write_stanza(out: &mut Vec<Effect>, stanza: &Stanza) {
    let mut bytes = Vec::new();
    stanza.write(&mut bytes);
    write(out, &bytes);
}
