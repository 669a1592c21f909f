//! Messages that say when they were sent and which they are: `<body>NANOSECONDS NUMBER padding</body>`.

use std::io::Write as _;
use std::time::Duration;

use memchr::memmem::Finder;

/// A message with room for a stamp, made once for each sender.
pub(crate) struct Letter {
    head: Vec<u8>,
    tail: Vec<u8>,
    buffer: Vec<u8>,
}

impl Letter {
    /// A message of about `bytes` bytes in whole.
    pub(crate) fn new(to: &str, kind: &str, bytes: usize) -> Self {
        let head = format!("<message to='{to}' type='{kind}' id='").into_bytes();
        let fixed = head.len() + "m1234567'><body>123456789012 1234567 </body></message>".len();
        let tail = format!(" {}</body></message>", "x".repeat(bytes.saturating_sub(fixed))).into_bytes();
        Self { head, tail, buffer: Vec::new() }
    }

    /// The message with this number, sent at this time.
    pub(crate) fn write(&mut self, at: Duration, number: u64) -> &[u8] {
        self.buffer.clear();
        self.buffer.extend_from_slice(&self.head);
        write!(self.buffer, "m{number}'><body>{} {number}", at.as_nanos())
            .expect("memory takes what is written");
        self.buffer.extend_from_slice(&self.tail);
        &self.buffer
    }
}

/// Finds stamps in what arrives.
pub(crate) struct Reader {
    tag: Finder<'static>,
    length: usize,
}

impl Default for Reader {
    fn default() -> Self {
        Self::of("<body>")
    }
}

impl Reader {
    /// Finds them behind this tag.
    pub(crate) fn of(tag: &'static str) -> Self {
        Self { tag: Finder::new(tag), length: tag.len() }
    }

    /// When a message was sent, and its number.
    pub(crate) fn read(&self, stanza: &[u8]) -> Option<(Duration, u64)> {
        let at = self.tag.find(stanza)? + self.length;
        let (nanos, rest) = number(&stanza[at..])?;
        let (number, _) = number(rest)?;
        Some((Duration::from_nanos(nanos), number))
    }
}

/// The digits up to a space, and what follows it.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let end = bytes.iter().position(|byte| !byte.is_ascii_digit())?;
    if end == 0 || bytes[end] != b' ' {
        return None;
    }
    let value =
        bytes[..end].iter().fold(0u64, |value, digit| value.wrapping_mul(10) + u64::from(digit - b'0'));
    Some((value, &bytes[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_as_it_was_written() {
        let mut letter = Letter::new("a@b/c", "chat", 250);
        let stanza = letter.write(Duration::from_nanos(123_456_789_012), 1_234_567);
        assert_eq!(stanza.len(), 250);
        let found = Reader::default().read(stanza);
        assert_eq!(found, Some((Duration::from_nanos(123_456_789_012), 1_234_567)));
        assert_eq!(Reader::default().read(b"<message><body>hello 1 2</body></message>"), None);
    }
}
