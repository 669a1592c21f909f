//! What is stored of a password: SCRAM keys only (RFC 5802 §3), one set for each hash.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Rounds of PBKDF2 for new passwords by default. A derivation takes some milliseconds of a core, which the server pays for
/// PLAIN only, and the client for SCRAM.
pub const ITERATIONS: u32 = 10_000;
/// The fewest rounds (RFC 7677 §4).
pub const ITERATIONS_MIN: u32 = 4_096;

/// Why a password cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// It has characters that SASLprep (RFC 4013) prohibits.
    #[error("it has characters that SASLprep (RFC 4013) prohibits")]
    Prohibited,
    /// It is empty.
    #[error("it is empty")]
    Empty,
}

/// A password or user name as SASL compares it (RFC 4013).
///
/// # Errors
/// It has prohibited characters, or nothing is left of it.
pub fn prepare(text: &str) -> Result<String, PasswordError> {
    let prepared = stringprep::saslprep(text).map_err(|_| PasswordError::Prohibited)?;
    if prepared.is_empty() { Err(PasswordError::Empty) } else { Ok(prepared.into_owned()) }
}

/// The hash of a SCRAM mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hash {
    /// SCRAM-SHA-1 (RFC 5802).
    Sha1,
    /// SCRAM-SHA-256 (RFC 7677).
    Sha256,
}

impl Hash {
    /// `H(bytes)`.
    pub(crate) fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(bytes).to_vec(),
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
        }
    }

    /// `HMAC(key, bytes)`.
    pub(crate) fn hmac(self, key: &[u8], bytes: &[u8]) -> Vec<u8> {
        const ANY_KEY: &str = "HMAC takes keys of any length";
        match self {
            Self::Sha1 => {
                let mut mac = Hmac::<Sha1>::new_from_slice(key).expect(ANY_KEY);
                mac.update(bytes);
                mac.finalize().into_bytes().to_vec()
            }
            Self::Sha256 => {
                let mut mac = Hmac::<Sha256>::new_from_slice(key).expect(ANY_KEY);
                mac.update(bytes);
                mac.finalize().into_bytes().to_vec()
            }
        }
    }

    /// `Hi(password, salt, iterations)`: PBKDF2.
    pub(crate) fn stretch(self, password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
        match self {
            Self::Sha1 => pbkdf2::pbkdf2_hmac_array::<Sha1, 20>(password, salt, iterations).to_vec(),
            Self::Sha256 => pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password, salt, iterations).to_vec(),
        }
    }
}

/// What is stored of a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// For SCRAM-SHA-1.
    pub sha1: Keys,
    /// For SCRAM-SHA-256.
    pub sha256: Keys,
}

/// The keys of one SCRAM mechanism (RFC 5802 §3).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// What was mixed with the password.
    #[serde(with = "base64_text")]
    pub salt: Vec<u8>,
    /// Rounds of PBKDF2.
    pub iterations: u32,
    /// What a client's proof is checked with.
    #[serde(with = "base64_text")]
    pub stored_key: Vec<u8>,
    /// What the server proves itself with.
    #[serde(with = "base64_text")]
    pub server_key: Vec<u8>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

impl Credentials {
    /// Turns a password into keys. Slow on purpose. `random` becomes one salt for each hash and must come from a
    /// cryptographic generator.
    ///
    /// # Errors
    /// The password has prohibited characters or is empty.
    pub fn derive(password: &str, random: [u8; 32], iterations: u32) -> Result<Self, PasswordError> {
        let password = prepare(password)?;
        let (first, second) = random.split_at(16);
        Ok(Self {
            sha1: Keys::derive(Hash::Sha1, password.as_bytes(), first, iterations),
            sha256: Keys::derive(Hash::Sha256, password.as_bytes(), second, iterations),
        })
    }

    /// The keys for this hash.
    pub fn keys(&self, hash: Hash) -> &Keys {
        match hash {
            Hash::Sha1 => &self.sha1,
            Hash::Sha256 => &self.sha256,
        }
    }
}

impl Keys {
    /// Turns a prepared password into keys.
    pub(crate) fn derive(hash: Hash, password: &[u8], salt: &[u8], iterations: u32) -> Self {
        let salted = hash.stretch(password, salt, iterations);
        let stored_key = hash.digest(&hash.hmac(&salted, b"Client Key"));
        let server_key = hash.hmac(&salted, b"Server Key");
        Self { salt: salt.to_vec(), iterations, stored_key, server_key }
    }
}

/// A password on its way to keys, for log-in with PLAIN: run it where slow things run.
pub struct Derivation {
    password: String,
    salt: Vec<u8>,
    iterations: u32,
    expected: Vec<u8>,
    known: bool,
}

impl fmt::Debug for Derivation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Derivation").finish_non_exhaustive()
    }
}

/// Whether the password of a [`Derivation`] was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Derived(pub(crate) bool);

impl Derivation {
    /// Compares `password`, prepared, with stored keys. With `known` false it costs the same and fails.
    pub(crate) fn new(password: String, keys: Keys, known: bool) -> Self {
        let Keys { salt, iterations, stored_key: expected, .. } = keys;
        Self { password, salt, iterations, expected, known }
    }

    /// Derives and compares. Takes milliseconds.
    pub fn run(self) -> Derived {
        let keys = Keys::derive(Hash::Sha256, self.password.as_bytes(), &self.salt, self.iterations);
        Derived(bool::from(keys.stored_key.ct_eq(&self.expected)) & self.known)
    }
}

/// Bytes as base64 in JSON.
mod base64_text {
    use super::{Deserialize, Deserializer, Engine, STANDARD, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(serde::de::Error::custom)
    }
}
