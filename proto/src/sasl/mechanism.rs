//! The mechanisms, strongest first, and where each may be used.

use super::credentials::Hash;
use crate::options::Domain;
use crate::stream::{Channel, TlsFacts};

/// A SASL mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// A client certificate (RFC 4422 appendix A, XEP-0178).
    External,
    /// SCRAM (RFC 5802, RFC 7677).
    Scram {
        /// Its hash.
        hash: Hash,
        /// Whether it is bound to the TLS connection: `-PLUS`.
        bound: bool,
    },
    /// A password as it is (RFC 4616).
    Plain,
    /// Nobody (RFC 4505).
    Anonymous,
}

impl Mechanism {
    /// All of them, strongest first.
    pub const ALL: [Self; 7] = [
        Self::External,
        Self::Scram { hash: Hash::Sha256, bound: true },
        Self::Scram { hash: Hash::Sha1, bound: true },
        Self::Scram { hash: Hash::Sha256, bound: false },
        Self::Scram { hash: Hash::Sha1, bound: false },
        Self::Plain,
        Self::Anonymous,
    ];

    /// Its registered name.
    pub fn name(self) -> &'static str {
        match self {
            Self::External => "EXTERNAL",
            Self::Scram { hash: Hash::Sha256, bound: true } => "SCRAM-SHA-256-PLUS",
            Self::Scram { hash: Hash::Sha1, bound: true } => "SCRAM-SHA-1-PLUS",
            Self::Scram { hash: Hash::Sha256, bound: false } => "SCRAM-SHA-256",
            Self::Scram { hash: Hash::Sha1, bound: false } => "SCRAM-SHA-1",
            Self::Plain => "PLAIN",
            Self::Anonymous => "ANONYMOUS",
        }
    }

    /// The mechanism of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }

    /// Whether a client may use it on this channel at this domain.
    pub fn is_offered(self, channel: &Channel, domain: &Domain) -> bool {
        let tls = match channel {
            // Nothing before STARTTLS (RFC 6120 §5.3.1).
            Channel::Clear => return false,
            Channel::Plain => None,
            Channel::Tls(facts) => facts.as_deref(),
        };
        match self {
            Self::External => tls.is_some_and(|facts| !facts.identities_at(&domain.name).is_empty()),
            Self::Scram { bound: true, .. } => tls.is_some_and(|facts| facts.bindings().next().is_some()),
            Self::Scram { bound: false, .. } | Self::Plain => true,
            Self::Anonymous => domain.anonymous,
        }
    }

    /// Whether a client may use it on some channel, but not on this one.
    pub fn needs_encryption(self, channel: &Channel) -> bool {
        match channel {
            Channel::Clear => true,
            Channel::Plain => matches!(self, Self::External | Self::Scram { bound: true, .. }),
            Channel::Tls(_) => false,
        }
    }
}

impl TlsFacts {
    /// The accounts of this domain that the client's certificate names.
    pub fn identities_at(&self, domain: &str) -> Vec<&jid::BareJid> {
        self.client_identities
            .iter()
            .filter(|jid| jid.node().is_some() && jid.domain().as_str() == domain)
            .collect()
    }

    /// The channel bindings by their registered names (XEP-0440), best first.
    pub fn bindings(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        let exporter = self.exporter.as_deref().map(|data| ("tls-exporter", data));
        let end_point = self.server_end_point.as_deref().map(|data| ("tls-server-end-point", data));
        exporter.into_iter().chain(end_point)
    }
}
