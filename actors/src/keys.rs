//! Turns passwords into keys, where slow things run.

use muster_proto::sasl::{Credentials, ITERATIONS, PasswordError};

/// Keys for both hashes, with fresh salts.
///
/// # Errors
/// The password has prohibited characters or is empty.
pub fn derive(password: &str) -> Result<Credentials, PasswordError> {
    Credentials::derive(password, rand::random(), ITERATIONS)
}
