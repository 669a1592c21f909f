//! A strict streaming reader of client streams (RFC 6120 §11): bytes in, headers, stanzas and other elements out.
//!
//! Bytes are looked at once. A stanza that arrives whole is never copied but for its children, which stay the bytes they
//! were; what is kept of an incomplete one is bounded by the limits.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use minidom::Element;

use super::chars::{self, is_space, not_well_formed, restricted, too_much};
use super::head;
use super::token;
use super::unit::{Bounds, Outer, Unit};
use crate::options::Limits;
use crate::stanza::{Stanza, StanzaError};
use crate::stream::{StreamCondition, StreamError};
use crate::xml;

/// Largest stream header, and largest element that is not a stanza, in bytes.
pub const NONZA_BYTES_MAX: usize = 16 * 1024;
/// Most elements in an element that is not a stanza: a tree is some hundred times larger than its text.
const NONZA_ELEMENTS_MAX: usize = 256;
/// Longest XML declaration, in bytes.
const DECLARATION_BYTES_MAX: usize = 256;

/// What a client sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// It opened the stream.
    Header(Header),
    /// A message, presence or IQ.
    Stanza(Stanza),
    /// A message, presence or IQ that can only be answered: it lacks what is wrong with it.
    Bad(Stanza, StanzaError),
    /// Another element.
    Nonza(Element),
    /// It closed the stream.
    End,
}

/// A stream header (RFC 6120 §4.7), not yet judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The local name of the element: `stream`.
    pub name: String,
    /// Its namespace: [`crate::ns::STREAM`].
    pub ns: String,
    /// The content namespace: [`crate::ns::CLIENT`].
    pub content: String,
    /// Whom the client wants to talk to.
    pub to: Option<String>,
    /// Who the client says it is.
    pub from: Option<String>,
    /// The version of XMPP.
    pub version: Option<String>,
    /// The default language of what the client writes.
    pub lang: Option<String>,
    /// Whether the element ends with its start tag, so that nothing can follow.
    pub is_empty: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing but white space has come.
    Start,
    /// The XML declaration has come.
    Declared,
    /// The stream is open.
    Open,
    /// It is closed, or broken.
    Over,
}

thread_local! {
    /// What a child of the stream is read with, lent to whichever reader is at one: between them a connection holds none.
    static SPARE: Cell<Option<Box<Unit>>> = const { Cell::new(None) };
    /// The last start tag of a stream: most clients say the same, and share it.
    static LAST_TAG: RefCell<Arc<StreamTag>> = RefCell::default();
}

/// What the start tag of a stream says that whatever follows relies on.
#[derive(Debug, Default, PartialEq)]
struct StreamTag {
    /// The element's name with its prefix.
    name: Box<str>,
    outer: Outer,
}

/// Reads one stream.
#[derive(Debug)]
pub struct Reader {
    state: State,
    bounds: Bounds,
    /// The present child of the stream, if it did not come whole.
    buffer: Vec<u8>,
    /// How far that was read.
    unit: Option<Box<Unit>>,
    tag: Arc<StreamTag>,
}

impl Reader {
    /// A reader of a new stream.
    pub fn new(limits: &Limits) -> Self {
        let bounds = Bounds {
            bytes_max: limits.stanza_bytes_max,
            depth_max: u32::try_from(limits.depth_max).unwrap_or(u32::MAX),
            attributes_max: u32::try_from(limits.attributes_max).unwrap_or(u32::MAX),
        };
        Self { state: State::Start, bounds, buffer: Vec::new(), unit: None, tag: Arc::default() }
    }

    /// Changes how large one child of the stream may be: less before log-in.
    pub fn set_bytes_max(&mut self, bytes_max: usize) {
        self.bounds.bytes_max = bytes_max;
    }

    /// Whether the stream is open and nothing of its next child has come.
    pub fn is_between(&self) -> bool {
        self.state == State::Open && self.buffer.is_empty()
    }

