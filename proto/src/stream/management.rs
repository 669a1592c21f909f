//! Stream management (XEP-0198): its elements, and the numbers of this connection. What outlives the connection is at the
//! session.

use std::io::Write as _;

use jid::FullJid;
use minidom::Element;

use super::steps::{write, write_element};
use super::{Effect, Input, State, Stream, StreamCondition, StreamError};
use crate::machine::Resumption;
use crate::ns;
use crate::session::{Ask, Word, is_ahead};
use crate::stanza::{Condition, Stanza};
use crate::xml::reader::Reader;
use crate::xml::{Build, el};

/// The client is asked for an acknowledgement after so many stanzas.
const ASK_EVERY: u32 = 8;
const ASK: &[u8] = b"<r xmlns='urn:xmpp:sm:3'/>";

/// What became of a numbered stanza.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrote {
    /// It was written.
    Now,
    /// It was written before.
    Before,
    /// Something before it is missing.
    NotYet,
}

/// The numbers of a managed stream, modulo 2^32.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// Of the last stanza that came.
    heard: u32,
    /// Of the last stanza that was written.
    wrote: u32,
    /// So many were written since the client was last asked.
    unasked: u32,
    /// What the client has by its last word, so that who only says it is still there costs its session nothing.
    acked: u32,
    /// What the client was told last that we have.
    told: u32,
}

/// What a managed client says with every few stanzas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Short {
    /// `<r/>`
    Asks,
    /// `<a/>`
    Has(u32),
}

impl Numbers {
    /// What the client is told when its session says that so many were handled: never less than before, though the word of a
    /// session's former owner may come after that of the next one.
    fn tell(&mut self, h: u32) -> u32 {
        if is_ahead(h, self.told) {
            self.told = h;
        }
        self.told
    }

    fn take(&mut self, short: Short, out: &mut Vec<Effect>) {
        match short {
            Short::Asks => out.push(Effect::Word(Word::AckRequested(self.heard))),
            Short::Has(h) if h == self.acked => {}
            Short::Has(h) => {
                self.acked = h;
                out.push(Effect::Word(Word::Acked(h)));
            }
        }
    }
}

impl Stream {
    /// The client sent an element of stream management.
    pub(super) fn manage(
        &mut self,
        state: State,
        element: &Element,
        out: &mut Vec<Effect>,
    ) -> Result<State, StreamError> {
        match (state, element.name(), &mut self.numbers) {
            (State::Open(jid), "enable", None) => match enable(element) {
                Some(word) => {
                    out.push(Effect::Word(word));
                    Ok(State::Enabling(jid))
                }
                None => Ok(refuse(State::Open(jid), Condition::BadRequest, out)),
            },
            // §3: at most one attempt.
            (State::Open(..), "enable", Some(_)) => {
                write_failed(None, Condition::UnexpectedRequest, out);
                let why = "stream management is enabled already";
                Err(StreamError::because(StreamCondition::PolicyViolation, why))
            }
            (State::Unbound, "resume", _) => Ok(Self::resume(element, out)),
            (state @ State::Open(..), "r", Some(numbers)) => {
                numbers.take(Short::Asks, out);
                Ok(state)
            }
            (state @ State::Open(..), "a", Some(numbers)) => match h(element) {
                Some(h) => {
                    numbers.take(Short::Has(h), out);
                    Ok(state)
                }
                None => Ok(refuse(state, Condition::BadRequest, out)),
            },
            // §3: before log-in, before bind; acknowledgements of what is not counted; to resume with a resource.
            (state, "enable" | "resume" | "a" | "r", _) => {
                Ok(refuse(state, Condition::UnexpectedRequest, out))
            }
            _ => Err(StreamCondition::UnsupportedStanzaType.into()),
        }
    }

    /// Takes `<r/>` or `<a/>` from the front of what a managed client says, if it stands there in the words that nearly
    /// all clients use: with every few stanzas comes one, and to read it as XML costs half as much as to read a stanza.
    pub(super) fn take_short(&mut self, bytes: &mut &[u8], out: &mut Vec<Effect>) -> bool {
        let (State::Open(_), Some(numbers)) = (&self.state, &mut self.numbers) else { return false };
        let is_between = self.reader.as_ref().is_some_and(Reader::is_between);
        let Some((short, rest)) = short(bytes).filter(|_| is_between) else { return false };
        numbers.take(short, out);
        *bytes = rest;
        true
    }

    /// The session has answered, or time has passed.
    pub(super) fn managed(&mut self, state: State, input: Input<'_>, out: &mut Vec<Effect>) -> State {
        match (state, input) {
            (State::Enabling(jid), Input::Enabled { id, max }) => self.enabled(jid, id, max, out),
            (State::Enabling(jid), Input::NotEnabled(condition)) => refuse(State::Open(jid), condition, out),
            (State::Resuming(id), Input::Resumed(how)) => self.resumed(id, how, out),
            (State::Resuming(_), Input::NotResumed(h)) => {
                // §5: the client may bind a resource now.
                write_failed(h, Condition::ItemNotFound, out);
                State::Unbound
            }
            (state, Input::Timeout(_)) if self.has_unasked() => {
                self.ask(out);
                state
            }
            // Too late.
            (state, _) => state,
        }
    }

    /// The session counts from now on, and so does the stream.
    fn enabled(&mut self, jid: FullJid, id: Option<String>, max: u32, out: &mut Vec<Effect>) -> State {
        let resume = id.is_some().then_some("true");
        let max = id.is_some().then(|| max.to_string());
        let enabled = el("enabled", ns::SM).with_some("resume", resume).with_some("id", id);
        write_element(out, &enabled.with_some("max", max));
        self.numbers = Some(Box::default());
        State::Open(jid)
    }

