//! Stanzas: a parsed head, a few facts that routing asks about, and the children as the bytes they came in.
//!
//! XML is the most expensive thing a chat server does, so a stanza is parsed once, where it enters. Owners route,
//! stamp and store by the head and splice bytes; the tree is built only for a feature that needs it.

pub mod error;
mod facts;

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use bytes::Bytes;
use jid::Jid;
use minidom::Element;
use serde::{Deserialize, Serialize};

pub use error::{Condition, ErrorType, StanzaError};
pub use facts::{Facts, Payload};

use crate::{addresses, ns, xml};

/// A message, presence or IQ. A clone shares it until one of the two is changed, so that it costs next to nothing to keep
/// one, to give it to many, and to pass it on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stanza(Arc<Parts>);

impl Deref for Stanza {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl DerefMut for Stanza {
    fn deref_mut(&mut self) -> &mut Parts {
        Arc::make_mut(&mut self.0)
    }
}

/// What a stanza is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// What it is, with its `type`.
    pub kind: Kind,
    /// Where it goes. Absent: to the sender's own account (RFC 6120 §10.3).
    #[serde(default, deserialize_with = "addresses::optional")]
    pub to: Option<Jid>,
    /// Who sent it. The server sets this (RFC 6120 §8.1.2.1).
    #[serde(default, deserialize_with = "addresses::optional")]
    pub from: Option<Jid>,
    /// Its `id`.
    pub id: Option<Box<str>>,
    /// Its `xml:lang`.
    pub lang: Option<Box<str>>,
    /// Namespace declarations and foreign attributes of the stanza element, as ` name='value'…`, ready to splice.
    pub extra: Option<Box<str>>,
    /// What is inside, in a few bits.
    pub facts: Facts,
    /// The first child of an IQ: what it asks.
    pub payload: Option<Payload>,
    /// The children, serialised; the default namespace around them is `jabber:client`.
    #[serde(with = "text")]
    pub inner: Bytes,
    /// Names the stanza in the logs of every node it passes; set by the socket it came in by, never sent to clients.
    pub trace: Trace,
}

impl Parts {
    /// Those of an empty stanza.
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            to: None,
            from: None,
            id: None,
            lang: None,
            extra: None,
            facts: Facts::empty(),
            payload: None,
            inner: Bytes::new(),
            trace: Trace::default(),
        }
    }
}

impl From<Parts> for Stanza {
    fn from(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

/// Children as text where people may read, and as bytes between nodes.
mod text {
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(bytes) {
            Ok(text) if serializer.is_human_readable() => serializer.serialize_str(text),
            Ok(_) | Err(_) => bytes.serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        match deserializer.is_human_readable() {
            true => String::deserialize(deserializer).map(Bytes::from),
            false => Bytes::deserialize(deserializer),
        }
    }
}

/// A number to follow a stanza by. All are equal: it is no part of what a stanza says.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Trace(pub u64);

impl PartialEq for Trace {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Trace {}

/// The three kinds of stanza, each with its `type` (RFC 6121 §4.7.1, §5.2.2; RFC 6120 §8.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Kind {
    Message(MessageType),
    Presence(PresenceType),
    Iq(IqType),
}

/// RFC 6121 §5.2.2. An unknown type is `Normal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum MessageType {
    Normal,
    Chat,
    Groupchat,
    Headline,
    Error,
}

/// RFC 6121 §4.7.1; `Available` is the absence of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum PresenceType {
    Available,
    Unavailable,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
    Probe,
    Error,
}

/// RFC 6120 §8.2.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum IqType {
    Get,
    Set,
    Result,
    Error,
}

