//! SCRAM keys as text (RFC 5803 §3): accounts of another server move without their passwords being known.

use base64::{Engine, engine::general_purpose::STANDARD};
use muster_proto::sasl::{Credentials, Keys};

/// Reads `SCRAM-SHA-1$ROUNDS:SALT$STORED:SERVER SCRAM-SHA-256$ROUNDS:SALT$STORED:SERVER`. Anything else is a password.
pub(crate) fn read(text: &str) -> Option<Credentials> {
    let (sha1, sha256) = text.split_once(' ')?;
    Some(Credentials {
        sha1: keys(sha1.strip_prefix("SCRAM-SHA-1$")?, 20)?,
        sha256: keys(sha256.trim().strip_prefix("SCRAM-SHA-256$")?, 32)?,
    })
}

fn keys(text: &str, bytes: usize) -> Option<Keys> {
    let (info, value) = text.split_once('$')?;
    let (iterations, salt) = info.split_once(':')?;
    let (stored, server) = value.split_once(':')?;
    let key = |text: &str| STANDARD.decode(text).ok().filter(|key| key.len() == bytes);
    Some(Keys {
        salt: STANDARD.decode(salt).ok().filter(|salt| !salt.is_empty())?,
        iterations: iterations.parse().ok().filter(|rounds| *rounds > 0)?,
        stored_key: key(stored)?,
        server_key: key(server)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str, keys: &Keys) -> String {
        let [salt, stored, server] =
            [&keys.salt, &keys.stored_key, &keys.server_key].map(|key| STANDARD.encode(key));
        format!("{name}${}:{salt}${stored}:{server}", keys.iterations)
    }

    #[test]
    fn keys_are_read_as_rfc_5803_writes_them() {
        let credentials = Credentials::derive("pencil", [7; 32], 2).unwrap();
        let [sha1, sha256] =
            [text("SCRAM-SHA-1", &credentials.sha1), text("SCRAM-SHA-256", &credentials.sha256)];
        assert_eq!(read(&format!("{sha1} {sha256}")), Some(credentials));
        for password in
            ["pencil", "a b", &sha1, &format!("{sha256} {sha1}"), &format!("{sha1} SCRAM-SHA-256$1:$:")]
        {
            assert_eq!(read(password), None, "{password}");
        }
    }
}
