//! The only file that knows the encoding. bincode 2.0.1 with its standard configuration: little-endian, variable-length
//! integers. Decoding is bounded by the frame's size.

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Control;
use super::frame::{self, Kind, PAYLOAD_MAX};

/// A decoder may claim this many bytes: collections of small elements may claim more than their payload's size.
const CLAIM_MAX: usize = 4 * PAYLOAD_MAX;

/// The payload cannot be encoded, or is no value of that type.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CodecError {
    /// Encoding failed.
    #[error("cannot be encoded: {0}")]
    Encode(#[from] bincode::error::EncodeError),
    /// Decoding failed.
    #[error("cannot be decoded: {0}")]
    Decode(#[from] bincode::error::DecodeError),
    /// Bytes were left over.
    #[error("{0} bytes too many")]
    Excess(usize),
    /// Longer than allowed.
    #[error("{0} bytes are too many for one frame")]
    Oversized(usize),
}

fn configuration() -> Configuration<LittleEndian, Varint, Limit<CLAIM_MAX>> {
    bincode::config::standard().with_limit::<CLAIM_MAX>()
}

/// Appends a whole frame to `out`; on an error `out` is as it was.
///
/// # Errors
/// The value cannot be encoded within `payload_max`.
pub(crate) fn put<T: Serialize>(
    out: &mut Vec<u8>,
    kind: Kind,
    value: &T,
    payload_max: usize,
) -> Result<(), CodecError> {
    let start = frame::begin(out);
    let written = bincode::serde::encode_into_std_write(value, &mut *out, configuration());
    let result = match written {
        Ok(bytes) if bytes > payload_max.min(PAYLOAD_MAX) => Err(CodecError::Oversized(bytes)),
        Ok(_) => Ok(()),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(()) => frame::finish(out, start, kind),
        Err(_) => out.truncate(start),
    }
    result
}

/// A control frame as bytes.
///
/// # Errors
/// It is larger than a frame may be, as a view of thousands of nodes would be.
pub(crate) fn control(value: &Control) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::with_capacity(64);
    put(&mut out, Kind::Control, value, PAYLOAD_MAX)?;
    Ok(out)
}

/// Reads a payload, which must be used up.
///
/// # Errors
/// It is no value of that type.
pub(crate) fn take<T: DeserializeOwned>(payload: &[u8]) -> Result<T, CodecError> {
    let (value, used) = bincode::serde::decode_from_slice(payload, configuration())?;
    match payload.len() - used {
        0 => Ok(value),
        excess => Err(CodecError::Excess(excess)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;

    #[test]
    fn a_message_too_large_leaves_no_trace() {
        let mut out = b"before".to_vec();
        assert!(matches!(
            put(&mut out, Kind::Message, &vec![1u8; 2000], 1000),
            Err(CodecError::Oversized(_))
        ));
        assert_eq!(out, b"before");
    }

    #[test]
    fn a_length_that_lies_claims_no_memory() {
        // A vector of 2^40 bytes, says its length.
        assert!(matches!(take::<Vec<u8>>(&[253, 0, 0, 0, 0, 0, 1, 0, 0]), Err(CodecError::Decode(_))));
    }

    #[test]
    fn what_is_put_is_taken() {
        let value = Control::View { bytes: vec![7; 300] };
        let mut buffer = BytesMut::from(&control(&value).unwrap()[..]);
        let (kind, payload) = frame::split(&mut buffer, PAYLOAD_MAX).unwrap().unwrap();
        assert_eq!(kind, Kind::Control);
        assert_eq!(take::<Control>(&payload).unwrap(), value);
        assert!(matches!(take::<u8>(&payload), Err(CodecError::Excess(_))));
    }
}
