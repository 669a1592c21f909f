//! Tokens of XML: where one ends, however its bytes arrive, and what a start tag says.

use memchr::{memchr, memchr2};

use super::chars::{self, is_space, not_well_formed, restricted, too_much};
use crate::stream::StreamError;

/// Bytes `start..end` of what is being read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Span {
    /// The text there. Checks once more that it is UTF-8: what is only compared is better compared as bytes.
    pub(super) fn of(self, bytes: &[u8]) -> &str {
        text(self.raw(bytes))
    }

    /// The bytes there.
    pub(super) fn raw(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start..self.end]
    }

    pub(super) fn is_empty(self) -> bool {
        self.start == self.end
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("bytes of a token are checked when its end is found")
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Start,
    End,
    Text,
    Cdata,
}

/// How far the end of the present token has been looked for: bytes that come one by one are looked at once.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// Nothing before it ends the token.
    seen: usize,
    /// Everything before it is legal characters.
    checked: usize,
    /// The quote that is open in a tag.
    quote: Option<u8>,
}

impl Search {
    /// Finds the token that starts at `at`: what it is and where it ends. `None` if bytes are missing.
    ///
    /// # Errors
    /// It cannot become a token, whatever comes.
    pub(super) fn token(&mut self, bytes: &[u8], at: usize) -> Result<Option<(Kind, usize)>, StreamError> {
        self.seen = self.seen.max(at);
        let found = self.delimit(bytes, at);
        // Checked before what was found is believed, and before waiting for more.
        let end = match found {
            Ok(Some((_, end))) => end,
            Ok(None) => bytes.len(),
            Err(_) => self.seen,
        };
        let from = self.checked.max(at).min(end);
        self.checked = from + chars::check(&bytes[from..end])?;
        if let Ok(Some((_, end))) = found {
            chars::check_complete(end - self.checked)?;
            (self.seen, self.quote) = (end, None);
        }
        found
    }

    fn delimit(&mut self, bytes: &[u8], at: usize) -> Result<Option<(Kind, usize)>, StreamError> {
        const CDATA: &[u8] = b"<![CDATA[";
        let token = &bytes[at..];
        Ok(match token {
            [] | [b'<'] => None,
            [b'<', b'?', ..] => return Err(restricted("processing instruction")),
            [b'<', b'!', ..] if token.starts_with(CDATA) => {
                // The two brackets may have come already.
                let from = (at + CDATA.len()).max(self.seen.saturating_sub(2));
                let end =
                    bytes[from..].windows(3).position(|three| three == b"]]>").map(|found| from + found + 3);
                self.seen = bytes.len();
                end.map(|end| (Kind::Cdata, end))
            }
            [b'<', b'!', ..] if CDATA.starts_with(token) => None,
            [b'<', b'!', b'[', ..] => return Err(not_well_formed("not a CDATA section")),
            [b'<', b'!', ..] => return Err(restricted("comment or document type")),
            [b'<', second, ..] => {
                let kind = if *second == b'/' { Kind::End } else { Kind::Start };
                self.tag_end(bytes, at)?.map(|end| (kind, end))
            }
            _ => {
                let end = memchr(b'<', &bytes[self.seen..]).map(|found| self.seen + found);
                self.seen = bytes.len();
                end.map(|end| (Kind::Text, end))
            }
        })
    }

    fn tag_end(&mut self, bytes: &[u8], at: usize) -> Result<Option<usize>, StreamError> {
        let mut from = self.seen.max(at + 1);
        loop {
            let rest = &bytes[from..];
            let next = match self.quote {
                Some(quote) => memchr2(quote, b'<', rest),
                None => rest.iter().position(|byte| matches!(byte, b'<' | b'>' | b'\'' | b'"')),
            };
            self.seen = next.map_or(bytes.len(), |offset| from + offset);
            let Some(byte) = bytes.get(self.seen) else { return Ok(None) };
            from = self.seen + 1;
            match (byte, self.quote) {
                (b'<', _) => return Err(not_well_formed("< inside a tag")),
                (b'>', _) => return Ok(Some(from)),
                (_, Some(_)) => self.quote = None,
                (quote, None) => self.quote = Some(*quote),
            }
        }
    }
}

/// A name with its prefix, which may be empty.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Name {
    pub(super) prefix: Span,
    pub(super) local: Span,
}

impl Name {
    /// Prefix, colon and local name as they stand.
    pub(super) fn whole(self) -> Span {
        let start = if self.prefix.is_empty() { self.local.start } else { self.prefix.start };
        Span { start, end: self.local.end }
    }
}

