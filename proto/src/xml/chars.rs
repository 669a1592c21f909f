//! Characters of XML 1.0: which are legal, which make names, and what references mean.

use std::borrow::Cow;

use memchr::memchr2;

use crate::stream::{StreamCondition, StreamError};

/// The end of a stream over what is not XML (RFC 6120 §4.9.3.13).
pub(super) fn not_well_formed(text: &'static str) -> StreamError {
    StreamError::because(StreamCondition::NotWellFormed, text)
}

/// The end of a stream over XML that XMPP forbids (RFC 6120 §11.1).
pub(super) fn restricted(text: &'static str) -> StreamError {
    StreamError::because(StreamCondition::RestrictedXml, text)
}

/// The end of a stream over XML that asks too much of us.
pub(super) fn too_much(text: &'static str) -> StreamError {
    StreamError::because(StreamCondition::PolicyViolation, text)
}

/// Checks that bytes are UTF-8 and legal characters, and says how many are; fewer than all only if the last character
/// is not complete.
///
/// # Errors
/// `unsupported-encoding` (RFC 6120 §11.6), or `not-well-formed` for a control character (XML 1.0 §2.2).
pub(super) fn check(bytes: &[u8]) -> Result<usize, StreamError> {
    let is_control = |byte: u8| byte < 0x20 && !is_space(byte);
    // Nearly everything is ASCII and legal, and one pass shows it.
    let is_bad = |bad: bool, byte: &u8| bad | (*byte >= 0x80) | is_control(*byte);
    if !bytes.iter().fold(false, is_bad) {
        return Ok(bytes.len());
    }
    let (legal, is_utf8) = match std::str::from_utf8(bytes) {
        Ok(_) => (bytes.len(), true),
        Err(error) => (error.valid_up_to(), error.error_len().is_none()),
    };
    let bytes = &bytes[..legal];
    if bytes.iter().any(|byte| is_control(*byte)) {
        return Err(not_well_formed("illegal character"));
    }
    // U+FFFE and U+FFFF.
    if bytes.contains(&0xef) && bytes.windows(3).any(|three| matches!(three, [0xef, 0xbf, 0xbe | 0xbf])) {
        return Err(not_well_formed("illegal character"));
    }
    if !is_utf8 {
        return Err(not_utf8());
    }
    Ok(legal)
}

/// Checks that no byte of an incomplete character is left where a token ends.
///
/// # Errors
/// As [`check`].
pub(super) fn check_complete(left: usize) -> Result<(), StreamError> {
    if left == 0 { Ok(()) } else { Err(not_utf8()) }
}

fn not_utf8() -> StreamError {
    StreamError::because(StreamCondition::UnsupportedEncoding, "this is not UTF-8")
}

/// White space of XML 1.0 §2.3.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// `Char` of XML 1.0 §2.2.
pub(super) fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// `NameStartChar` of XML 1.0 §2.3 without the colon.
fn is_name_start(c: char) -> bool {
    matches!(c, 'a'..='z' | 'A'..='Z' | '_'
        | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}' | '\u{370}'..='\u{37d}'
        | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}' | '\u{2c00}'..='\u{2fef}'
        | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}' | '\u{10000}'..='\u{effff}')
}

/// `NameChar` of XML 1.0 §2.3 without the colon.
fn is_name(c: char) -> bool {
    is_name_start(c)
        || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}

/// The length of the `NCName` at the start of `text`; 0 if there is none.
pub(super) fn name_len(text: &str) -> usize {
    let mut chars = text.char_indices();
    match chars.next() {
        Some((_, c)) if is_name_start(c) => {}
        _ => return 0,
    }
    chars.find(|(_, c)| !is_name(*c)).map_or(text.len(), |(at, _)| at)
}

/// Reads the reference at the start of `text`: what it means and its length.
///
/// # Errors
/// `restricted-xml` for an entity that XML does not predefine, `not-well-formed` for anything else.
pub(super) fn reference(text: &str) -> Result<(char, usize), StreamError> {
    let bad = || not_well_formed("not a reference");
    let rest = text.strip_prefix('&').ok_or_else(bad)?;
    if let Some(number) = rest.strip_prefix('#') {
        let digits = number.find(';').filter(|len| *len <= 16).map(|len| &number[..len]).ok_or_else(bad)?;
        let (digits, radix) = digits.strip_prefix('x').map_or((digits, 10), |hex| (hex, 16));
        // `from_str_radix` would take a sign.
        let all_digits = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
        let value = u32::from_str_radix(digits, radix).ok().filter(|_| all_digits);
        let c = value.and_then(char::from_u32).filter(|c| is_char(*c)).ok_or_else(bad)?;
        return Ok((c, 1 + number.find(';').map_or(0, |len| len + 2)));
    }
    let name = &rest[..name_len(rest)];
    if name.is_empty() || !rest[name.len()..].starts_with(';') {
        return Err(bad());
    }
    let c = match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "apos" => '\'',
        "quot" => '"',
        _ => return Err(restricted("undeclared entity")),
    };
    Ok((c, name.len() + 2))
}

/// Checks the references in a text, and that it has no end of a CDATA section (XML 1.0 §2.4).
///
/// # Errors
/// As [`reference()`].
pub(super) fn check_text(text: &str) -> Result<(), StreamError> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(next) = memchr2(b'&', b']', &bytes[at..]) {
        at += next;
        if bytes[at] == b'&' {
            at += reference(&text[at..])?.1;
        } else if bytes[at..].starts_with(b"]]>") {
            return Err(not_well_formed("]]> outside of a CDATA section"));
        } else {
            at += 1;
        }
    }
    Ok(())
}

/// The value of an attribute, normalised (XML 1.0 §3.3.3).
///
/// # Errors
/// As [`reference()`].
pub(super) fn value(raw: &str) -> Result<Cow<'_, str>, StreamError> {
    if !raw.bytes().any(|byte| matches!(byte, b'&' | b'\t' | b'\n' | b'\r')) {
        return Ok(Cow::Borrowed(raw));
    }
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(c) = rest.chars().next() {
        let len = match c {
            '&' => {
                let (c, len) = reference(rest)?;
                value.push(c);
                len
            }
            // A line end is one character before it becomes a space (XML 1.0 §2.11).
            '\r' if rest.starts_with("\r\n") => {
                value.push(' ');
                2
            }
            '\t' | '\n' | '\r' => {
                value.push(' ');
                1
            }
            c => {
                value.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[len..];
    }
    Ok(Cow::Owned(value))
}
