//! Writes elements and escaped text. Output never needs a prefix but `xml`, so it can be spliced anywhere.

use minidom::rxml::Namespace;
use minidom::{Element, Node};

/// Writes `element` as a child of something whose default namespace is `inherited`.
pub fn element(element: &Element, inherited: &str, out: &mut Vec<u8>) {
    let ns = element.ns();
    out.push(b'<');
    out.extend_from_slice(element.name().as_bytes());
    if ns != inherited {
        attribute("xmlns", &ns, out);
    }
    for (count, ((attr_ns, name), value)) in element.attrs().iter().enumerate() {
        if *attr_ns == Namespace::NONE {
            attribute(name.as_str(), value, out);
        } else if attr_ns.as_str() == crate::ns::XML {
            attribute(&format!("xml:{name}"), value, out);
        } else {
            attribute(&format!("xmlns:a{count}"), attr_ns.as_str(), out);
            attribute(&format!("a{count}:{name}"), value, out);
        }
    }
    if element.nodes().next().is_none() {
        out.extend_from_slice(b"/>");
        return;
    }
    out.push(b'>');
    for node in element.nodes() {
        match node {
            Node::Element(child) => self::element(child, &ns, out),
            Node::Text(text) => self::text(text, out),
        }
    }
    out.extend_from_slice(b"</");
    out.extend_from_slice(element.name().as_bytes());
    out.push(b'>');
}

/// Writes ` name='value'`, the value escaped.
pub fn attribute(name: &str, value: &str, out: &mut Vec<u8>) {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"='");
    escaped(value, in_attribute, out);
    out.push(b'\'');
}

/// Writes text, escaped so that it is safe between tags.
pub fn text(text: &str, out: &mut Vec<u8>) {
    escaped(text, in_text, out);
}

/// U+FFFD, for what XML cannot say at all (XML 1.0 §2.2).
const NO_CHARACTER: &str = "\u{fffd}";

fn escaped(text: &str, escape: impl Fn(u8) -> Option<&'static str>, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    // Nearly every text can stand as it is, and one pass shows it.
    if !bytes.iter().fold(false, |special, byte| special | is_special(*byte)) {
        return out.extend_from_slice(bytes);
    }
    let mut written = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let (escape, len) = match escape(*byte) {
            Some(escape) => (escape, 1),
            // U+FFFE and U+FFFF.
            None if *byte == 0xef && matches!(bytes[at + 1..], [0xbf, 0xbe | 0xbf, ..]) => (NO_CHARACTER, 3),
            None => continue,
        };
        out.extend_from_slice(&bytes[written..at]);
        out.extend_from_slice(escape.as_bytes());
        written = at + len;
    }
    out.extend_from_slice(&bytes[written..]);
}

/// Whether a byte may have to be written as something else.
fn is_special(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'<' | b'>' | b'&' | b'\'' | b'"' | 0xef)
}

fn in_text(byte: u8) -> Option<&'static str> {
    Some(match byte {
        b'<' => "&lt;",
        b'>' => "&gt;",
        b'&' => "&amp;",
        // Raw, it would be read back as a line feed (XML 1.0 §2.11).
        b'\r' => "&#xD;",
        b'\t' | b'\n' => return None,
        0..0x20 => NO_CHARACTER,
        _ => return None,
    })
}

fn in_attribute(byte: u8) -> Option<&'static str> {
    Some(match byte {
        b'\'' => "&apos;",
        b'"' => "&quot;",
        // Raw white space in an attribute would be read back as a space (XML 1.0 §3.3.3).
        b'\n' => "&#xA;",
        b'\t' => "&#x9;",
        _ => return in_text(byte),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::xml::{Build, el};

    proptest! {
        #[test]
        fn what_is_written_is_read_back(text: String, value: String) {
            let legal = |c: &char| crate::xml::chars::is_char(*c);
            let kept = |text: &str| text.chars().map(|c| if legal(&c) { c } else { '\u{fffd}' }).collect::<String>();
            let element = el("body", "jabber:client").with("id", value.as_str()).text_of(text.as_str());
            let mut bytes = Vec::new();
            super::element(&element, "", &mut bytes);
            let back = Element::from_reader(bytes.as_slice()).unwrap();
            prop_assert_eq!(back.text(), kept(&text));
            prop_assert_eq!(back.attr("id").unwrap(), kept(&value));
        }
    }
}
