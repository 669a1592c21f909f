//! The messages of SCRAM (RFC 5802 §7), read and answered.

use base64::{Engine, engine::general_purpose::STANDARD};
use subtle::ConstantTimeEq;

use super::credentials::{Hash, Keys};
use super::failure::Failure;

/// Longest nonce of a client: far more than any needs.
const NONCE_BYTES_MAX: usize = 512;

/// The client's first message.
#[derive(Debug)]
pub(super) struct ClientFirst {
    /// What it thinks of channel binding.
    pub(super) binding: Binding,
    /// Whom it wants to act as, if it says so.
    pub(super) authzid: Option<String>,
    /// Who it is.
    pub(super) user: String,
    nonce: String,
    /// The header of RFC 5801 §4, as it was sent.
    header: String,
    /// The rest, as it was sent.
    bare: String,
}

/// What a client thinks of channel binding (RFC 5802 §6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Binding {
    /// `n`: it cannot.
    Cannot,
    /// `y`: it can, but believes that the server cannot.
    NotOffered,
    /// `p`: it uses this one.
    Used(String),
}

impl ClientFirst {
    /// Reads `n,,n=user,r=nonce`.
    ///
    /// # Errors
    /// `malformed-request`.
    pub(super) fn parse(message: &str) -> Result<Self, Failure> {
        let bad = Failure::MalformedRequest;
        let (flag, rest) = message.split_once(',').ok_or(bad)?;
        let (authzid, bare) = rest.split_once(',').ok_or(bad)?;
        let binding = match flag.split_once('=') {
            None if flag == "n" => Binding::Cannot,
            None if flag == "y" => Binding::NotOffered,
            Some(("p", name)) if !name.is_empty() => Binding::Used(name.to_owned()),
            _ => return Err(bad),
        };
        let authzid = match authzid {
            "" => None,
            given => Some(sasl_name(given.strip_prefix("a=").ok_or(bad)?)?),
        };
        let mut parts = bare.split(',');
        // `m=` would ask for an extension that must be understood, and none is.
        let user = parts.next().and_then(|part| part.strip_prefix("n=")).ok_or(bad)?;
        let nonce = parts.next().and_then(|part| part.strip_prefix("r=")).ok_or(bad)?;
        let is_printable = nonce.bytes().all(|byte| byte.is_ascii_graphic());
        if nonce.is_empty() || nonce.len() > NONCE_BYTES_MAX || !is_printable {
            return Err(bad);
        }
        Ok(Self {
            binding,
            authzid,
            user: sasl_name(user)?,
            nonce: nonce.to_owned(),
            header: message[..message.len() - bare.len()].to_owned(),
            bare: bare.to_owned(),
        })
    }
}

/// Undoes `=2C` and `=3D`.
fn sasl_name(text: &str) -> Result<String, Failure> {
    let mut parts = text.split('=');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (c, rest) = match part.get(..2) {
            Some("2C") => (',', &part[2..]),
            Some("3D") => ('=', &part[2..]),
            _ => return Err(Failure::MalformedRequest),
        };
        name.push(c);
        name.push_str(rest);
    }
    if name.is_empty() { Err(Failure::MalformedRequest) } else { Ok(name) }
}

/// Waits for the client's proof.
#[derive(Debug)]
pub(super) struct Challenged {
    hash: Hash,
    keys: Keys,
    nonce: String,
    /// What `c=` must say.
    channel: Vec<u8>,
    /// `client-first-bare,server-first`: the start of what is signed.
    signed: String,
}

impl Challenged {
    /// Answers the first message: what to send, and what to wait with. `binding` is the channel's data if the client
    /// uses it.
    pub(super) fn new(
        first: ClientFirst,
        hash: Hash,
        keys: Keys,
        nonce: &str,
        binding: &[u8],
    ) -> (String, Self) {
        let nonce = format!("{}{nonce}", first.nonce);
        let message = format!("r={nonce},s={},i={}", STANDARD.encode(&keys.salt), keys.iterations);
        let channel = [first.header.as_bytes(), binding].concat();
        let signed = format!("{},{message}", first.bare);
        (message, Self { hash, keys, nonce, channel, signed })
    }

    /// Judges the client's final message, `c=…,r=…,p=…`, and proves the server.
    ///
    /// # Errors
    /// `malformed-request`, or `not-authorized` if the proof or the channel binding is wrong.
    pub(super) fn finish(self, message: &str) -> Result<String, Failure> {
        let bad = Failure::MalformedRequest;
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or(bad)?;
        let mut parts = without_proof.split(',');
        let channel = parts.next().and_then(|part| part.strip_prefix("c=")).ok_or(bad)?;
        let nonce = parts.next().and_then(|part| part.strip_prefix("r=")).ok_or(bad)?;
        let channel = STANDARD.decode(channel).map_err(|_| bad)?;
        let proof = STANDARD.decode(proof).map_err(|_| bad)?;
        let Self { hash, keys, .. } = &self;
        let signed = format!("{},{without_proof}", self.signed);
        let signature = hash.hmac(&keys.stored_key, signed.as_bytes());
        if proof.len() != signature.len() {
            return Err(bad);
        }
        let client_key: Vec<u8> = proof.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        let right = hash.digest(&client_key).ct_eq(&keys.stored_key)
            & channel.ct_eq(&self.channel)
            & nonce.as_bytes().ct_eq(self.nonce.as_bytes());
        if bool::from(right) {
            Ok(format!("v={}", STANDARD.encode(hash.hmac(&keys.server_key, signed.as_bytes()))))
        } else {
            Err(Failure::NotAuthorized)
        }
    }
}
