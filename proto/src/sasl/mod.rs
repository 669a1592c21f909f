//! SASL at the server (RFC 4422, RFC 5802, RFC 7677): who is it?

use serde::{Deserialize, Serialize};

/// What is stored of a password: SCRAM keys only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {}
