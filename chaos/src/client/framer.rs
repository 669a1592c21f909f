//! Where stanzas begin and end in a stream of bytes: tags are counted, nothing is parsed or kept.

use memchr::{memchr, memchr3};

/// What a stream is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// The opening tag of the stream.
    Header(&'a [u8]),
    /// A child of the stream, whole.
    Stanza(&'a [u8]),
    /// The closing tag of the stream.
    End,
}

/// Cuts a stream of well-formed XML into frames. What a server sends is trusted to be well-formed.
#[derive(Debug, Default)]
pub struct Framer {
    /// What is not whole yet, from the beginning of its frame.
    rest: Vec<u8>,
    /// How much of `rest` has been looked at, in whole tags.
    seen: usize,
    depth: u32,
}

impl Framer {
    /// Takes bytes, and calls `each` for each frame that is whole now.
    pub fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(Frame<'_>)) {
        if self.rest.is_empty() {
            let (used, seen) = self.scan(bytes, 0, &mut each);
            self.rest.extend_from_slice(bytes.get(used..).unwrap_or_default());
            self.seen = seen - used;
        } else {
            let mut rest = std::mem::take(&mut self.rest);
            rest.extend_from_slice(bytes);
            let (used, seen) = self.scan(&rest, self.seen, &mut each);
            rest.drain(..used);
            self.seen = seen - used;
            if !rest.is_empty() {
                self.rest = rest;
            }
        }
    }

    /// Returns how many bytes are done with, and up to where tags have been counted.
    fn scan(&mut self, bytes: &[u8], mut at: usize, each: &mut impl FnMut(Frame<'_>)) -> (usize, usize) {
        let mut begin = 0;
        while let Some(open) = memchr(b'<', &bytes[at..]).map(|found| at + found) {
            if self.depth <= 1 {
                begin = open;
            }
            let Some(close) = tag_end(bytes, open) else { return (begin, open) };
            at = close + 1;
            match bytes[open + 1] {
                b'/' => {
                    self.depth = self.depth.saturating_sub(1);
                    match self.depth {
                        0 => each(Frame::End),
                        1 => each(Frame::Stanza(&bytes[begin..at])),
                        _ => {}
                    }
                }
                b'?' | b'!' => {}
                // A stream begins anew in the place of another (RFC 6120 §4.3.3), maybe in the same read.
                _ if bytes[open..].starts_with(b"<stream:stream") => {
                    self.depth = 1;
                    each(Frame::Header(&bytes[open..at]));
                }
                _ if bytes[close - 1] == b'/' => {
                    if self.depth == 1 {
                        each(Frame::Stanza(&bytes[begin..at]));
                    }
                }
                _ => {
                    self.depth += 1;
                    if self.depth == 1 {
                        each(Frame::Header(&bytes[begin..at]));
                    }
                }
            }
        }
        // Between stanzas stands nothing that counts.
        if self.depth <= 1 { (bytes.len(), bytes.len()) } else { (begin, bytes.len()) }
    }
}

/// Where the tag that opens here closes, if it does so already.
fn tag_end(bytes: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    if *bytes.get(at)? == b'/' {
        return memchr(b'>', &bytes[at..]).map(|found| at + found);
    }
    loop {
        at += memchr3(b'>', b'"', b'\'', &bytes[at..])?;
        let found = bytes[at];
        if found == b'>' {
            return Some(at);
        }
        // A value may hold a bare `>`.
        at += 1;
        at += memchr(found, &bytes[at..])? + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "<?xml version='1.0'?><stream:stream id='1>2' to=\"a\"> <message to='x' id=\"'>\"><body>a'b</body>\
        <a/></message>\n<r xmlns='urn:xmpp:sm:3'/><iq><query><item n='/'/></query></iq></stream:stream>";
    const FRAMES: [&str; 5] = [
        "<stream:stream id='1>2' to=\"a\">",
        "<message to='x' id=\"'>\"><body>a'b</body><a/></message>",
        "<r xmlns='urn:xmpp:sm:3'/>",
        "<iq><query><item n='/'/></query></iq>",
        "end",
    ];

    fn frames(pieces: &[&[u8]]) -> Vec<String> {
        let (mut framer, mut found) = (Framer::default(), Vec::new());
        for piece in pieces {
            framer.feed(piece, |frame| match frame {
                Frame::Header(bytes) | Frame::Stanza(bytes) => {
                    found.push(String::from_utf8(bytes.to_vec()).unwrap())
                }
                Frame::End => found.push("end".to_owned()),
            });
        }
        found
    }

    #[test]
    fn a_stream_is_cut_into_its_stanzas() {
        assert_eq!(frames(&[STREAM.as_bytes()]), FRAMES);
    }

    #[test]
    fn a_stream_may_begin_anew_in_one_read() {
        let anew = format!("<?xml version='1.0'?><stream:stream><success/>{STREAM}");
        let found = frames(&[anew.as_bytes()]);
        assert_eq!(found[..2], ["<stream:stream>", "<success/>"]);
        assert_eq!(found[2..], FRAMES);
    }

    #[test]
    fn it_does_not_matter_how_the_bytes_arrive() {
        for first in 0..STREAM.len() {
            let (head, tail) = STREAM.as_bytes().split_at(first);
            assert_eq!(frames(&[head, tail]), FRAMES, "split at {first}");
        }
        let single: Vec<&[u8]> = STREAM.as_bytes().chunks(1).collect();
        assert_eq!(frames(&single), FRAMES);
    }
}
