//! A Redis whose certificate an authority of one's own has signed.

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name};

use super::fixture::free_port;
use super::*;

fn key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn certificate(name: &str, key: &PKey<Private>, by: Option<(&X509, &PKey<Private>)>) -> X509 {
    let mut subject = X509Name::builder().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let mut builder = X509Builder::new().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&BigNum::from_u32(rand::random()).unwrap().to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(by.map_or(&subject, |(issuer, _)| issuer.subject_name())).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    builder.set_pubkey(key).unwrap();
    if by.is_none() {
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
    } else {
        let context = builder.x509v3_context(None, None);
        let names = SubjectAlternativeName::new().ip("127.0.0.1").build(&context).unwrap();
        builder.append_extension(names).unwrap();
    }
    builder.sign(by.map_or(key, |(_, signer)| signer), MessageDigest::sha256()).unwrap();
    builder.build()
}

#[test]
fn an_authority_of_ones_own_is_believed_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let (ca_key, server_key, other_key) = (key(), key(), key());
    let ca = certificate("ours", &ca_key, None);
    let server = certificate("redis", &server_key, Some((&ca, &ca_key)));
    fs::write(file("ca"), ca.to_pem().unwrap()).unwrap();
    fs::write(file("other"), certificate("theirs", &other_key, None).to_pem().unwrap()).unwrap();
    fs::write(file("certificate"), server.to_pem().unwrap()).unwrap();
    fs::write(file("key"), server_key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    let port = free_port();
    let setting = |name: &str, value: &str| format!("{name} {}", file(value).display());
    let settings = [
        format!("tls-port {port}"),
        setting("tls-cert-file", "certificate"),
        setting("tls-key-file", "key"),
        setting("tls-ca-cert-file", "ca"),
        "tls-auth-clients no".to_owned(),
    ];
    let _server = Fixture::start(&settings.each_ref().map(String::as_str));
    contract::run(async {
        let with = |ca: Option<&str>| Config {
            addresses: vec![format!("127.0.0.1:{port}")],
            tls: true,
            ca: ca.map(file),
            timeout_ms: 2_000,
            ..Config::default()
        };
        let store = Subject(open(&with(Some("ca"))).await);
        store.write([Write::Put(document("a@x"), b"1".to_vec())]).await;
        assert_eq!(store.document("a@x").await.as_deref(), Some(&b"1"[..]));
        for wrong in [Some("other"), None] {
            let refused = refusal(&with(wrong)).await;
            assert!(matches!(refused, StartError::Away { .. }), "{refused}");
        }
        assert!(matches!(refusal(&with(Some("missing"))).await, StartError::Authority { .. }));
        let clear = refusal(&Config { tls: false, ..with(Some("ca")) }).await;
        assert!(matches!(clear, StartError::Setting { setting: "ca", .. }), "{clear}");
    });
}
