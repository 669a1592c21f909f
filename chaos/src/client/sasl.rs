//! The client's side of PLAIN (RFC 4616) and SCRAM (RFC 5802). Salted passwords are kept: PBKDF2 is the server's price to
//! set, not the generator's to pay at each log-in.

use std::collections::HashMap;

use anyhow::{Context, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use openssl::hash::{MessageDigest, hash};
use openssl::memcmp;
use openssl::pkcs5::pbkdf2_hmac;
use openssl::pkey::PKey;
use openssl::sign::Signer;

use super::Mechanism;

/// Salted passwords by hash, password, salt and rounds. Accounts that were made with one salt share one.
#[derive(Default)]
pub(super) struct Salted(HashMap<(&'static str, String), Keys>);

#[derive(Clone)]
struct Keys {
    client: Vec<u8>,
    stored: Vec<u8>,
    server: Vec<u8>,
}

/// One exchange of SCRAM.
pub(super) struct Scram {
    mechanism: Mechanism,
    digest: MessageDigest,
    first: String,
    nonce: String,
    signature: Vec<u8>,
}

/// What PLAIN says.
pub(super) fn plain(user: &str, password: &str) -> String {
    STANDARD.encode(format!("\0{user}\0{password}"))
}

impl Scram {
    pub(super) fn new(mechanism: Mechanism, user: &str) -> anyhow::Result<Self> {
        let digest = match mechanism {
            Mechanism::Plain | Mechanism::ScramSha1 => MessageDigest::sha1(),
            Mechanism::ScramSha256 => MessageDigest::sha256(),
        };
        let mut nonce = [0; 18];
        openssl::rand::rand_bytes(&mut nonce)?;
        let nonce = STANDARD.encode(nonce);
        let first = format!("n={user},r={nonce}");
        Ok(Self { mechanism, digest, first, nonce, signature: Vec::new() })
    }

    /// The first message, in base64.
    pub(super) fn first(&self) -> String {
        STANDARD.encode(format!("n,,{}", self.first))
    }

    /// The answer to the challenge, both in base64.
    pub(super) fn answer(
        &mut self,
        challenge: &str,
        password: &str,
        salted: &mut Salted,
    ) -> anyhow::Result<String> {
        let challenge = String::from_utf8(STANDARD.decode(challenge)?)?;
        let field = |name: &str| {
            let found = challenge.split(',').find_map(|field| field.strip_prefix(name));
            found.with_context(|| format!("a challenge without {name}"))
        };
        let (nonce, salt, rounds) = (field("r=")?, field("s=")?, field("i=")?.parse()?);
        if !nonce.starts_with(&self.nonce) {
            bail!("the challenge answers somebody else");
        }
        let keys = salted.keys(self, password, salt, rounds)?;
        let bare = format!("c=biws,r={nonce}");
        let auth = format!("{},{challenge},{bare}", self.first);
        let client_signature = hmac(self.digest, &keys.stored, auth.as_bytes())?;
        let proof: Vec<u8> = keys.client.iter().zip(&client_signature).map(|(a, b)| a ^ b).collect();
        self.signature = hmac(self.digest, &keys.server, auth.as_bytes())?;
        Ok(STANDARD.encode(format!("{bare},p={}", STANDARD.encode(proof))))
    }

    /// What a server that knows the password says last, in base64.
    #[cfg(test)]
    pub(super) fn proof(&self) -> String {
        STANDARD.encode(format!("v={}", STANDARD.encode(&self.signature)))
    }

    /// Whether the server has proved that it knows the password too.
    pub(super) fn accepts(&self, last: &str) -> bool {
        let last = STANDARD.decode(last).unwrap_or_default();
        let signature = last.strip_prefix(b"v=").and_then(|text| STANDARD.decode(text).ok());
        signature.is_some_and(|signature| {
            signature.len() == self.signature.len() && memcmp::eq(&signature, &self.signature)
        })
    }
}

impl Keys {
    fn derive(digest: MessageDigest, password: &str, salt: &[u8], rounds: u32) -> anyhow::Result<Self> {
        let mut salted = vec![0; digest.size()];
        pbkdf2_hmac(password.as_bytes(), salt, rounds as usize, digest, &mut salted)?;
        let client = hmac(digest, &salted, b"Client Key")?;
        let stored = hash(digest, &client)?.to_vec();
        let server = hmac(digest, &salted, b"Server Key")?;
        Ok(Self { client, stored, server })
    }
}

impl Salted {
    fn keys(&mut self, scram: &Scram, password: &str, salt: &str, rounds: u32) -> anyhow::Result<Keys> {
        let (digest, known_by) =
            (scram.digest, (scram.mechanism.name(), format!("{salt} {rounds} {password}")));
        if let Some(keys) = self.0.get(&known_by) {
            return Ok(keys.clone());
        }
        let keys = Keys::derive(digest, password, &STANDARD.decode(salt)?, rounds)?;
        self.0.insert(known_by, keys.clone());
        Ok(keys)
    }
}

/// The keys of a password as `muster user import` takes them (RFC 5803), the same for every account that is given them: a
/// million accounts are made in the time that one derivation takes.
///
/// # Errors
/// The system has no random bytes.
pub fn scram_keys(password: &str, rounds: u32) -> anyhow::Result<String> {
    let mut salt = [0; 16];
    openssl::rand::rand_bytes(&mut salt)?;
    let kinds = [("SCRAM-SHA-1", MessageDigest::sha1()), ("SCRAM-SHA-256", MessageDigest::sha256())];
    let texts = kinds.map(|(name, digest)| {
        let keys = Keys::derive(digest, password, &salt, rounds)?;
        let [salt, stored, server] = [&salt[..], &keys.stored, &keys.server].map(|key| STANDARD.encode(key));
        Ok(format!("{name}${rounds}:{salt}${stored}:{server}"))
    });
    let texts = texts.into_iter().collect::<anyhow::Result<Vec<String>>>()?;
    Ok(texts.join(" "))
}

fn hmac(digest: MessageDigest, key: &[u8], bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let key = PKey::hmac(key)?;
    Ok(Signer::new(digest, &key)?.sign_oneshot_to_vec(bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_5802_5_is_answered() {
        let mut scram = Scram {
            mechanism: Mechanism::ScramSha1,
            digest: MessageDigest::sha1(),
            first: "n=user,r=fyko+d2lbbFgONRv9qkxdawL".into(),
            nonce: "fyko+d2lbbFgONRv9qkxdawL".into(),
            signature: Vec::new(),
        };
        let challenge =
            STANDARD.encode("r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096");
        let mut salted = Salted::default();
        for _ in 0..2 {
            let answer = scram.answer(&challenge, "pencil", &mut salted).unwrap();
            assert_eq!(
                STANDARD.decode(answer).unwrap(),
                b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
            );
        }
        assert!(scram.accepts(&STANDARD.encode("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")));
        assert!(!scram.accepts(&STANDARD.encode("v=rmF9pqV8S7suAoZWja4dJRkFsKR=")));
    }
}
