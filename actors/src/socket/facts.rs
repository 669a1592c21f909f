//! What log-in wants to know of a TLS connection: channel bindings, and whom the client's certificate names.

use jid::BareJid;
use muster_proto::stream::TlsFacts;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::ssl::{SslRef, SslVersion};
use openssl::x509::{X509Ref, X509VerifyResult};
use x509_parser::der_parser::asn1_rs::FromDer;
use x509_parser::prelude::{GeneralName, X509Certificate};

/// RFC 9266 §4.
const EXPORTER_LABEL: &str = "EXPORTER-Channel-Binding";
const EXPORTER_BYTES: usize = 32;
/// `id-on-xmppAddr` (RFC 6120 §13.7.1.4).
const XMPP_ADDR: &str = "1.3.6.1.5.5.7.8.5";

/// Reads them from a finished handshake.
pub fn of(ssl: &SslRef) -> TlsFacts {
    let facts = TlsFacts {
        exporter: exporter(ssl),
        server_end_point: ssl.certificate().and_then(end_point),
        client_identities: client_identities(ssl),
    };
    // A certificate that was not believed leaves errors in the thread's queue, where the next read of any connection would
    // find them and take them for its own (SSL_get_error(3)).
    drop(ErrorStack::get());
    facts
}

fn exporter(ssl: &SslRef) -> Option<Vec<u8>> {
    // With TLS 1.2 the binding is unique only with the extended master secret, which OpenSSL does not tell us of.
    if ssl.version2() != Some(SslVersion::TLS1_3) {
        return None;
    }
    let mut bytes = vec![0; EXPORTER_BYTES];
    ssl.export_keying_material(&mut bytes, EXPORTER_LABEL, Some(&[])).ok()?;
    Some(bytes)
}

/// The hash of our certificate by the hash of its signature, SHA-256 in place of MD5 and SHA-1 (RFC 5929 §4.1).
fn end_point(certificate: &X509Ref) -> Option<Vec<u8>> {
    let digest = certificate
        .signature_algorithm()
        .object()
        .nid()
        .signature_algorithms()
        .map(|algorithms| algorithms.digest)
        .filter(|digest| ![Nid::MD5, Nid::SHA1, Nid::UNDEF].contains(digest))
        .and_then(MessageDigest::from_nid)
        .unwrap_or_else(MessageDigest::sha256);
    certificate.digest(digest).ok().map(|hash| hash.to_vec())
}

fn client_identities(ssl: &SslRef) -> Vec<BareJid> {
    if ssl.verify_result() != X509VerifyResult::OK {
        return Vec::new();
    }
    ssl.peer_certificate()
        .and_then(|certificate| certificate.to_der().ok())
        .map_or_else(Vec::new, |der| xmpp_addrs(&der))
}

fn xmpp_addrs(der: &[u8]) -> Vec<BareJid> {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else { return Vec::new() };
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    let addresses = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::OtherName(oid, value) if oid.to_id_string() == XMPP_ADDR => xmpp_addr(value),
        _ => None,
    });
    addresses.collect()
}

/// The value is a UTF8String, in the explicit tag 0 of `OtherName`.
fn xmpp_addr(value: &[u8]) -> Option<BareJid> {
    use x509_parser::der_parser::asn1_rs::{Any, Tag};
    let (_, mut any) = Any::from_der(value).ok()?;
    if any.tag() != Tag::Utf8String {
        (_, any) = Any::from_der(any.data).ok()?;
    }
    std::str::from_utf8(any.data).ok().and_then(|text| BareJid::new(text).ok())
}
