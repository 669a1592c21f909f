//! What a client hears, cut from the bytes of its stream. It knows only what the simulation's clients need of XML.

/// One element under the stream, or the stream's own tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Its name, with a prefix if it has one.
    pub name: String,
    /// All of it.
    pub xml: String,
    tag: usize,
}

impl Heard {
    fn new(xml: String) -> Self {
        let tag = tag_end(xml.as_bytes()).unwrap_or(xml.len());
        let name = xml[1..tag].split([' ', '>', '/', '\n']).next().unwrap_or_default().to_owned();
        Self { name, xml, tag }
    }

    /// An attribute.
    pub fn attr(&self, name: &str) -> Option<&str> {
        attr(&self.xml[..self.tag], name)
    }

    /// Whether it is a stanza, and so counted (XEP-0198 §4).
    pub fn is_stanza(&self) -> bool {
        matches!(self.name.as_str(), "message" | "presence" | "iq")
    }

    /// Whether it has this text anywhere.
    pub fn has(&self, text: &str) -> bool {
        self.xml.contains(text)
    }
}

fn attr<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let at = tag
        .match_indices(name)
        .find(|(at, _)| tag[..*at].ends_with(' ') && tag[at + name.len()..].starts_with('='))?;
    let value = &tag[at.0 + name.len() + 1..];
    let quote = value.chars().next()?;
    value[1..].split(quote).next()
}

/// Bytes in, elements out.
#[derive(Default)]
pub struct Words {
    bytes: Vec<u8>,
    opened: bool,
}

impl Words {
    /// More has come.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next element that is complete.
    pub fn next(&mut self) -> Option<Heard> {
        loop {
            let blank = self.bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            self.bytes.drain(..blank);
            if self.bytes.starts_with(b"<?") {
                let end = tag_end(&self.bytes)?;
                self.bytes.drain(..end);
                continue;
            }
            let is_tag = !self.opened || self.bytes.starts_with(b"</");
            let end = if is_tag { tag_end(&self.bytes)? } else { element_end(&self.bytes)? };
            self.opened = true;
            let text: Vec<u8> = self.bytes.drain(..end).collect();
            return Some(Heard::new(String::from_utf8(text).expect("the server sends UTF-8")));
        }
    }
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

/// Where the element at the start ends.
fn element_end(bytes: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_usize);
    loop {
        at += bytes[at..].iter().position(|byte| *byte == b'<')?;
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

    #[test]
    fn a_stream_is_cut_into_its_elements() {
        let text = "<?xml version='1.0'?><stream:stream id='1'><message from='a@b/c' id=\"c-1\"><body>7</body></message><a h='3'/></stream:stream>";
        let mut words = Words::default();
        let heard: Vec<Heard> = text
            .as_bytes()
            .chunks(3)
            .flat_map(|part| {
                words.feed(part);
                std::iter::from_fn(|| words.next()).collect::<Vec<_>>()
            })
            .collect();
        let names: Vec<&str> = heard.iter().map(|heard| heard.name.as_str()).collect();
        assert_eq!(names, ["stream:stream", "message", "a", ""]);
        assert_eq!((heard[1].attr("from"), heard[1].attr("id")), (Some("a@b/c"), Some("c-1")));
        assert!(heard[1].is_stanza() && heard[1].has("<body>7</body>"));
        assert_eq!((heard[2].attr("h"), heard[2].attr("id")), (Some("3"), None));
    }
}
