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
    text(value, out);
    out.push(b'\'');
}

/// Writes text, escaped so that it is safe in content and in attributes.
pub fn text(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| escape(*byte).is_some()) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(escape(rest[at]).unwrap_or_default().as_bytes());
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

fn escape(byte: u8) -> Option<&'static str> {
    Some(match byte {
        b'<' => "&lt;",
        b'>' => "&gt;",
        b'&' => "&amp;",
        b'\'' => "&apos;",
        b'"' => "&quot;",
        b'\r' => "&#xD;",
        // Raw white space in an attribute would be read back as a space (XML 1.0 §3.3.3).
        b'\n' => "&#xA;",
        b'\t' => "&#x9;",
        _ => return None,
    })
}