    /// Takes bytes from the front of `input` until something is complete; `None` when all are taken.
    ///
    /// # Errors
    /// The stream cannot go on. Everything after that is ignored.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Event>, StreamError> {
        let mut unit = self.unit.take().or_else(|| SPARE.take()).unwrap_or_default();
        let result = self.advance(&mut unit, input);
        if matches!(result, Err(_) | Ok(Some(Event::End))) {
            self.state = State::Over;
            self.buffer = Vec::new();
            unit.reset();
            *input = &[];
        }
        if self.buffer.is_empty() {
            SPARE.set(Some(unit));
        } else {
            self.unit = Some(unit);
        }
        result
    }

    fn advance(&mut self, unit: &mut Unit, input: &mut &[u8]) -> Result<Option<Event>, StreamError> {
        loop {
            if self.state == State::Over {
                *input = &[];
                return Ok(None);
            }
            if self.buffer.is_empty() {
                // White space between stanzas keeps the connection alive (RFC 6120 §4.6.1) and is not kept.
                let space = input.iter().take_while(|byte| is_space(**byte)).count();
                *input = &input[space..];
                if input.is_empty() {
                    return Ok(None);
                }
            }
            let before = self.buffer.len();
            let bounds = self.bounds();
            let most = (bounds.bytes_max + 1).saturating_sub(before);
            let new = &input[..most.min(input.len())];
            if before > 0 {
                self.grow(new);
            }
            let bytes = if before > 0 { &self.buffer } else { new };
            let Some((end, found)) = complete(self.state, unit, bytes, &bounds, &self.tag)? else {
                if bytes.len() > bounds.bytes_max {
                    return Err(too_much("larger than a stanza may be"));
                }
                if before == 0 {
                    self.grow(new);
                }
                *input = &input[new.len()..];
                return Ok(None);
            };
            if end > bounds.bytes_max {
                return Err(too_much("larger than a stanza may be"));
            }
            let event = self.finish(found, unit, end, new)?;
            *input = &input[end - before..];
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    fn bounds(&self) -> Bounds {
        let bytes_max = match self.state {
            State::Start | State::Declared => self.bounds.bytes_max.min(NONZA_BYTES_MAX),
            State::Open | State::Over => self.bounds.bytes_max,
        };
        Bounds { bytes_max, ..self.bounds }
    }

    /// Keeps bytes. The buffer doubles, but never past the limit.
    fn grow(&mut self, new: &[u8]) {
        let len = self.buffer.len();
        if self.buffer.capacity() - len < new.len() {
            let double = len.min((self.bounds.bytes_max + 1).saturating_sub(len));
            self.buffer.reserve_exact(new.len().max(double));
        }
        self.buffer.extend_from_slice(new);
    }

    /// Turns what is complete into an event and gets ready for the next.
    fn finish(
        &mut self,
        found: Found,
        unit: &mut Unit,
        end: usize,
        new: &[u8],
    ) -> Result<Option<Event>, StreamError> {
        let buffer = std::mem::take(&mut self.buffer);
        let bytes = if buffer.is_empty() { &new[..end] } else { &buffer[..end] };
        let event = match found {
            Found::Declaration => {
                self.state = State::Declared;
                None
            }
            Found::Header => {
                self.state = State::Open;
                Some(Event::Header(self.header(unit, bytes)?))
            }
            Found::Footer => Some(Event::End),
            Found::Child => match head::Head::read(unit, bytes, &self.tag.outer)? {
                Some(head) => {
                    let head::Head { mut stanza, error, inner } = head;
                    stanza.inner = inner.into_bytes(buffer, new);
                    Some(match error {
                        None => Event::Stanza(stanza.into()),
                        Some(error) => Event::Bad(stanza.into(), error),
                    })
                }
                None => Some(Event::Nonza(self.nonza(unit, bytes)?)),
            },
        };
        unit.reset();
        Ok(event)
    }

    fn header(&mut self, unit: &Unit, bytes: &[u8]) -> Result<Header, StreamError> {
        let root = &unit.root;
        let tag = StreamTag { name: root.name.whole().of(bytes).into(), outer: unit.declared(bytes) };
        self.tag = LAST_TAG.with_borrow_mut(|last| {
            if **last != tag {
                *last = Arc::new(tag);
            }
            last.clone()
        });
        let uri = |prefix: &str| self.tag.outer.iter().find(|(declared, _)| **declared == *prefix);
        let uri = |prefix: &str| uri(prefix).map(|(_, uri)| uri.to_string()).unwrap_or_default();
        let mut header = Header {
            name: unit.local(bytes).to_owned(),
            ns: uri(root.name.prefix.of(bytes)),
            content: uri(""),
            is_empty: root.is_empty,
            ..Header::default()
        };
        for attribute in &root.attributes {
            let field = match attribute.name.whole().of(bytes) {
                "to" => &mut header.to,
                "from" => &mut header.from,
                "version" => &mut header.version,
                "xml:lang" => &mut header.lang,
                _ => continue,
            };
            *field = Some(chars::value(attribute.value.of(bytes))?.into_owned());
        }
        Ok(header)
    }

    fn nonza(&self, unit: &Unit, bytes: &[u8]) -> Result<Element, StreamError> {
        if bytes.len() > NONZA_BYTES_MAX || unit.elements > NONZA_ELEMENTS_MAX {
            return Err(too_much("larger than an element may be that is not a stanza"));
        }
        if let Some(element) = head::plain(unit, bytes) {
            return Ok(element);
        }
        let mut whole = Vec::with_capacity(bytes.len() + 256);
        whole.extend_from_slice(b"<stream");
        for (prefix, uri) in &self.tag.outer {
            let name = if prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{prefix}") };
            xml::writer::attribute(&name, uri, &mut whole);
        }
        whole.push(b'>');
        whole.extend_from_slice(bytes);
        whole.extend_from_slice(b"</stream>");
        let element = xml::parse(&whole).and_then(|mut stream| stream.take_nodes().pop()?.into_element());
        element.ok_or_else(|| StreamError::because(StreamCondition::BadFormat, "this cannot be read"))
    }
}

/// What is complete.
enum Found {
    Declaration,
    Header,
    Footer,
    Child,
}

/// Reads on at a child of the stream, or at its header or end, and says what it is and where it ends.
fn complete(
    state: State,
    unit: &mut Unit,
    bytes: &[u8],
    bounds: &Bounds,
    tag: &StreamTag,
) -> Result<Option<(usize, Found)>, StreamError> {
    if bytes[0] != b'<' {
        chars::check(&bytes[..1])?;
        return Err(match state {
            State::Start | State::Declared => not_well_formed("this is not XML"),
            State::Open | State::Over => {
                StreamError::because(StreamCondition::BadFormat, "text between stanzas")
            }
        });
    }
    let Some(second) = bytes.get(1) else { return Ok(None) };
    Ok(match (state, second) {
        (State::Start, b'?') => declaration(bytes)?.map(|end| (end, Found::Declaration)),
        (State::Start | State::Declared, b'/') => return Err(not_well_formed("this is not a stream")),
        (State::Start | State::Declared, _) => {
            unit.read_header(bytes, bounds)?.map(|end| (end, Found::Header))
        }
        (State::Open | State::Over, b'/') => match unit.read_footer(bytes)? {
            Some((end, closed)) if closed == tag.name.as_bytes() => Some((end, Found::Footer)),
            Some(_) => return Err(not_well_formed("the end of another element than the stream")),
            None => None,
        },
        (State::Open | State::Over, _) => {
            unit.read(bytes, &tag.outer, bounds)?.map(|end| (end, Found::Child))
        }
    })
}

/// Checks the XML declaration (XML 1.0 §2.8) and says where it ends, once it does.
fn declaration(bytes: &[u8]) -> Result<Option<usize>, StreamError> {
    const OPEN: &[u8] = b"<?xml";
    let start = &bytes[..bytes.len().min(OPEN.len())];
    if !OPEN.starts_with(start) || bytes.get(OPEN.len()).is_some_and(|byte| !is_space(*byte)) {
        return Err(restricted("processing instruction"));
    }
    let bytes = &bytes[..bytes.len().min(DECLARATION_BYTES_MAX)];
    let Some(end) = bytes.windows(2).position(|two| two == b"?>") else {
        chars::check(bytes)?;
        return match bytes.len() {
            DECLARATION_BYTES_MAX => Err(too_much("a long XML declaration")),
            _ => Ok(None),
        };
    };
    chars::check_complete(end - chars::check(&bytes[..end])?)?;
    let mut at = OPEN.len();
    for (name, required) in [("version", true), ("encoding", false), ("standalone", false)] {
        let next = token::skip_space(bytes, at, end);
        let is_here = bytes[next..end].starts_with(name.as_bytes()) && next > at;
        if !is_here && !required {
            continue;
        }
        let attribute = token::attribute(bytes, next, end)?;
        let value = attribute.value.of(bytes);
        match attribute.name.whole().of(bytes) {
            other if other != name => return Err(not_well_formed("not an XML declaration")),
            "version" if value == "1.0" => {}
            "encoding" if value.eq_ignore_ascii_case("utf-8") => {}
            "encoding" => return Err(StreamCondition::UnsupportedEncoding.into()),
            "standalone" if matches!(value, "yes" | "no") => {}
            _ => return Err(not_well_formed("not an XML declaration of version 1.0")),
        }
        at = attribute.whole.end;
    }
    if token::skip_space(bytes, at, end) != end {
        return Err(not_well_formed("not an XML declaration"));
    }
    Ok(Some(end + 2))
}
