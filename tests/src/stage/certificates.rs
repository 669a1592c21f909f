//! The authority of a stage: it signs the certificates of the domains, of the nodes, and of clients that have one.

use std::path::Path;

use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use openssl::x509::X509;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    OtherNameValue, SanType,
};

use crate::client::mask::DOMAINS;

/// `id-on-xmppAddr` (RFC 6120 §13.7.1.4).
const XMPP_ADDR: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 8, 5];

/// Who signs.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, as PEM.
pub struct Certificate {
    /// The certificate.
    pub chain: String,
    /// Its private key.
    pub key: String,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A new authority.
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "The Prince of Verona");
        let certificate = params.self_signed(&key).expect("a certificate");
        Self { pem: certificate.pem(), issuer: Issuer::new(params, key) }
    }

    /// A certificate for servers and clients of these names.
    pub fn sign(&self, names: Vec<SanType>) -> Certificate {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Certificate { chain: certificate.pem(), key: key.serialize_pem() }
    }

    /// A certificate that logs in an account (XEP-0178).
    pub fn sign_client(&self, jid: &str) -> Certificate {
        self.sign(vec![SanType::OtherName((XMPP_ADDR.to_vec(), OtherNameValue::Utf8String(jid.to_owned())))])
    }

    /// A client's TLS that trusts this authority, perhaps with a certificate.
    pub fn connector(&self, certificate: Option<&Certificate>) -> SslConnector {
        let mut builder = SslConnector::builder(SslMethod::tls_client()).expect("TLS");
        let own = X509::from_pem(self.pem.as_bytes()).expect("a certificate");
        builder.cert_store_mut().add_cert(own).expect("a certificate");
        builder.set_verify(SslVerifyMode::PEER);
        builder.set_alpn_protos(b"\x0bxmpp-client").expect("a protocol name");
        if let Some(certificate) = certificate {
            let own = X509::from_pem(certificate.chain.as_bytes()).expect("a certificate");
            let key = openssl::pkey::PKey::private_key_from_pem(certificate.key.as_bytes()).expect("a key");
            builder.set_certificate(&own).expect("a certificate");
            builder.set_private_key(&key).expect("its key");
        }
        builder.build()
    }

    /// Writes what so many nodes need into a folder.
    pub(super) fn write(&self, folder: &Path, nodes: usize) {
        let dns = |name: String| SanType::DnsName(name.try_into().expect("a DNS name"));
        let domains = DOMAINS.iter().flat_map(|name| [name.to_string(), format!("conference.{name}")]);
        let server = self.sign(domains.map(dns).collect());
        write(folder, "ca.pem", &self.pem);
        write(folder, "tls.crt", &server.chain);
        write(folder, "tls.key", &server.key);
        write(folder, "cluster.key", "a key that seals what the houses of Verona tell each other");
        for number in 0..nodes {
            let node = self.sign(vec![dns(format!("node-{number}"))]);
            write(folder, &format!("node-{number}.crt"), &node.chain);
            write(folder, &format!("node-{number}.key"), &node.key);
        }
    }
}

/// Secrets are files that nobody else can read.
fn write(folder: &Path, name: &str, text: &str) {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let file = std::fs::OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(folder.join(name));
    file.and_then(|mut file| file.write_all(text.as_bytes())).expect("the folder can be written to");
}