    /// The client wants to go on with a session that it had before (§5).
    fn resume(element: &Element, out: &mut Vec<Effect>) -> State {
        let Some((previd, h)) = element.attr("previd").zip(h(element)) else {
            return refuse(State::Unbound, Condition::BadRequest, out);
        };
        out.push(Effect::Enter(Ask::Resume { id: previd.to_owned(), h }));
        State::Resuming(previd.to_owned())
    }

    /// The session goes on with this connection.
    fn resumed(&mut self, previd: String, how: Resumption, out: &mut Vec<Effect>) -> State {
        let Resumption { jid, heard, sent, .. } = how;
        let resumed = el("resumed", ns::SM).with("previd", previd).with("h", heard.to_string());
        write_element(out, &resumed);
        self.numbers = Some(Box::new(Numbers { heard, wrote: sent, unasked: 0, acked: sent, told: heard }));
        State::Open(jid)
    }

    /// Whether its session has to count what is said.
    pub fn is_managed(&self) -> bool {
        self.numbers.is_some()
    }

    /// Counts a stanza of the client; its number, if the stream is managed.
    pub(super) fn count(&mut self) -> Option<u32> {
        let numbers = self.numbers.as_mut()?;
        numbers.heard = numbers.heard.wrapping_add(1);
        Some(numbers.heard)
    }

    /// The stream itself answers a stanza. What is counted must pass the session, in both directions.
    pub(super) fn answer(&mut self, answer: Option<Stanza>, jid: &FullJid, out: &mut Vec<Effect>) {
        let answer = answer.map(|answer| answer.with_to(jid.clone()));
        match (self.count(), answer) {
            (Some(number), answer) => out.push(Effect::Word(Word::Answered(number, answer))),
            (None, Some(answer)) => super::steps::write_stanza(out, &answer),
            (None, None) => {}
        }
    }

    /// Asks a managed client what it has, perhaps only to hear whether it is there; whether it is managed.
    pub(super) fn ask(&mut self, out: &mut Vec<Effect>) -> bool {
        let Some(numbers) = &mut self.numbers else { return false };
        numbers.unasked = 0;
        write(out, ASK);
        true
    }

    /// Writes a numbered stanza of the session if it follows the last one, and asks for an acknowledgement now and then.
    pub fn write_counted(&mut self, number: u32, stanza: &Stanza, bytes: &mut Vec<u8>) -> Wrote {
        let Some(numbers) = self.numbers.as_mut() else { return Wrote::NotYet };
        if number != numbers.wrote.wrapping_add(1) {
            return if is_ahead(number, numbers.wrote) { Wrote::NotYet } else { Wrote::Before };
        }
        stanza.write(bytes);
        numbers.wrote = number;
        numbers.unasked += 1;
        if numbers.unasked >= ASK_EVERY {
            numbers.unasked = 0;
            bytes.extend_from_slice(ASK);
        }
        Wrote::Now
    }

    /// Writes how many of the client's stanzas were handled, by its session's word.
    pub fn write_handled(&mut self, h: u32, bytes: &mut Vec<u8>) {
        let Some(numbers) = &mut self.numbers else { return };
        let h = numbers.tell(h);
        drop(write!(bytes, "<a xmlns='{}' h='{h}'/>", ns::SM));
    }

    /// The number of the last stanza that was written, if the stream is managed.
    pub fn wrote(&self) -> Option<u32> {
        self.numbers.as_ref().map(|numbers| numbers.wrote)
    }

    /// Whether stanzas were written for which no acknowledgement was asked yet; see [`super::Timeout::Ack`].
    pub fn has_unasked(&self) -> bool {
        self.numbers.as_ref().is_some_and(|numbers| numbers.unasked > 0)
    }
}

fn enable(element: &Element) -> Option<Word> {
    let resume = match element.attr("resume") {
        None | Some("false" | "0") => false,
        Some("true" | "1") => true,
        Some(_) => return None,
    };
    let max = match element.attr("max").map(str::trim) {
        None => None,
        Some(max) if !max.is_empty() && max.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(max.parse().unwrap_or(u32::MAX))
        }
        Some(_) => return None,
    };
    Some(Word::Enable { resume, max })
}

/// What `<r/>` or `<a/>` at the front of these bytes says, if it is written as nearly all clients do, and what follows it.
fn short(bytes: &[u8]) -> Option<(Short, &[u8])> {
    let (name, rest) = bytes.strip_prefix(b"<")?.split_first()?;
    let single = rest.strip_prefix(b" xmlns='urn:xmpp:sm:3'");
    let rest = single.or_else(|| rest.strip_prefix(b" xmlns=\"urn:xmpp:sm:3\""))?;
    let (short, rest) = match name {
        b'r' => (Short::Asks, rest),
        b'a' => {
            let (quote, rest) = rest.strip_prefix(b" h=")?.split_first()?;
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let h = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
            let rest = rest[digits..].strip_prefix(&[*quote])?;
            (Short::Has(h), Some(rest).filter(|_| matches!(quote, b'\'' | b'"'))?)
        }
        _ => return None,
    };
    let end = rest.strip_prefix(b"/>").or_else(|| rest.strip_prefix(b" />"));
    Some((short, end?))
}

fn h(element: &Element) -> Option<u32> {
    element.attr("h")?.trim().parse().ok()
}

fn refuse(state: State, condition: Condition, out: &mut Vec<Effect>) -> State {
    write_failed(None, condition, out);
    state
}

/// What the client asked for was not done (§6).
fn write_failed(h: Option<u32>, condition: Condition, out: &mut Vec<Effect>) {
    let failed = el("failed", ns::SM).with_some("h", h.map(|h| h.to_string()));
    write_element(out, &failed.child(el(condition.name(), ns::STANZAS)));
}