impl Kind {
    /// The element's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Message(_) => "message",
            Self::Presence(_) => "presence",
            Self::Iq(_) => "iq",
        }
    }

    /// The value of the `type` attribute; `None` where it is left out.
    pub fn type_name(self) -> Option<&'static str> {
        Some(match self {
            Self::Message(MessageType::Normal) | Self::Presence(PresenceType::Available) => return None,
            Self::Message(MessageType::Chat) => "chat",
            Self::Message(MessageType::Groupchat) => "groupchat",
            Self::Message(MessageType::Headline) => "headline",
            Self::Presence(PresenceType::Unavailable) => "unavailable",
            Self::Presence(PresenceType::Subscribe) => "subscribe",
            Self::Presence(PresenceType::Subscribed) => "subscribed",
            Self::Presence(PresenceType::Unsubscribe) => "unsubscribe",
            Self::Presence(PresenceType::Unsubscribed) => "unsubscribed",
            Self::Presence(PresenceType::Probe) => "probe",
            Self::Iq(IqType::Get) => "get",
            Self::Iq(IqType::Set) => "set",
            Self::Iq(IqType::Result) => "result",
            Self::Message(MessageType::Error)
            | Self::Presence(PresenceType::Error)
            | Self::Iq(IqType::Error) => "error",
        })
    }

    /// Reads an element's name and `type` attribute.
    ///
    /// # Errors
    /// `None` for the type of an IQ or presence that no RFC knows: answer `bad-request`.
    pub fn parse(name: &str, kind: Option<&str>) -> Option<Self> {
        Some(match (name, kind) {
            ("message", Some("chat")) => Self::Message(MessageType::Chat),
            ("message", Some("groupchat")) => Self::Message(MessageType::Groupchat),
            ("message", Some("headline")) => Self::Message(MessageType::Headline),
            ("message", Some("error")) => Self::Message(MessageType::Error),
            ("message", _) => Self::Message(MessageType::Normal),
            ("presence", None) => Self::Presence(PresenceType::Available),
            ("presence", Some("unavailable")) => Self::Presence(PresenceType::Unavailable),
            ("presence", Some("subscribe")) => Self::Presence(PresenceType::Subscribe),
            ("presence", Some("subscribed")) => Self::Presence(PresenceType::Subscribed),
            ("presence", Some("unsubscribe")) => Self::Presence(PresenceType::Unsubscribe),
            ("presence", Some("unsubscribed")) => Self::Presence(PresenceType::Unsubscribed),
            ("presence", Some("probe")) => Self::Presence(PresenceType::Probe),
            ("presence", Some("error")) => Self::Presence(PresenceType::Error),
            ("iq", Some("get")) => Self::Iq(IqType::Get),
            ("iq", Some("set")) => Self::Iq(IqType::Set),
            ("iq", Some("result")) => Self::Iq(IqType::Result),
            ("iq", Some("error")) => Self::Iq(IqType::Error),
            _ => return None,
        })
    }
}

impl Stanza {
    /// An empty stanza.
    pub fn new(kind: Kind) -> Self {
        Parts::new(kind).into()
    }

    /// An empty presence.
    pub fn presence(kind: PresenceType) -> Self {
        Self::new(Kind::Presence(kind))
    }

    /// An empty message.
    pub fn message(kind: MessageType) -> Self {
        Self::new(Kind::Message(kind))
    }

    /// An IQ with this payload.
    pub fn iq(kind: IqType, id: &str, payload: Option<&Element>) -> Self {
        let iq = Self::new(Kind::Iq(kind)).with_id(id);
        match payload {
            Some(payload) => iq.with(payload),
            None => iq,
        }
    }

    /// What it costs in memory, about.
    pub fn bytes(&self) -> usize {
        const HEAD_BYTES: usize = 256;
        self.inner.len() + HEAD_BYTES
    }

    /// Sets `to`.
    pub fn with_to(mut self, to: impl Into<Jid>) -> Self {
        self.to = Some(to.into());
        self
    }

    /// Sets `from`.
    pub fn with_from(mut self, from: impl Into<Jid>) -> Self {
        self.from = Some(from.into());
        self
    }

    /// Sets `id`.
    pub fn with_id(mut self, id: &str) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Appends a child.
    pub fn with(mut self, child: &Element) -> Self {
        self.push(child);
        self
    }

    /// Appends a child: copies what is there once.
    pub fn push(&mut self, child: &Element) {
        let mut inner = Vec::with_capacity(self.inner.len() + 128);
        inner.extend_from_slice(&self.inner);
        xml::writer::element(child, ns::CLIENT, &mut inner);
        self.inner = inner.into();
        self.note(child);
    }

