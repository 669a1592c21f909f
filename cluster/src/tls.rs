//! TLS of the links: version 1.3 only, certificates on both sides, all from the cluster's own authority.

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{
    Ssl, SslContext, SslContextBuilder, SslMethod, SslMode, SslRef, SslSessionCacheMode, SslVerifyMode,
    SslVersion,
};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::{X509, X509Ref};

use crate::{NodeId, StartError, TlsMaterial};

/// Makes both sides of links.
#[derive(Clone)]
pub(crate) struct Tls {
    context: SslContext,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// Reads the material and checks that it fits the node.
    ///
    /// # Errors
    /// A part cannot be read, the key is not the certificate's, or the certificate has another name.
    pub(crate) fn new(material: &TlsMaterial, node: &NodeId) -> Result<Tls, StartError> {
        let chain = certificates("certificate chain", &material.chain)?;
        let own = chain.first().expect("certificates() returns at least one");
        if !names(own, node) {
            return Err(StartError::CertificateName(node.clone()));
        }
        let authorities = certificates("authority", &material.ca)?;
        let key = PKey::private_key_from_pem(&material.key.0).map_err(because("private key"))?;

        let mut store = X509StoreBuilder::new().map_err(because("authority"))?;
        for authority in authorities {
            store.add_cert(authority).map_err(because("authority"))?;
        }
        let mut builder = basics().map_err(because("settings"))?;
        builder.set_cert_store(store.build());
        builder.set_certificate(own).map_err(because("certificate chain"))?;
        for issuer in &chain[1..] {
            builder.add_extra_chain_cert(issuer.clone()).map_err(because("certificate chain"))?;
        }
        builder.set_private_key(&key).map_err(because("private key"))?;
        builder.check_private_key().map_err(because("private key does not fit the certificate"))?;
        Ok(Tls { context: builder.build() })
    }

    /// One connection's TLS.
    pub(crate) fn session(&self) -> Result<Ssl, ErrorStack> {
        Ssl::new(&self.context)
    }
}

fn basics() -> Result<SslContextBuilder, ErrorStack> {
    let mut builder = SslContextBuilder::new(SslMethod::tls())?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_3))?;
    builder.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    builder.set_mode(
        SslMode::AUTO_RETRY
            | SslMode::ACCEPT_MOVING_WRITE_BUFFER
            | SslMode::ENABLE_PARTIAL_WRITE
            | SslMode::RELEASE_BUFFERS,
    );
    // One read takes all that has come instead of one for the head and one for the body of each record.
    builder.set_read_ahead(true);
    // Links live long: resumption would only let an old certificate live on.
    builder.set_session_cache_mode(SslSessionCacheMode::OFF);
    builder.set_num_tickets(0)?;
    Ok(builder)
}

/// Whether the peer's certificate, which was verified, carries the node's name.
pub(crate) fn peer_is(ssl: &SslRef, node: &NodeId) -> bool {
    ssl.peer_certificate().is_some_and(|certificate| names(&certificate, node))
}

/// Only DNS names of the subjectAltName count, and only exactly: no wildcards, no common name.
fn names(certificate: &X509Ref, node: &NodeId) -> bool {
    certificate.subject_alt_names().is_some_and(|names| {
        names.iter().filter_map(|n| n.dnsname()).any(|n| n.eq_ignore_ascii_case(node.as_str()))
    })
}

fn certificates(what: &'static str, pem: &[u8]) -> Result<Vec<X509>, StartError> {
    let chain = X509::stack_from_pem(pem).map_err(because(what))?;
    if chain.is_empty() {
        return Err(StartError::Tls { what, reason: "holds no certificate in PEM form".to_owned() });
    }
    Ok(chain)
}

fn because(what: &'static str) -> impl Fn(ErrorStack) -> StartError {
    move |error| StartError::Tls { what, reason: error.to_string() }
}
