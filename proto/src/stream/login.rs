//! Log-in (RFC 6120 §6): SASL's elements, around an exchange that knows nothing of them.

use base64::{Engine, engine::general_purpose::STANDARD};
use minidom::Element;

use super::steps::write_element;
use super::{Channel, Effect, State, Stream, StreamCondition, StreamError, Who, features};
use crate::machine::Env;
use crate::ns;
use crate::options::Domain;
use crate::sasl::{Circumstances, Exchange, Failure, Mechanism, Step};
use crate::xml::{Build, el};

impl Stream {
    /// The client sent an element of SASL.
    pub(super) fn sasl(
        &mut self,
        state: State,
        element: &Element,
        env: &Env<'_>,
        out: &mut Vec<Effect>,
    ) -> Result<State, StreamError> {
        let failure = match (state, element.name()) {
            (State::Clear, "auth") => Failure::EncryptionRequired,
            (State::LogIn, "auth") => match self.start(element, env) {
                Ok((exchange, step)) => return self.proceed(exchange, step, env, out),
                Err(failure) => failure,
            },
            (State::Responding(mut exchange), "response") => match decode(&element.text()) {
                Ok(message) => {
                    let step = exchange.respond(&message.unwrap_or_default());
                    return self.proceed(exchange, step, env, out);
                }
                Err(failure) => failure,
            },
            (State::LogIn | State::Responding(_), "abort") => Failure::Aborted,
            _ => Failure::MalformedRequest,
        };
        self.refuse(failure, env, out)
    }

    fn start(&mut self, element: &Element, env: &Env<'_>) -> Result<(Box<Exchange>, Step), Failure> {
        let domain = self.domain.as_deref().and_then(|name| env.options.domain(name));
        let domain = domain.ok_or(Failure::TemporaryAuthFailure)?;
        let mechanism = self.choose(element.attr("mechanism").unwrap_or_default(), domain)?;
        let initial = decode(&element.text())?;
        let offered = features::mechanisms(&self.channel, domain);
        let at = Circumstances {
            domain: domain.name.clone(),
            tls: match &self.channel {
                Channel::Tls(facts) => facts.as_deref().cloned(),
                Channel::Clear | Channel::Plain => None,
            },
            binding_offered: offered
                .iter()
                .any(|offer| matches!(offer, Mechanism::Scram { bound: true, .. })),
            nonce: self.chance.draw(env),
            secret: env.options.sasl_secret,
            iterations: env.options.sasl_iterations,
        };
        let (exchange, step) = Exchange::start(mechanism, initial.as_deref(), at);
        Ok((Box::new(exchange), step))
    }

    fn choose(&self, name: &str, domain: &Domain) -> Result<Mechanism, Failure> {
        let mechanism = Mechanism::parse(name).ok_or(Failure::InvalidMechanism)?;
        if mechanism.is_offered(&self.channel, domain) {
            Ok(mechanism)
        } else if mechanism.needs_encryption(&self.channel) {
            Err(Failure::EncryptionRequired)
        } else {
            Err(Failure::InvalidMechanism)
        }
    }

    /// Does what an exchange asks for.
    pub(super) fn proceed(
        &mut self,
        exchange: Box<Exchange>,
        step: Step,
        env: &Env<'_>,
        out: &mut Vec<Effect>,
    ) -> Result<State, StreamError> {
        match step {
            Step::Challenge(data) => {
                write_element(out, &el("challenge", ns::SASL).text_of(STANDARD.encode(data)));
                Ok(State::Responding(exchange))
            }
            Step::Lookup(account) => {
                out.push(Effect::Lookup(account));
                Ok(State::Asking(exchange))
            }
            Step::Derive(derivation) => {
                out.push(Effect::Derive(derivation));
                Ok(State::Asking(exchange))
            }
            Step::Success { account, anonymous, data } => {
                let text = data.map(|data| STANDARD.encode(data)).unwrap_or_default();
                out.push(Effect::LoggedIn(account.clone()));
                write_element(out, &el("success", ns::SASL).text_of(text));
                self.who = Some(Who { account, anonymous });
                if let Channel::Tls(facts) = &mut self.channel {
                    *facts = None;
                }
                self.restart();
                Ok(State::Reopening)
            }
            Step::Failure(failure, account) => {
                if failure != Failure::TemporaryAuthFailure {
                    out.push(Effect::LogInFailed(account));
                }
                self.refuse(failure, env, out)
            }
        }
    }

    /// Says why a log-in failed; the client may try again a few times (RFC 6120 §6.4.5).
    fn refuse(
        &mut self,
        failure: Failure,
        env: &Env<'_>,
        out: &mut Vec<Effect>,
    ) -> Result<State, StreamError> {
        write_element(out, &el("failure", ns::SASL).child(Element::bare(failure.name(), ns::SASL)));
        self.failures += 1;
        if self.failures >= env.options.limits.login_attempts_max {
            return Err(StreamError::because(StreamCondition::PolicyViolation, "too many failed log-ins"));
        }
        Ok(if self.channel == Channel::Clear { State::Clear } else { State::LogIn })
    }
}

/// What an element carries: nothing, or base64, where `=` is data of no length (RFC 6120 §6.4.2).
fn decode(text: &str) -> Result<Option<Vec<u8>>, Failure> {
    match text {
        "" => Ok(None),
        "=" => Ok(Some(Vec::new())),
        text => STANDARD.decode(text).map(Some).map_err(|_| Failure::IncorrectEncoding),
    }
}
