//! Messages that say of which run they are, when they were sent and which they are: `<body>RUN NANOSECONDS NUMBER
//! padding</body>`. What an earlier run left behind, for example unacknowledged, is not counted in a later one.

use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use memchr::memmem::Finder;

/// What tells the messages of one run from those of all others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Run(u64);

impl Run {
    /// One that was never before: runs do not begin in the same microsecond.
    pub(crate) fn new() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_micros()).unwrap_or_default() ^ u64::from(std::process::id()) << 40)
    }

    /// It as a part of names.
    pub(crate) fn name(self) -> String {
        format!("{:x}", self.0)
    }

    /// What a message says before its padding.
    pub(crate) fn stamp(self, at: Duration, number: u64) -> String {
        format!("{} {} {number} ", self.0, at.as_nanos())
    }
}

/// A message with room for a stamp, made once for each sender.
pub(crate) struct Letter {
    run: Run,
    head: Vec<u8>,
    tail: Vec<u8>,
    buffer: Vec<u8>,
}

impl Letter {
    /// A message of about `bytes` bytes in whole, on a server that sees only one run.
    pub(crate) fn new(to: &str, kind: &str, bytes: usize) -> Self {
        Self::of(Run::default(), to, kind, bytes)
    }

    /// A message of a run.
    pub(crate) fn of(run: Run, to: &str, kind: &str, bytes: usize) -> Self {
        let head = format!("<message to='{to}' type='{kind}' id='").into_bytes();
        let fixed =
            head.len() + "m1234567'><body>1234567890123456 123456789012 1234567 </body></message>".len();
        let tail = format!("{}</body></message>", "x".repeat(bytes.saturating_sub(fixed))).into_bytes();
        Self { run, head, tail, buffer: Vec::new() }
    }

    /// The message with this number, sent at this time.
    pub(crate) fn write(&mut self, at: Duration, number: u64) -> &[u8] {
        self.buffer.clear();
        self.buffer.extend_from_slice(&self.head);
        write!(self.buffer, "m{number}'><body>{}", self.run.stamp(at, number))
            .expect("memory takes what is written");
        self.buffer.extend_from_slice(&self.tail);
        &self.buffer
    }
}

/// Finds the stamps of one run in what arrives.
pub(crate) struct Reader {
    run: Run,
    tag: Finder<'static>,
    length: usize,
}

impl Default for Reader {
    fn default() -> Self {
        Self::new(Run::default())
    }
}

impl Reader {
    /// Finds them in bodies.
    pub(crate) fn new(run: Run) -> Self {
        Self::of(run, "<body>")
    }

    /// Finds them behind this tag.
    pub(crate) fn of(run: Run, tag: &'static str) -> Self {
        Self { run, tag: Finder::new(tag), length: tag.len() }
    }

    /// When a message was sent, and its number.
    pub(crate) fn read(&self, stanza: &[u8]) -> Option<(Duration, u64)> {
        let at = self.tag.find(stanza)? + self.length;
        let (run, rest) = number(&stanza[at..])?;
        if run != self.run.0 {
            return None;
        }
        let (nanos, rest) = number(rest)?;
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
        let run = Run(1_234_567_890_123_456);
        let mut letter = Letter::of(run, "a@b/c", "chat", 250);
        let stanza = letter.write(Duration::from_nanos(123_456_789_012), 1_234_567);
        assert_eq!(stanza.len(), 250);
        let found = Reader::new(run).read(stanza);
        assert_eq!(found, Some((Duration::from_nanos(123_456_789_012), 1_234_567)));
        assert_eq!(Reader::new(run).read(b"<message><body>hello 1 2</body></message>"), None);
    }

    #[test]
    fn what_another_run_left_behind_is_not_read() {
        let mut letter = Letter::of(Run(7), "a@b/c", "chat", 250);
        assert_eq!(Reader::new(Run(8)).read(letter.write(Duration::ZERO, 1)), None);
    }
}
