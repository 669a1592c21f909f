//! Stream errors (RFC 6120 §4.9.3).

use serde::{Deserialize, Serialize};

/// Why a stream ends, with the condition that goes on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("stream ended")]
pub struct StreamError {}
