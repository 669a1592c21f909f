//! Certificates for clients: read from files, told clearly when they are wrong or will soon be.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use metrics::gauge;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{
    AlpnError, SslAcceptor, SslContext, SslMethod, SslMode, SslVerifyMode, SslVersion, select_next_proto,
};
use openssl::stack::Stack;
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;

use crate::config::{Config, SecretError, Tls, TlsVersion, read_secret};

/// What clients ask for in ALPN (XEP-0368 §4), with its length before it.
const ALPN: &[u8] = b"\x0bxmpp-client";
/// Days before the end of a certificate from which on its end is announced.
const WARN_DAYS: i32 = 14;

/// Why the certificate of clients cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A listener needs it and it is not named.
    #[error("tls.certificate and tls.key must name files: a client listener needs them")]
    Missing,
    /// The key cannot be read.
    #[error(transparent)]
    Key(#[from] SecretError),
    /// The certificate cannot be read.
    #[error("{path} cannot be read: {error}", path = path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// A file is not what it should be, or certificate and key were not made for each other.
    #[error("{what}: {error}")]
    Refused {
        /// What was tried.
        what: String,
        /// What OpenSSL says.
        error: ErrorStack,
    },
}

/// What connections are encrypted with from now on.
///
/// # Errors
/// A file is missing, unreadable, or does not fit the others.
pub fn context(tls: &Tls) -> Result<SslContext, TlsError> {
    let (Some(certificate), Some(key)) = (&tls.certificate, &tls.key) else { return Err(TlsError::Missing) };
    let chain = chain(certificate)?;
    let key_pem = read_secret(key)?;
    build(tls, chain, &key_pem).map_err(|error| TlsError::Refused {
        what: format!(
            "certificate {} and key {} cannot be used together (give the two files that were made for each other)",
            certificate.display(),
            key.display()
        ),
        error,
    })
}

fn build(tls: &Tls, chain: Vec<X509>, key_pem: &[u8]) -> Result<SslContext, ErrorStack> {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    builder.set_min_proto_version(Some(match tls.version_min {
        TlsVersion::V1_2 => SslVersion::TLS1_2,
        TlsVersion::V1_3 => SslVersion::TLS1_3,
    }))?;
    // Idle connections give their buffers back: about 34 KiB each otherwise.
    builder.set_mode(SslMode::RELEASE_BUFFERS | SslMode::ACCEPT_MOVING_WRITE_BUFFER);
    // One read takes all that has come instead of one for the head and one for the body of each record.
    builder.set_read_ahead(true);
    builder.set_session_id_context(b"muster")?;
    builder.set_num_tickets(1)?;
    let mut chain = chain.into_iter();
    if let Some(leaf) = chain.next() {
        builder.set_certificate(&leaf)?;
    }
    for certificate in chain {
        builder.add_extra_chain_cert(certificate)?;
    }
    let key = PKey::private_key_from_pem(key_pem)?;
    builder.set_private_key(&key)?;
    builder.check_private_key()?;
    // A client that wants another protocol is told so (RFC 7301 §3.2), which also stops cross-protocol attacks.
    builder.set_alpn_select_callback(|_, offered| {
        select_next_proto(ALPN, offered).ok_or(AlpnError::ALERT_FATAL)
    });
    if let Some(ca) = &tls.client_ca {
        let authorities = chain_of(ca)?;
        let mut store = X509StoreBuilder::new()?;
        let mut names = Stack::new()?;
        for authority in authorities {
            names.push(authority.subject_name().to_owned()?)?;
            store.add_cert(authority)?;
        }
        builder.set_verify_cert_store(store.build())?;
        builder.set_client_ca_list(names);
        // One that cannot be verified does not end the handshake: it is not offered EXTERNAL, and may use a password.
        builder.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
    }
    Ok(builder.build().into_context())
}

fn chain(path: &Path) -> Result<Vec<X509>, TlsError> {
    let pem =
        std::fs::read(path).map_err(|error| TlsError::Unreadable { path: path.to_path_buf(), error })?;
    X509::stack_from_pem(&pem).map_err(|error| TlsError::Refused {
        what: format!("{} holds no certificate", path.display()),
        error,
    })
}

/// As [`chain`], for a file that the check of the configuration has read already.
fn chain_of(path: &Path) -> Result<Vec<X509>, ErrorStack> {
    X509::stack_from_pem(&std::fs::read(path).unwrap_or_default())
}

/// What is not wrong enough to refuse to start, and will be noticed by clients: one sentence each, with the fix.
pub fn concerns(config: &Config) -> Vec<String> {
    let Some(file) = &config.tls.certificate else { return Vec::new() };
    let Ok(Some(leaf)) = chain(file).map(|chain| chain.into_iter().next()) else { return Vec::new() };
    let mut concerns = Vec::new();
    let file = file.display();
    let days = days_left(leaf.not_after());
    gauge!("muster_certificate_days_left").set(f64::from(days));
    if days < 0 {
        concerns.push(format!(
            "the certificate in {file} expired on {}: clients refuse it; put a new one there, it is taken up without a restart",
            leaf.not_after()
        ));
    } else if days < WARN_DAYS {
        concerns.push(format!("the certificate in {file} expires in {days} days; renew it"));
    }
    if days_left(leaf.not_before()) > 0 {
        concerns.push(format!(
            "the certificate in {file} is not valid before {}; check the clock",
            leaf.not_before()
        ));
    }
    let names: Vec<String> = leaf
        .subject_alt_names()
        .into_iter()
        .flatten()
        .filter_map(|name| name.dnsname().map(str::to_lowercase))
        .collect();
    for domain in &config.options.domains {
        if !names.iter().any(|name| covers(name, &domain.name)) {
            concerns.push(format!(
                "the certificate in {file} does not name {}: clients refuse it; make one with that subjectAltName",
                domain.name
            ));
        }
    }
    concerns
}

/// RFC 9525 §6.3: a wildcard stands for one whole label, the leftmost.
fn covers(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(parent) => name.split_once('.').is_some_and(|(_, rest)| rest == parent),
        None => pattern == name,
    }
}

fn days_left(until: &Asn1TimeRef) -> i32 {
    let now = Asn1Time::days_from_now(0);
    now.and_then(|now| now.diff(until))
        .map_or(0, |left| if left.secs < 0 { left.days - 1 } else { left.days })
}

/// When the files last changed.
pub fn changed_at(config: &Config) -> Vec<Option<SystemTime>> {
    let (tls, cluster) = (&config.tls, &config.cluster);
    [&tls.certificate, &tls.key, &tls.client_ca, &cluster.ca, &cluster.certificate, &cluster.key]
        .into_iter()
        .flatten()
        .map(|path| std::fs::metadata(path).and_then(|facts| facts.modified()).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_one_label() {
        assert!(covers("example.org", "example.org"));
        assert!(covers("*.example.org", "chat.example.org"));
        assert!(!covers("*.example.org", "a.chat.example.org"));
        assert!(!covers("*.example.org", "example.org"));
    }
}
