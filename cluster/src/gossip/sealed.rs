//! Gossip datagrams, sealed: version (1 byte), salt (16), nonce (12), ciphertext, tag (16), by AES-256-GCM with the
//! cluster's name as associated data. The key is HMAC-SHA-256(cluster key, label ‖ salt); each run of a process has its
//! own random salt, so random nonces stay far from their birthday bound. What does not open is dropped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chitchat::transport::{Socket, Transport};
use chitchat::{ChitchatMessage, Deserializable, Serializable};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rand::rand_bytes;
use openssl::sign::Signer;
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};
use tokio::net::UdpSocket;

use crate::map::HashMap;
use crate::quiet::Quiet;
use crate::{Secret, StartError, metrics as names};

const VERSION: u8 = 1;
const SALT: usize = 16;
const NONCE: usize = 12;
const TAG: usize = 16;
const HEAD: usize = 1 + SALT + NONCE;
/// Shortest cluster key.
const KEY_MIN: usize = 32;
/// Keys of other processes that are kept: to derive one costs more than to open a datagram.
const KEYS_MAX: usize = 1024;
const LABEL: &[u8] = b"muster gossip 1";
/// Largest UDP payload.
const DATAGRAM_MAX: usize = 65_507;

/// Seals and opens datagrams with the cluster's key.
#[derive(Clone)]
pub(crate) struct Seal {
    secret: Secret,
    cluster: String,
    salt: [u8; SALT],
    key: [u8; 32],
    /// The keys of others, by salt.
    keys: HashMap<[u8; SALT], [u8; 32]>,
}

impl Seal {
    /// Takes the cluster's key and a fresh salt.
    ///
    /// # Errors
    /// The key is too short.
    pub(crate) fn new(secret: &Secret, cluster: &str) -> Result<Seal, StartError> {
        if secret.0.len() < KEY_MIN {
            return Err(StartError::KeyTooShort(secret.0.len()));
        }
        let fresh = || -> Result<Seal, ErrorStack> {
            let mut salt = [0; SALT];
            rand_bytes(&mut salt)?;
            Ok(Seal {
                secret: secret.clone(),
                cluster: cluster.to_owned(),
                key: derive(secret, &salt)?,
                salt,
                keys: HashMap::default(),
            })
        };
        fresh().map_err(|error| StartError::Tls { what: "gossip key", reason: error.to_string() })
    }

    fn seal(&self, plain: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let mut nonce = [0; NONCE];
        rand_bytes(&mut nonce)?;
        let mut tag = [0; TAG];
        let cipher = encrypt_aead(
            Cipher::aes_256_gcm(),
            &self.key,
            Some(&nonce),
            self.cluster.as_bytes(),
            plain,
            &mut tag,
        )?;
        Ok([&[VERSION][..], &self.salt, &nonce, &cipher, &tag].concat())
    }

    fn open(&mut self, datagram: &[u8]) -> Result<Vec<u8>, &'static str> {
        if datagram.len() < HEAD + TAG {
            return Err("short");
        }
        if datagram[0] != VERSION {
            return Err("version");
        }
        let (head, rest) = datagram.split_at(HEAD);
        let (salt, nonce) = head[1..].split_first_chunk::<SALT>().ok_or("short")?;
        let (cipher, tag) = rest.split_at(rest.len() - TAG);
        let known = self.keys.get(salt).copied();
        let key = known.map_or_else(|| derive(&self.secret, salt), Ok).map_err(|_| "seal")?;
        let plain =
            decrypt_aead(Cipher::aes_256_gcm(), &key, Some(nonce), self.cluster.as_bytes(), cipher, tag)
                .map_err(|_| "seal")?;
        // Only of those who have the cluster's key: a stranger's salts cost no memory.
        if known.is_none() {
            if self.keys.len() == KEYS_MAX {
                self.keys.clear();
            }
            self.keys.insert(*salt, key);
        }
        Ok(plain)
    }
}

