//! What a log line may say of a JID: the JID, or something that stays the same and does not tell whose it is.

use std::fmt;

use jid::Jid;
use openssl::error::ErrorStack;
use openssl::hash::{DigestBytes, Hasher, MessageDigest};

/// Bytes of a hash that are written: enough to tell accounts apart.
const HASH_BYTES: usize = 6;

/// A JID as logs may show it; nothing is computed unless the line is written.
pub struct Shown<'a> {
    /// Whose.
    pub jid: &'a Jid,
    /// Hides it if there is one. The same on all nodes, so one account can be followed over all of them, and
    /// unknown outside, so nobody can try names.
    pub secret: Option<&'a [u8; 32]>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(secret) = self.secret else { return out.write_str(self.jid.as_str()) };
        let Ok(hash) = hash(secret, self.jid.to_bare().as_str()) else { return out.write_str("(hidden)") };
        out.write_str("#")?;
        hash.iter().take(HASH_BYTES).try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

fn hash(secret: &[u8], name: &str) -> Result<DigestBytes, ErrorStack> {
    let mut hasher = Hasher::new(MessageDigest::sha256())?;
    hasher.update(b"muster log ")?;
    hasher.update(secret)?;
    hasher.update(name.as_bytes())?;
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_account_is_the_same_in_every_line_and_on_every_node() {
        let jid = |text| Jid::new(text).unwrap();
        let shown = |jid: &Jid, secret| Shown { jid, secret }.to_string();
        let (phone, laptop) = (jid("juliet@capulet.lit/phone"), jid("juliet@capulet.lit/laptop"));
        assert_eq!(shown(&phone, None), "juliet@capulet.lit/phone");
        let hidden = shown(&phone, Some(&[7; 32]));
        assert!(hidden.starts_with('#') && hidden.len() == 13, "{hidden}");
        assert_eq!(hidden, shown(&laptop, Some(&[7; 32])));
        assert_ne!(hidden, shown(&jid("romeo@montague.lit"), Some(&[7; 32])));
        assert_ne!(hidden, shown(&phone, Some(&[8; 32])));
    }
}
