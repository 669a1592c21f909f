//! The client's side of SCRAM (RFC 5802), with OpenSSL's functions, so that the server is not checked with its own code.

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use openssl::hash::{MessageDigest, hash};
use openssl::pkcs5::pbkdf2_hmac;
use openssl::pkey::PKey;
use openssl::sign::Signer;

/// One exchange.
pub struct Scram {
    digest: MessageDigest,
    password: String,
    gs2: String,
    binding: Vec<u8>,
    first: String,
    nonce: String,
    signature: Option<Vec<u8>>,
}

impl Scram {
    /// The client's side of `SCRAM-SHA-1` or `SCRAM-SHA-256`, with or without `-PLUS`.
    ///
    /// `binding` is the name and data of a channel binding. Named `y` the client only says that it could have bound the
    /// channel, had the server offered it.
    pub fn new(mechanism: &str, user: &str, password: &str, binding: Option<(&str, Vec<u8>)>) -> Self {
        let digest =
            if mechanism.contains("SHA-256") { MessageDigest::sha256() } else { MessageDigest::sha1() };
        let (gs2, binding) = match binding {
            Some(("y", _)) => ("y,,".to_owned(), vec![]),
            Some((name, data)) => (format!("p={name},,"), data),
            None => ("n,,".to_owned(), vec![]),
        };
        let mut nonce = [0; 18];
        openssl::rand::rand_bytes(&mut nonce).expect("there is chance");
        let nonce = STANDARD.encode(nonce);
        let user = user.replace('=', "=3D").replace(',', "=2C");
        let first = format!("n={user},r={nonce}");
        Self { digest, password: password.to_owned(), gs2, binding, first, nonce, signature: None }
    }

    /// The first message.
    pub fn first(&self) -> String {
        format!("{}{}", self.gs2, self.first)
    }

    /// The answer to the challenge.
    ///
    /// # Panics
    /// The challenge is not one of SCRAM.
    pub fn answer(&mut self, challenge: &str) -> String {
        let fields: HashMap<&str, &str> =
            challenge.split(',').filter_map(|field| field.split_once('=')).collect();
        assert!(
            fields["r"].starts_with(&self.nonce) && fields["r"].len() > self.nonce.len(),
            "a longer nonce"
        );
        let salt = STANDARD.decode(fields["s"]).expect("a salt");
        let rounds: usize = fields["i"].parse().expect("a number of rounds");
        let mut salted = vec![0; self.digest.size()];
        pbkdf2_hmac(self.password.as_bytes(), &salt, rounds, self.digest, &mut salted).expect("PBKDF2");
        let client_key = self.hmac(&salted, b"Client Key");
        let stored_key = hash(self.digest, &client_key).expect("a hash");
        let bound = STANDARD.encode([self.gs2.as_bytes(), &self.binding].concat());
        let bare = format!("c={bound},r={}", fields["r"]);
        let auth = format!("{},{challenge},{bare}", self.first);
        let client_signature = self.hmac(&stored_key, auth.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(&client_signature).map(|(a, b)| a ^ b).collect();
        self.signature = Some(self.hmac(&self.hmac(&salted, b"Server Key"), auth.as_bytes()));
        format!("{bare},p={}", STANDARD.encode(proof))
    }

    /// Whether the server has proved that it knows the password too.
    pub fn accepts(&self, last: &str) -> bool {
        let signature = last.strip_prefix("v=").and_then(|text| STANDARD.decode(text).ok());
        signature.is_some() && signature == self.signature
    }

    fn hmac(&self, key: &[u8], bytes: &[u8]) -> Vec<u8> {
        let key = PKey::hmac(key).expect("a key");
        let mut signer = Signer::new(self.digest, &key).expect("HMAC");
        signer.sign_oneshot_to_vec(bytes).expect("HMAC")
    }
}