fn derive(secret: &Secret, salt: &[u8]) -> Result<[u8; 32], ErrorStack> {
    let key = PKey::hmac(&secret.0)?;
    let mut signer = Signer::new(MessageDigest::sha256(), &key)?;
    signer.update(LABEL)?;
    signer.update(salt)?;
    let mut derived = [0; 32];
    signer.sign(&mut derived)?;
    Ok(derived)
}

/// A socket that was bound before, behind a seal.
#[derive(Clone)]
pub(super) struct Sealed {
    socket: Arc<UdpSocket>,
    seal: Seal,
    quiet: Arc<Quiet>,
    buffer: Vec<u8>,
}

impl Sealed {
    pub(super) fn new(socket: Arc<UdpSocket>, seal: Seal, quiet: Arc<Quiet>) -> Sealed {
        Sealed { socket, seal, quiet, buffer: Vec::new() }
    }

    fn dropped(&self, reason: &'static str, peer: SocketAddr) {
        metrics::counter!(names::DROPPED, "reason" => reason).increment(1);
        if let Some(times) = self.quiet.due(reason) {
            tracing::warn!(%peer, reason, times, "dropped gossip");
        }
    }
}

#[async_trait]
impl Transport for Sealed {
    async fn open(&self, _: SocketAddr) -> anyhow::Result<Box<dyn Socket>> {
        Ok(Box::new(Sealed { buffer: vec![0; DATAGRAM_MAX], ..self.clone() }))
    }
}

#[async_trait]
impl Socket for Sealed {
    /// Never fails: a datagram that cannot be sent is lost, as datagrams are.
    async fn send(&mut self, to: SocketAddr, message: ChitchatMessage) -> anyhow::Result<()> {
        let mut plain = Vec::new();
        message.serialize(&mut plain);
        match self.seal.seal(&plain) {
            Ok(datagram) => match self.socket.send_to(&datagram, to).await {
                Ok(_) => metrics::counter!(names::DATAGRAMS, "direction" => "out").increment(1),
                Err(_) => self.dropped("unsent", to),
            },
            Err(_) => self.dropped("unsealed", to),
        }
        Ok(())
    }

    async fn recv(&mut self) -> anyhow::Result<(SocketAddr, ChitchatMessage)> {
        loop {
            let received = self.socket.recv_from(&mut self.buffer).await;
            let Ok((length, from)) = received else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            metrics::counter!(names::DATAGRAMS, "direction" => "in").increment(1);
            let opened = self.seal.open(&self.buffer[..length]);
            match opened.map(|plain| ChitchatMessage::deserialize(&mut &plain[..])) {
                Ok(Ok(message)) => return Ok((from, message)),
                Ok(Err(_)) => self.dropped("unreadable", from),
                Err(reason) => self.dropped(reason, from),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(key: u8, cluster: &str) -> Seal {
        Seal::new(&Secret(vec![key; 32]), cluster).unwrap()
    }

    #[test]
    fn what_one_node_seals_another_of_the_cluster_opens() {
        let sealed = seal(1, "c").seal(b"hello").unwrap();
        assert_eq!(seal(1, "c").open(&sealed).unwrap(), b"hello");
    }

    #[test]
    fn without_the_key_or_the_clusters_name_nothing_opens() {
        let mut sealed = seal(1, "c").seal(b"hello").unwrap();
        assert_eq!(seal(2, "c").open(&sealed), Err("seal"));
        assert_eq!(seal(1, "d").open(&sealed), Err("seal"));
        assert_eq!(seal(1, "c").open(&sealed[..44]), Err("short"));
        *sealed.last_mut().unwrap() ^= 1;
        assert_eq!(seal(1, "c").open(&sealed), Err("seal"));
        sealed[0] = 0;
        assert_eq!(seal(1, "c").open(&sealed), Err("version"));
        assert!(matches!(Seal::new(&Secret(vec![1; 31]), "c"), Err(StartError::KeyTooShort(31))));
    }
}
