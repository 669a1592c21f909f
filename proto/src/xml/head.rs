//! The head of a stanza, read from its start tag, and its children cut out as bytes that are valid in any stream.

use std::ops::Range;

use bytes::Bytes;
use minidom::Element;
use minidom::rxml::{Namespace, NcName};

use super::chars;
use super::unit::{Outer, Unit};
use super::writer;
use crate::stanza::{Condition, IqType, Kind, Parts, PresenceType, StanzaError};
use crate::stream::{StreamCondition, StreamError};
use crate::{addresses, ns};

/// Copies no larger than this are cheaper than keeping the buffer they came in.
const COPY_BYTES_MAX: usize = 4 * 1024;

/// A stanza without its children.
pub(super) struct Head {
    pub(super) stanza: Parts,
    /// What is wrong with it, if it can be answered.
    pub(super) error: Option<StanzaError>,
    pub(super) inner: Inner,
}

/// The children of a stanza.
pub(super) enum Inner {
    /// As they came.
    At(Range<usize>),
    /// With the namespace that they relied on.
    Declared(Vec<u8>),
}

impl Inner {
    /// The children's bytes: cut out of `buffer`, where the stanza lies, or of `whole` if it did not need a buffer.
    pub(super) fn into_bytes(self, buffer: Vec<u8>, whole: &[u8]) -> Bytes {
        match self {
            Self::At(range) if buffer.is_empty() => Bytes::copy_from_slice(&whole[range]),
            Self::At(range) if range.len() <= COPY_BYTES_MAX => Bytes::copy_from_slice(&buffer[range]),
            Self::At(range) => Bytes::from(buffer).slice(range),
            Self::Declared(bytes) => bytes.into(),
        }
    }
}

impl Head {
    /// Reads the start tag of a complete element; `None` if it is not a stanza.
    ///
    /// # Errors
    /// `invalid-from`: a sender that is no JID is nobody's.
    pub(super) fn read(unit: &mut Unit, bytes: &[u8], outer: &Outer) -> Result<Option<Self>, StreamError> {
        let name = unit.local(bytes);
        if !unit.root.is_client || !matches!(name, "message" | "presence" | "iq") {
            return Ok(None);
        }
        let mut stanza = Parts::new(Kind::Iq(IqType::Get));
        let mut error = None;
        let mut kind = None;
        let mut extra = String::new();
        for attribute in &unit.root.attributes {
            let value = chars::value(attribute.value.of(bytes))?;
            match attribute.name.whole().raw(bytes) {
                b"to" => match addresses::jid(&value) {
                    Ok(jid) => stanza.to = Some(jid),
                    Err(_) => error = Some(Condition::JidMalformed),
                },
                b"from" => {
                    let jid = addresses::jid(&value);
                    stanza.from = Some(jid.map_err(|_| StreamError::from(StreamCondition::InvalidFrom))?);
                }
                b"id" => stanza.id = Some(value.into()),
                b"type" => kind = Some(value),
                b"xml:lang" => stanza.lang = Some(value.into()),
                b"xmlns" => {}
                _ => {
                    extra.push(' ');
                    extra.push_str(attribute.whole.of(bytes));
                }
            }
        }
        let (known, fallback) = (Kind::parse(name, kind.as_deref()), fallback(name));
        stanza.kind = known.unwrap_or(fallback);
        (stanza.facts, stanza.payload) = (unit.facts, unit.payload.take());
        stanza.extra = borrow(extra, unit.borrowed, outer);
        let is_request = matches!(stanza.kind, Kind::Iq(IqType::Get | IqType::Set));
        // RFC 6120 §8.2.3.
        let is_bad = known.is_none() || is_request && (stanza.id.is_none() || unit.children != 1);
        let error = error.or(is_bad.then_some(Condition::BadRequest)).map(StanzaError::from);
        Ok(Some(Self { stanza, error, inner: inner(unit, bytes) }))
    }
}

/// An element with nothing but text inside, and nothing in it that means something else than it is: what SASL and stream
/// management say. `None` if it must be read as a tree.
pub(super) fn plain(unit: &Unit, bytes: &[u8]) -> Option<Element> {
    let text = bytes.get(unit.root.content..unit.content_end).unwrap_or_default();
    if unit.elements != 1 || text.iter().any(|byte| matches!(byte, b'&' | b'<' | b'\r')) {
        return None;
    }
    let ns = unit.root.ns.as_deref().unwrap_or(ns::CLIENT);
    let mut element = Element::bare(unit.local(bytes), ns);
    for attribute in &unit.root.attributes {
        match attribute.name.prefix.raw(bytes) {
            b"" if attribute.name.local.raw(bytes) == b"xmlns" => {}
            b"" => {
                let name = NcName::try_from(attribute.name.local.of(bytes)).ok()?;
                let value = chars::value(attribute.value.of(bytes)).ok()?.into_owned();
                element.attrs_mut().insert(Namespace::NONE, name, value);
            }
            b"xmlns" => {}
            _ => return None,
        }
    }
    if !text.is_empty() {
        element.append_text_node(std::str::from_utf8(text).ok()?);
    }
    Some(element)
}

/// What an element of unknown type is, so that it can be answered.
fn fallback(name: &str) -> Kind {
    match name {
        "presence" => Kind::Presence(PresenceType::Available),
        _ => Kind::Iq(IqType::Get),
    }
}

/// Adds the declarations of the stream header that the stanza uses.
fn borrow(mut extra: String, borrowed: u64, outer: &Outer) -> Option<Box<str>> {
    if borrowed != 0 {
        let mut declarations = Vec::new();
        for (index, (prefix, uri)) in outer.iter().enumerate() {
            if borrowed & (1 << index) != 0 {
                writer::attribute(&format!("xmlns:{prefix}"), uri, &mut declarations);
            }
        }
        extra.push_str(&String::from_utf8_lossy(&declarations));
    }
    if extra.is_empty() { None } else { Some(extra.into()) }
}

fn inner(unit: &Unit, bytes: &[u8]) -> Inner {
    let range = unit.root.content..unit.content_end;
    let Some(default) = unit.root.default.as_ref().filter(|_| !unit.undeclared.is_empty()) else {
        return Inner::At(range);
    };
    let mut inner = Vec::with_capacity(range.len() + 64);
    let mut at = range.start;
    for end_of_name in &unit.undeclared {
        inner.extend_from_slice(&bytes[at..*end_of_name]);
        writer::attribute("xmlns", default, &mut inner);
        at = *end_of_name;
    }
    inner.extend_from_slice(&bytes[at..range.end]);
    Inner::Declared(inner)
}
