//! Certificates at work: taken up without a restart, kept when the new ones are wrong, and used by clients to log in.

#![allow(clippy::unwrap_used)] // all of it is a test

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command as Program, Stdio};
use std::time::{Duration, Instant};

use muster::config::Kind;
use muster::{Command, Config, Node};
use openssl::pkey::PKey;
use openssl::ssl::{SslConnector, SslMethod, SslStream, SslVerifyMode};
use openssl::x509::X509;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    OtherNameValue, SanType,
};

/// `id-on-xmppAddr` (RFC 6120 §13.7.1.4).
const XMPP_ADDR: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 8, 5];

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate and its key.
    fn sign(&self, name: SanType, usage: ExtendedKeyUsagePurpose) -> (String, String) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // A name like its authority's would make it look self-signed.
        params.distinguished_name.push(DnType::CommonName, "signed");
        params.subject_alt_names.push(name);
        params.extended_key_usages.push(usage);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn server(&self, folder: &Path) -> String {
        let name = SanType::DnsName(Ia5String::try_from("capulet.lit").unwrap());
        let (certificate, key) = self.sign(name, ExtendedKeyUsagePurpose::ServerAuth);
        write(folder, "tls.crt", &certificate);
        write(folder, "tls.key", &key);
        certificate
    }

    fn client(&self, account: &str) -> (String, String) {
        let name = OtherNameValue::Utf8String(account.to_owned());
        self.sign(SanType::OtherName((XMPP_ADDR.to_vec(), name)), ExtendedKeyUsagePurpose::ClientAuth)
    }
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
    std::fs::set_permissions(folder.join(name), PermissionsExt::from_mode(0o600)).unwrap();
}

fn config(folder: &Path) -> Config {
    // Held until it is written down; a test is over before another program could want it.
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = format!(
        "[node]\ndata = \"data\"\n[storage]\npath = \"db\"\n[[domain]]\nname = \"capulet.lit\"\n\
         [[listener]]\nkind = \"client\"\naddress = \"{}\"\ntls = \"direct\"\n\
         [[listener]]\nkind = \"http\"\naddress = \"{}\"\n\
         [tls]\ncertificate = \"tls.crt\"\nkey = \"tls.key\"\nclient_ca = \"ca.pem\"\nreload_seconds = 1\n",
        free(),
        free()
    );
    std::fs::write(folder.join("muster.toml"), text).unwrap();
    Config::load(&folder.join("muster.toml")).unwrap()
}

fn connect(address: SocketAddr, certificate: Option<&(String, String)>) -> SslStream<TcpStream> {
    let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
    // What is looked at here is which certificate comes, not whether it is trusted.
    connector.set_verify(SslVerifyMode::NONE);
    if let Some((certificate, key)) = certificate {
        connector.set_certificate(&X509::from_pem(certificate.as_bytes()).unwrap()).unwrap();
        connector.set_private_key(&PKey::private_key_from_pem(key.as_bytes()).unwrap()).unwrap();
    }
    let tcp = TcpStream::connect(address).unwrap();
    tcp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    connector.build().connect("capulet.lit", tcp).unwrap()
}

fn served(address: SocketAddr) -> X509 {
    connect(address, None).ssl().peer_certificate().unwrap()
}

/// Logs in with EXTERNAL; what was offered, and how it ended.
fn external(address: SocketAddr, certificate: Option<&(String, String)>) -> (bool, bool) {
    let mut stream = connect(address, certificate);
    let mut talk = |say: &str, until: &[&str]| {
        stream.write_all(say.as_bytes()).unwrap();
        let mut heard = String::new();
        while !until.iter().any(|end| heard.contains(end)) {
            let mut bytes = [0; 4096];
            let count = stream.read(&mut bytes).unwrap();
            assert!(count > 0, "the stream ended: {heard}");
            heard.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        }
        heard
    };
    let features = talk(
        "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='capulet.lit' version='1.0'>",
        &["</stream:features>"],
    );
    let answer = talk(
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>",
        &["<success", "</failure>"],
    );
    (features.contains("EXTERNAL"), answer.contains("<success"))
}

#[test]
fn a_certificate_is_taken_up_on_sighup_and_on_change_and_a_wrong_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    write(folder.path(), "ca.pem", &authority.pem);
    let x509 = |pem: String| X509::from_pem(pem.as_bytes()).unwrap();
    let first = x509(authority.server(folder.path()));
    let config = config(folder.path());
    let running = Node::start(config).unwrap();
    assert!(running.wait_until_ready(Duration::from_secs(20)));
    let address = running.addresses(Kind::Client)[0];
    assert_eq!(served(address), first);
    let comes = |certificate: &X509| {
        let deadline = Instant::now() + Duration::from_secs(20);
        while served(address) != *certificate {
            assert!(Instant::now() < deadline, "the certificate is not taken up");
            std::thread::sleep(Duration::from_millis(20));
        }
    };

    let second = x509(authority.server(folder.path()));
    running.tell(Command::Reload);
    comes(&second);

    // A key that was made for another certificate.
    let (_, key) = authority.client("juliet@capulet.lit");
    write(folder.path(), "tls.key", &key);
    running.tell(Command::Reload);
    assert_eq!(served(address), second);

    let third = x509(authority.server(folder.path()));
    comes(&third);
    running.stop().unwrap();
}

#[test]
fn a_client_logs_in_with_a_certificate_that_names_its_account() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    write(folder.path(), "ca.pem", &authority.pem);
    authority.server(folder.path());
    let config = config(folder.path());
    let file = folder.path().join("muster.toml");
    let mut add = Program::new(env!("CARGO_BIN_EXE_muster"));
    add.args(["user", "add", "juliet@capulet.lit", "--config"]).arg(&file).stdin(Stdio::piped());
    let mut add = add.spawn().unwrap();
    add.stdin.take().unwrap().write_all(b"r0m30\n").unwrap();
    assert!(add.wait().unwrap().success());

    let running = Node::start(config).unwrap();
    assert!(running.wait_until_ready(Duration::from_secs(20)));
    let address = running.addresses(Kind::Client)[0];
    assert_eq!(external(address, Some(&authority.client("juliet@capulet.lit"))), (true, true));
    assert_eq!(external(address, Some(&authority.client("nobody@capulet.lit"))), (true, false));
    assert_eq!(external(address, Some(&authority.client("juliet@montague.lit"))), (false, false));
    // Of an authority that nobody named: TLS stands, but it is nobody's.
    assert_eq!(external(address, Some(&Authority::new().client("juliet@capulet.lit"))), (false, false));
    assert_eq!(external(address, None), (false, false));
    running.stop().unwrap();
}
