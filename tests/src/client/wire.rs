//! Cuts what a server sends into the stream's header, its elements and its end. Written apart from the server's reader, so
//! that the two do not share mistakes.

use muster_proto::Element;

use super::Mask;

/// What was heard.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// The opening tag of the server's stream.
    Header(Element),
    /// A child of the stream.
    Element(Element),
    /// `</stream:stream>`.
    End,
    /// The connection is gone.
    Closed,
}

/// Bytes in, [`Heard`] out.
#[derive(Default)]
pub struct Wire {
    mask: Mask,
    bytes: Vec<u8>,
    header: Option<String>,
}

impl Wire {
    /// A new stream of a scene that wears this mask.
    pub fn new(mask: Mask) -> Self {
        Self { mask, ..Self::default() }
    }

    /// What these bytes complete.
    ///
    /// # Panics
    /// The server sent something that is not XML.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Heard> {
        self.bytes.extend_from_slice(bytes);
        let mut heard = vec![];
        while let Some(next) = self.next() {
            heard.push(next);
        }
        heard
    }

    fn next(&mut self) -> Option<Heard> {
        let blank = self.bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.bytes.drain(..blank);
        if self.bytes.starts_with(b"<?") {
            let end = tag_end(&self.bytes)?;
            self.bytes.drain(..end);
            return self.next();
        }
        let Some(header) = &self.header else {
            let tag = self.take(tag_end(&self.bytes)?);
            let open = tag.trim_end_matches('>').to_owned();
            let element = parse(&format!("{open}/>"));
            self.header = Some(tag);
            return Some(Heard::Header(element));
        };
        if self.bytes.starts_with(b"</") {
            let end = tag_end(&self.bytes)?;
            self.bytes.drain(..end);
            return Some(Heard::End);
        }
        let header = header.clone();
        let text = self.take(element_end(&self.bytes)?);
        let stream = parse(&format!("{header}{text}</stream:stream>"));
        let element = stream.children().next().unwrap_or_else(|| panic!("not an element: {text}"));
        Some(Heard::Element(element.clone()))
    }

    fn take(&mut self, end: usize) -> String {
        let text: Vec<u8> = self.bytes.drain(..end).collect();
        let text = String::from_utf8(text).expect("the server sends UTF-8");
        // XML 1.0 §2.11. The parser behind this leaves it to others.
        self.mask.show(text.replace("\r\n", "\n").replace('\r', "\n"))
    }
}

fn parse(text: &str) -> Element {
    text.parse().unwrap_or_else(|error| panic!("the server sent what is not XML ({error}): {text}"))
}

/// Where the tag at the start ends, behind its `>`.
fn tag_end(bytes: &[u8]) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in bytes.iter().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at + 1),
            (None, b'\'' | b'"') => quote = Some(*byte),
            (Some(open), _) if open == *byte => quote = None,
            _ => {}
        }
    }
    None
}

const CDATA: &[u8] = b"<![CDATA[";

/// Where the element at the start ends.
fn element_end(bytes: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_usize);
    loop {
        at += bytes[at..].iter().position(|byte| *byte == b'<')?;
        // What a client has said travels as it was written.
        if bytes[at..].starts_with(CDATA) {
            at += bytes[at..].windows(3).position(|end| end == b"]]>")? + 3;
            continue;
        }
        if CDATA.starts_with(&bytes[at..]) {
            return None;
        }
        let end = at + tag_end(&bytes[at..])?;
        let tag = &bytes[at..end];
        if tag.starts_with(b"</") {
            depth = depth.checked_sub(1).expect("tags are balanced");
        } else if !tag.ends_with(b"/>") {
            depth += 1;
        }
        at = end;
        if depth == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='1'>";

    #[test]
    fn a_stream_is_cut_wherever_its_bytes_are() {
        let text = format!("{HEADER} <a b='/>'><c/>&lt;<![CDATA[<b>]]></a>\n<d/></stream:stream>");
        for size in 1..text.len() {
            let mut wire = Wire::default();
            let heard: Vec<_> = text.as_bytes().chunks(size).flat_map(|chunk| wire.feed(chunk)).collect();
            assert_eq!(heard.len(), 4, "in pieces of {size}");
            let Heard::Element(element) = &heard[1] else { panic!("{heard:?}") };
            assert_eq!(
                (element.name(), element.attr("b"), element.text().as_str()),
                ("a", Some("/>"), "<<b>")
            );
            assert_eq!(heard[3], Heard::End);
        }
    }
}