/// An attribute as it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attribute {
    pub(super) name: Name,
    /// Between the quotes, not yet normalised.
    pub(super) value: Span,
    /// From the first byte of its name to its closing quote.
    pub(super) whole: Span,
}

/// What a start tag says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag {
    pub(super) name: Name,
    /// Whether it ends with `/>`.
    pub(super) is_empty: bool,
}

/// Reads the start tag at `span`; its attributes replace what is in `attributes`.
///
/// # Errors
/// `not-well-formed`, `restricted-xml` for entities, or `policy-violation` for too many attributes.
pub(super) fn start_tag(
    bytes: &[u8],
    span: Span,
    attributes: &mut Vec<Attribute>,
    attributes_max: usize,
) -> Result<Tag, StreamError> {
    attributes.clear();
    let is_empty = bytes[..span.end].ends_with(b"/>") && span.end - span.start > 2;
    let end = span.end - if is_empty { 2 } else { 1 };
    let name = name(bytes, span.start + 1, end)?;
    let mut at = name.local.end;
    loop {
        let next = skip_space(bytes, at, end);
        if next == end {
            return Ok(Tag { name, is_empty });
        }
        if next == at {
            return Err(not_well_formed("no space before an attribute"));
        }
        if attributes.len() == attributes_max {
            return Err(too_much("too many attributes"));
        }
        let attribute = attribute(bytes, next, end)?;
        at = attribute.whole.end;
        attributes.push(attribute);
    }
}

/// Reads the end tag at `span`: its name as it stands.
///
/// # Errors
/// `not-well-formed`.
pub(super) fn end_tag(bytes: &[u8], span: Span) -> Result<&[u8], StreamError> {
    let name = name(bytes, span.start + 2, span.end - 1)?;
    if skip_space(bytes, name.local.end, span.end - 1) != span.end - 1 {
        return Err(not_well_formed("attributes in an end tag"));
    }
    Ok(name.whole().raw(bytes))
}

/// Reads the attribute that starts at `at`.
///
/// # Errors
/// As [`start_tag`].
pub(super) fn attribute(bytes: &[u8], at: usize, end: usize) -> Result<Attribute, StreamError> {
    let name = name(bytes, at, end)?;
    let equals = skip_space(bytes, name.local.end, end);
    if equals == end || bytes[equals] != b'=' {
        return Err(not_well_formed("an attribute without a value"));
    }
    let open = skip_space(bytes, equals + 1, end);
    let quote = *bytes[..end].get(open).ok_or_else(|| not_well_formed("an attribute without a value"))?;
    if !matches!(quote, b'\'' | b'"') {
        return Err(not_well_formed("an attribute's value without quotes"));
    }
    let start = open + 1;
    let len = memchr(quote, &bytes[start..end]);
    let close = start + len.ok_or_else(|| not_well_formed("a quote that does not close"))?;
    let value = Span { start, end: close };
    if bytes[start..close].contains(&b'&') {
        chars::value(value.of(bytes))?;
    }
    Ok(Attribute { name, value, whole: Span { start: at, end: close + 1 } })
}

fn name(bytes: &[u8], at: usize, end: usize) -> Result<Name, StreamError> {
    let first = name_part(bytes, at, end)?;
    if first.end == end || bytes[first.end] != b':' {
        return Ok(Name { prefix: Span { start: at, end: at }, local: first });
    }
    Ok(Name { prefix: first, local: name_part(bytes, first.end + 1, end)? })
}

/// Which bytes of ASCII a name may have: a look instead of six comparisons, for each byte of each name.
const ASCII_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 0x80 {
        table[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        byte += 1;
    }
    table
};

fn name_part(bytes: &[u8], at: usize, end: usize) -> Result<Span, StreamError> {
    let ascii = bytes[at..end].iter().take_while(|byte| ASCII_NAME[usize::from(**byte)]).count();
    // Nearly every name is ASCII.
    let starts_well = ascii > 0 && !matches!(bytes[at], b'-' | b'.' | b'0'..=b'9');
    let len = match bytes[..end].get(at + ascii) {
        Some(next) if !next.is_ascii() => chars::name_len(text(&bytes[at..end])),
        _ if starts_well => ascii,
        _ => 0,
    };
    if len == 0 { Err(not_well_formed("not a name")) } else { Ok(Span { start: at, end: at + len }) }
}

/// The first byte from `at` on that is not white space.
pub(super) fn skip_space(bytes: &[u8], at: usize, end: usize) -> usize {
    at + bytes[at..end].iter().take_while(|byte| is_space(**byte)).count()
}
