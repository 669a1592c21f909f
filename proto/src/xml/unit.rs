//! One child of the stream while its bytes arrive: well-formedness, namespaces, limits, and where its parts are.

use std::borrow::Cow;

use super::chars::{self, not_well_formed, too_much};
use super::token::{self, Attribute, Kind, Name, Search, Span, Tag};
use crate::ns;
use crate::stanza::{Facts, Payload};
use crate::stream::{StreamCondition, StreamError};

/// Namespace declarations in scope at once, over all depths.
const SCOPES_MAX: usize = 256;
/// Children of a stanza that rely on a default namespace which is not `jabber:client`.
const UNDECLARED_MAX: usize = 256;
const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// What one child of the stream may cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) bytes_max: usize,
    pub(super) depth_max: u32,
    pub(super) attributes_max: u32,
}

/// The prefixes that the stream header declared, the empty one for the default namespace.
pub(super) type Outer = Vec<(Box<str>, Box<str>)>;

/// One child of the stream, positions relative to its first byte.
#[derive(Debug, Default)]
pub(super) struct Unit {
    at: usize,
    search: Search,
    open: Vec<Open>,
    scopes: Vec<Scope>,
    attributes: Vec<Attribute>,
    /// The element itself.
    pub(super) root: Root,
    /// Prefixes of the stream header that are used inside: bits in its order.
    pub(super) borrowed: u64,
    /// What its children say.
    pub(super) facts: Facts,
    /// The first child of an IQ that is no error.
    pub(super) payload: Option<Payload>,
    /// How many children it has.
    pub(super) children: usize,
    /// How many elements it has in all.
    pub(super) elements: usize,
    /// Where `jabber:client` is not the default namespace around the children: the ends of the names of those that
    /// rely on the default.
    pub(super) undeclared: Vec<usize>,
    /// Where its content ends.
    pub(super) content_end: usize,
}

#[derive(Debug)]
struct Open {
    name: Span,
    scopes: usize,
}

#[derive(Debug)]
struct Scope {
    prefix: Span,
    uri: Uri,
}

#[derive(Debug)]
enum Uri {
    Raw(Span),
    Decoded(Box<str>),
}

/// The element itself.
#[derive(Debug, Default)]
pub(super) struct Root {
    pub(super) name: Name,
    pub(super) attributes: Vec<Attribute>,
    /// Whether it is in `jabber:client`.
    pub(super) is_client: bool,
    /// Its namespace, if it is another one.
    pub(super) ns: Option<Box<str>>,
    /// The default namespace of its children, unless it is `jabber:client`.
    pub(super) default: Option<Box<str>>,
    /// Where its content starts.
    pub(super) content: usize,
    /// Of a stream header: whether it ends with its start tag.
    pub(super) is_empty: bool,
}

impl Unit {
    /// Makes it ready for the next child of a stream.
    pub(super) fn reset(&mut self) {
        let (open, scopes) = (std::mem::take(&mut self.open), std::mem::take(&mut self.scopes));
        let (own, of_root) =
            (std::mem::take(&mut self.attributes), std::mem::take(&mut self.root.attributes));
        let root = Root { attributes: emptied(of_root), ..Root::default() };
        let (open, scopes, attributes) = (emptied(open), emptied(scopes), emptied(own));
        *self = Self { open, scopes, attributes, root, ..Self::default() };
    }

