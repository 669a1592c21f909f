//! Frames: a length (4 bytes), a kind (1), a version (1), a CRC-32C of all but the length and itself (4), the payload.
//! Numbers are big-endian. The length is the payload's.

use bytes::{Buf, Bytes, BytesMut};

/// Bytes before the payload.
pub(crate) const HEADER: usize = 10;
/// Longest payload: a message of 1 MiB.
pub(crate) const PAYLOAD_MAX: usize = 1 << 20;
/// The version of this layout.
const VERSION: u8 = 1;

/// What the payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A [`Control`](super::Control).
    Control = 1,
    /// A message of the application.
    Message = 2,
}

/// What is wrong with a frame. Each ends the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    /// Longer than allowed.
    #[error("a frame of {0} bytes")]
    Oversized(usize),
    /// Another layout.
    #[error("frame version {0}")]
    Version(u8),
    /// An unknown kind.
    #[error("frame kind {0}")]
    Kind(u8),
    /// The bytes were changed on their way.
    #[error("wrong checksum")]
    Checksum,
}

/// Leaves room for the header. Returns where the frame begins.
pub(crate) fn begin(out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(&[0; HEADER]);
    out.len() - HEADER
}

/// Writes the header of the frame that began at `start` and ends with `out`.
pub(crate) fn finish(out: &mut [u8], start: usize, kind: Kind) {
    let (header, payload) = out[start..].split_at_mut(HEADER);
    let length = u32::try_from(payload.len()).expect("payloads are at most 1 MiB");
    header[..4].copy_from_slice(&length.to_be_bytes());
    header[4] = kind as u8;
    header[5] = VERSION;
    header[6..].copy_from_slice(&checksum(&[kind as u8, VERSION], payload).to_be_bytes());
}

/// Takes one whole frame off the buffer's front. None: more bytes are needed.
///
/// # Errors
/// The bytes are no frame of ours, or it is longer than `payload_max`.
pub(crate) fn split(buffer: &mut BytesMut, payload_max: usize) -> Result<Option<(Kind, Bytes)>, FrameError> {
    let Some(header) = buffer.first_chunk::<HEADER>() else { return Ok(None) };
    let [l0, l1, l2, l3, kind, version, c0, c1, c2, c3] = *header;
    let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
    if version != VERSION {
        return Err(FrameError::Version(version));
    }
    let known = match kind {
        1 => Kind::Control,
        2 => Kind::Message,
        other => return Err(FrameError::Kind(other)),
    };
    if length > payload_max {
        return Err(FrameError::Oversized(length));
    }
    if buffer.len() < HEADER + length {
        buffer.reserve(HEADER + length - buffer.len());
        return Ok(None);
    }
    let mut frame = buffer.split_to(HEADER + length);
    frame.advance(HEADER);
    if checksum(&[kind, version], &frame) != u32::from_be_bytes([c0, c1, c2, c3]) {
        return Err(FrameError::Checksum);
    }
    Ok(Some((known, frame.freeze())))
}

/// The length of the whole frame at the front of bytes that [`finish`] wrote.
pub(crate) fn length(frames: &[u8]) -> usize {
    let length = frames.first_chunk::<4>().expect("whole frames");
    HEADER + u32::from_be_bytes(*length) as usize
}

fn checksum(head: &[u8], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(head), payload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let start = begin(&mut out);
        out.extend_from_slice(payload);
        finish(&mut out, start, Kind::Message);
        out
    }

    #[test]
    fn a_frame_arrives_byte_by_byte() {
        let mut buffer = BytesMut::new();
        let bytes = frame(b"hello");
        for byte in &bytes[..bytes.len() - 1] {
            buffer.extend_from_slice(&[*byte]);
            assert_eq!(split(&mut buffer, 100), Ok(None));
        }
        buffer.extend_from_slice(&bytes[bytes.len() - 1..]);
        assert_eq!(split(&mut buffer, 100), Ok(Some((Kind::Message, Bytes::from_static(b"hello")))));
        assert_eq!(split(&mut buffer, 100), Ok(None));
    }

    #[test]
    fn a_frame_that_is_not_ours_is_refused() {
        let change = |at: usize, byte: u8| {
            let mut bytes = frame(b"hello");
            bytes[at] = byte;
            split(&mut BytesMut::from(&bytes[..]), 100)
        };
        assert_eq!(change(0, 1), Err(FrameError::Oversized((1 << 24) + 5)));
        assert_eq!(change(4, 9), Err(FrameError::Kind(9)));
        assert_eq!(change(5, 0), Err(FrameError::Version(0)));
        assert_eq!(change(12, b'x'), Err(FrameError::Checksum));
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic_and_never_ask_for_more_than_the_limit(bytes: Vec<u8>) {
            let mut buffer = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = split(&mut buffer, 1000) {}
            prop_assert!(buffer.capacity() <= bytes.capacity().max(2 * (HEADER + 1000)) + 64);
        }
    }
}