    /// Replaces all children.
    pub fn set_children<'a>(&mut self, children: impl IntoIterator<Item = &'a Element>) {
        let mut inner = Vec::new();
        (self.facts, self.payload, self.extra) = (Facts::empty(), None, None);
        for child in children {
            xml::writer::element(child, ns::CLIENT, &mut inner);
            self.note(child);
        }
        self.inner = inner.into();
    }

    fn note(&mut self, child: &Element) {
        let child_ns = child.ns();
        self.facts |= Facts::of(child.name(), &child_ns);
        if matches!(self.kind, Kind::Iq(_)) && self.payload.is_none() && child.name() != "error" {
            self.payload = Some(Payload { ns: child_ns.into(), name: child.name().into() });
        }
    }

    /// The children as a tree. Costs a parse.
    pub fn children(&self) -> Vec<Element> {
        self.to_element().children().cloned().collect()
    }

    /// The first child of that name and namespace. Costs a parse.
    pub fn child(&self, name: &str, ns: &str) -> Option<Element> {
        self.to_element().children().find(|child| child.is(name, ns)).cloned()
    }

    /// The text of the first child of that name in `jabber:client`, for example `body`. Costs a parse.
    pub fn child_text(&self, name: &str) -> Option<String> {
        self.child(name, ns::CLIENT).map(|child| child.text())
    }

    /// The whole stanza as a tree in `jabber:client`. Costs a parse.
    pub fn to_element(&self) -> Element {
        let mut bytes = Vec::with_capacity(self.inner.len() + 256);
        self.write_with(self.to.as_ref(), Some(ns::CLIENT), &mut bytes);
        // A stanza was checked when it came in; a bare one is better than a panic should that ever be wrong.
        xml::parse(&bytes).unwrap_or_else(|| Element::bare(self.kind.name(), ns::CLIENT))
    }

    /// Reads a tree in `jabber:client` or `jabber:server`.
    ///
    /// # Errors
    /// The condition to answer with: `jid-malformed` or `bad-request`.
    pub fn from_element(element: &Element) -> Result<Self, StanzaError> {
        let kind = Kind::parse(element.name(), element.attr("type")).ok_or(Condition::BadRequest)?;
        let jid =
            |name: &str| element.attr(name).map(Jid::new).transpose().map_err(|_| Condition::JidMalformed);
        let mut stanza = Self::new(kind);
        stanza.to = jid("to")?;
        stanza.from = jid("from")?;
        stanza.id = element.attr("id").map(Into::into);
        stanza.lang = element.attr_ns(ns::XML, "lang").map(Into::into);
        stanza.set_children(element.children());
        Ok(stanza)
    }

    /// Reads one stanza from text, as the store keeps them.
    ///
    /// # Errors
    /// What is wrong with it, as `bad-request`.
    pub fn parse(text: &[u8]) -> Result<Self, StanzaError> {
        let element = xml::parse(text).ok_or(Condition::BadRequest)?;
        Self::from_element(&element)
    }

    /// The whole stanza as text with its namespace, as the store keeps it.
    pub fn to_xml(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.inner.len() + 256);
        self.write_with(self.to.as_ref(), Some(ns::CLIENT), &mut bytes);
        bytes
    }

    /// Writes it as a child of a client stream.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.write_with(self.to.as_ref(), None, out);
    }

    /// Writes it with another `to`: one stanza for many receivers.
    pub fn write_to(&self, to: Option<&Jid>, out: &mut Vec<u8>) {
        self.write_with(to, None, out);
    }

    fn write_with(&self, to: Option<&Jid>, declare: Option<&str>, out: &mut Vec<u8>) {
        use xml::writer::attribute;
        out.push(b'<');
        out.extend_from_slice(self.kind.name().as_bytes());
        let fields = [
            ("xmlns", declare),
            ("to", to.map(Jid::as_str)),
            ("from", self.from.as_ref().map(Jid::as_str)),
            ("id", self.id.as_deref()),
            ("type", self.kind.type_name()),
            ("xml:lang", self.lang.as_deref()),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                attribute(name, value, out);
            }
        }
        out.extend_from_slice(self.extra.as_deref().unwrap_or_default().as_bytes());
        if self.inner.is_empty() {
            out.extend_from_slice(b"/>");
            return;
        }
        out.push(b'>');
        out.extend_from_slice(&self.inner);
        out.extend_from_slice(b"</");
        out.extend_from_slice(self.kind.name().as_bytes());
        out.push(b'>');
    }

    /// Whether an answer to it would be an answer to an answer (RFC 6120 §8.3.1): errors and IQ results.
    pub fn is_answer(&self) -> bool {
        matches!(
            self.kind,
            Kind::Message(MessageType::Error)
                | Kind::Presence(PresenceType::Error)
                | Kind::Iq(IqType::Result | IqType::Error)
        )
    }

    /// Whether it asks for an answer: an IQ of type get or set.
    pub fn is_request(&self) -> bool {
        matches!(self.kind, Kind::Iq(IqType::Get | IqType::Set))
    }

    /// The result of this request, back to its sender.
    pub fn result(&self, payload: Option<&Element>) -> Self {
        let mut reply = Self::iq(IqType::Result, self.id.as_deref().unwrap_or_default(), payload);
        (reply.to, reply.from) = (self.from.clone(), self.to.clone());
        reply
    }

    /// The error that answers this stanza, back to its sender with what it carried (RFC 6120 §8.3.1); `None` if it
    /// is an answer itself.
    pub fn error(&self, error: impl Into<StanzaError>) -> Option<Self> {
        if self.is_answer() {
            return None;
        }
        let mut reply = self.clone();
        reply.kind = match self.kind {
            Kind::Message(_) => Kind::Message(MessageType::Error),
            Kind::Presence(_) => Kind::Presence(PresenceType::Error),
            Kind::Iq(_) => Kind::Iq(IqType::Error),
        };
        (reply.to, reply.from) = (self.from.clone(), self.to.clone());
        reply.push(&error.into().to_element());
        Some(reply)
    }
}