    /// Reads on and says where it ends, once it does. `bytes` start with its first byte, which is `<`.
    ///
    /// # Errors
    /// It is not XML, or XML that XMPP or our limits forbid.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        outer: &Outer,
        bounds: &Bounds,
    ) -> Result<Option<usize>, StreamError> {
        while let Some((kind, end)) = self.search.token(bytes, self.at)? {
            let span = Span { start: self.at, end };
            self.at = end;
            if self.open.is_empty() && kind != Kind::Start {
                return Err(StreamError::because(StreamCondition::BadFormat, "text between stanzas"));
            }
            match kind {
                Kind::Start => {
                    let tag = self.start(bytes, span, outer, bounds)?;
                    if tag.is_empty {
                        self.content_end = end;
                        self.close();
                    }
                }
                Kind::End => {
                    let name = token::end_tag(bytes, span)?;
                    if self.open.last().is_none_or(|open| open.name.raw(bytes) != name) {
                        return Err(not_well_formed("an end tag without its start tag"));
                    }
                    self.content_end = span.start;
                    self.close();
                }
                Kind::Text => chars::check_text(span.of(bytes))?,
                Kind::Cdata => {}
            }
            if self.open.is_empty() {
                return Ok(Some(end));
            }
        }
        Ok(None)
    }

    /// Reads only its start tag, as of the stream header, and says where that ends.
    ///
    /// # Errors
    /// As [`Unit::read`].
    pub(super) fn read_header(
        &mut self,
        bytes: &[u8],
        bounds: &Bounds,
    ) -> Result<Option<usize>, StreamError> {
        let Some((kind, end)) = self.search.token(bytes, 0)? else { return Ok(None) };
        if kind != Kind::Start {
            return Err(not_well_formed("this is not a stream"));
        }
        let tag = self.start(bytes, Span { start: 0, end }, &Outer::new(), bounds)?;
        self.root.is_empty = tag.is_empty;
        Ok(Some(end))
    }

    /// The name in the start tag, without its prefix.
    pub(super) fn local<'a>(&self, bytes: &'a [u8]) -> &'a str {
        self.root.name.local.of(bytes)
    }

    /// Finds the end of an end tag, as of the stream, and reads its name.
    ///
    /// # Errors
    /// As [`Unit::read`].
    pub(super) fn read_footer<'a>(
        &mut self,
        bytes: &'a [u8],
    ) -> Result<Option<(usize, &'a [u8])>, StreamError> {
        let Some((_, end)) = self.search.token(bytes, 0)? else { return Ok(None) };
        Ok(Some((end, token::end_tag(bytes, Span { start: 0, end })?)))
    }

    fn close(&mut self) {
        if let Some(open) = self.open.pop() {
            self.scopes.truncate(open.scopes);
        }
    }

    fn start(
        &mut self,
        bytes: &[u8],
        span: Span,
        outer: &Outer,
        bounds: &Bounds,
    ) -> Result<Tag, StreamError> {
        if self.open.len() == bounds.depth_max as usize {
            return Err(too_much("elements are nested too deeply"));
        }
        let mut attributes = std::mem::take(&mut self.attributes);
        let tag = token::start_tag(bytes, span, &mut attributes, bounds.attributes_max as usize)?;
        self.open.push(Open { name: tag.name.whole(), scopes: self.scopes.len() });
        self.elements += 1;
        for attribute in &attributes {
            self.declare(bytes, attribute)?;
        }
        self.check_attributes(bytes, &attributes, outer)?;
        let name = self.resolve(bytes, outer, tag.name.prefix);
        let (ns, used) = name.ok_or_else(|| not_well_formed("a prefix that is not declared"))?;
        let is_client = ns == ns::CLIENT;
        let other = (self.open.len() == 1 && !is_client).then(|| ns.into());
        let mut facts = Facts::empty();
        let mut payload = None;
        if self.open.len() == 2 {
            let local = tag.name.local.of(bytes);
            facts = Facts::of(local, ns);
            let wants =
                self.payload.is_none() && facts != Facts::ERROR && self.root.name.local.raw(bytes) == b"iq";
            payload = wants.then(|| Payload { ns: ns.into(), name: local.into() });
        }
        self.borrowed |= used;
        match self.open.len() {
            1 => {
                let default = self.resolve(bytes, outer, Span::default()).map_or("", |(uri, _)| uri);
                let default = (default != ns::CLIENT).then(|| default.into());
                std::mem::swap(&mut self.root.attributes, &mut attributes);
                (self.root.name, self.root.content) = (tag.name, span.end);
                (self.root.is_client, self.root.ns, self.root.default) = (is_client, other, default);
            }
            2 => {
                self.facts |= facts;
                self.children += 1;
                self.payload = self.payload.take().or(payload);
                let has_default =
                    attributes.iter().any(|attribute| attribute.name.whole().raw(bytes) == b"xmlns");
                if self.root.default.is_some() && tag.name.prefix.is_empty() && !has_default {
                    if self.undeclared.len() == UNDECLARED_MAX {
                        return Err(too_much("too many children in a namespace from outside"));
                    }
                    self.undeclared.push(tag.name.local.end);
                }
            }
            _ => {}
        }
        self.attributes = attributes;
        Ok(tag)
    }

    /// Notes a namespace declaration, if the attribute is one (Namespaces in XML 1.0 §3).
    fn declare(&mut self, bytes: &[u8], attribute: &Attribute) -> Result<(), StreamError> {
        let is_default = attribute.name.prefix.is_empty() && attribute.name.local.raw(bytes) == b"xmlns";
        let is_prefix = attribute.name.prefix.raw(bytes) == b"xmlns";
        if !is_default && !is_prefix {
            return Ok(());
        }
        if self.scopes.len() == SCOPES_MAX {
            return Err(too_much("too many namespace declarations"));
        }
        let uri = chars::value(attribute.value.of(bytes))?;
        let prefix = if is_prefix { attribute.name.local } else { Span::default() };
        let legal = match (prefix.raw(bytes), &*uri) {
            (b"xml", uri) => uri == ns::XML,
            (b"xmlns", _) | (_, ns::XML | XMLNS) => false,
            (prefix, uri) => prefix.is_empty() || !uri.is_empty(),
        };
        if !legal {
            return Err(not_well_formed("a namespace declaration that is reserved or empty"));
        }
        let uri = match uri {
            Cow::Borrowed(_) => Uri::Raw(attribute.value),
            Cow::Owned(uri) => Uri::Decoded(uri.into()),
        };
        self.scopes.push(Scope { prefix, uri });
        Ok(())
    }

    /// Names are unique, also after their prefixes are resolved (Namespaces in XML 1.0 §6.3).
    fn check_attributes(
        &mut self,
        bytes: &[u8],
        attributes: &[Attribute],
        outer: &Outer,
    ) -> Result<(), StreamError> {
        let mut borrowed = 0;
        for (index, attribute) in attributes.iter().enumerate() {
            let Name { prefix, local } = attribute.name;
            let ns = match prefix.raw(bytes) {
                b"" => "",
                b"xmlns" => XMLNS,
                _ => {
                    let found = self.resolve(bytes, outer, prefix);
                    let (uri, used) =
                        found.ok_or_else(|| not_well_formed("a prefix that is not declared"))?;
                    borrowed |= used;
                    uri
                }
            };
            let is_same = |other: &Attribute| {
                other.name.local.raw(bytes) == local.raw(bytes)
                    && match other.name.prefix.raw(bytes) {
                        b"" => ns.is_empty(),
                        b"xmlns" => ns == XMLNS,
                        _ => self.resolve(bytes, outer, other.name.prefix).is_some_and(|(uri, _)| uri == ns),
                    }
            };
            if attributes[..index].iter().any(is_same) {
                return Err(not_well_formed("an attribute twice"));
            }
        }
        self.borrowed |= borrowed;
        Ok(())
    }

    /// What a prefix means here, and the bit of the stream header's declaration if that is where it comes from.
    fn resolve<'a>(&'a self, bytes: &'a [u8], outer: &'a Outer, prefix: Span) -> Option<(&'a str, u64)> {
        let prefix = prefix.raw(bytes);
        // An empty box points nowhere, and to compare what is there is some hundred times slower than anything else.
        let is_it = |declared: &[u8]| match prefix {
            [] => declared.is_empty(),
            prefix => declared == prefix,
        };
        if let Some(scope) = self.scopes.iter().rev().find(|scope| is_it(scope.prefix.raw(bytes))) {
            let uri = match &scope.uri {
                Uri::Raw(span) => span.of(bytes),
                Uri::Decoded(uri) => uri,
            };
            return Some((uri, 0));
        }
        if let Some(index) = outer.iter().position(|(declared, _)| is_it(declared.as_bytes())) {
            let bit = if prefix.is_empty() { 0 } else { 1_u64.checked_shl(index as u32).unwrap_or_default() };
            return Some((&outer[index].1, bit));
        }
        match prefix {
            b"" => Some(("", 0)),
            b"xml" => Some((ns::XML, 0)),
            _ => None,
        }
    }

    /// The namespaces that are declared, as the stream header declares them.
    pub(super) fn declared(&self, bytes: &[u8]) -> Outer {
        let uri = |scope: &Scope| match &scope.uri {
            Uri::Raw(span) => span.of(bytes).into(),
            Uri::Decoded(uri) => uri.clone(),
        };
        self.scopes.iter().map(|scope| (scope.prefix.of(bytes).into(), uri(scope))).collect()
    }
}

/// The vector, ready for use again; memory that only a large element needs is given back.
fn emptied<T>(mut vector: Vec<T>) -> Vec<T> {
    const KEPT: usize = 8;
    vector.clear();
    vector.shrink_to(KEPT);
    vector
}
