//! TLS by STARTTLS (RFC 6120 §5) and from the first byte (XEP-0368), and log-in that is bound to it or made by a certificate.

use muster_proto::Element;
use muster_tests::Stage;
use muster_tests::client::login::Outcome;
use muster_tests::client::pipe::Tcp;
use muster_tests::client::{Client, PATIENCE};
use muster_tests::stage::certificates::Certificate;
use muster_tests::stage::{Door, Nodes, PASSWORD};

const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";

/// A client before the door of the shared node.
fn knocks(stage: &Stage, door: Door) -> Client {
    stage.client(Box::new(Tcp::dial(Nodes::one().address(0, door))))
}

/// A client whose TLS stands, perhaps with a certificate, and the features it is offered.
fn comes_in(stage: &Stage, door: Door, certificate: Option<&Certificate>) -> (Client, Element) {
    let mut client = knocks(stage, door);
    let connector = Nodes::one().authority().connector(certificate);
    if door == Door::StartTls {
        let features = client.open("montague.lit");
        assert!(
            features.get_child("starttls", TLS).is_some_and(|it| it.has_child("required", TLS)),
            "{features:?}"
        );
        assert!(!features.has_child("mechanisms", SASL), "nothing before TLS: {features:?}");
        client.say(&format!("<starttls xmlns='{TLS}'/>"));
        assert!(client.element().is("proceed", TLS));
    }
    client.secure(&connector, "montague.lit");
    let features = client.open("montague.lit");
    assert!(!features.has_child("starttls", TLS), "{features:?}");
    (client, features)
}

fn mechanisms(features: &Element) -> Vec<String> {
    let mechanisms = features.get_child("mechanisms", SASL).expect("mechanisms");
    mechanisms.children().map(Element::text).collect()
}

fn logs_in(door: Door, mechanism: &str, binding: Option<&str>, outcome: &Outcome) {
    let mut stage = Stage::node();
    stage.account("romeo@montague.lit");
    let (mut client, features) = comes_in(&stage, door, None);
    assert!(mechanisms(&features).iter().any(|name| name == mechanism), "{features:?}");
    assert_eq!(client.log_in(mechanism, "romeo", PASSWORD, binding), *outcome);
    if *outcome == Outcome::Success {
        client.restart();
        client.open("montague.lit");
        assert_eq!(client.bind(Some("orchard")).as_deref(), Ok("romeo@montague.lit/orchard"));
    }
}

#[test]
fn by_starttls_one_comes_in_with_every_mechanism() {
    for mechanism in ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"] {
        logs_in(Door::StartTls, mechanism, None, &Outcome::Success);
    }
}

#[test]
fn a_log_in_is_bound_to_the_channel() {
    for mechanism in ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"] {
        for binding in ["tls-exporter", "tls-server-end-point"] {
            for door in [Door::StartTls, Door::Direct] {
                logs_in(door, mechanism, Some(binding), &Outcome::Success);
            }
        }
    }
}

#[test]
fn a_log_in_bound_to_another_channel_fails() {
    let mut stage = Stage::node();
    stage.account("romeo@montague.lit");
    let (mut client, _) = comes_in(&stage, Door::Direct, None);
    let (other, _) = comes_in(&stage, Door::Direct, None);
    let stolen = other.channel("tls-exporter");
    let outcome = client.log_in_bound("SCRAM-SHA-256-PLUS", "romeo", PASSWORD, ("tls-exporter", stolen));
    assert_eq!(outcome, Outcome::Failure("not-authorized".to_owned()));
}

#[test]
fn a_client_that_was_lied_to_about_bindings_is_not_let_in() {
    // RFC 5802 §6: "y" says that the server offered no `-PLUS`, but it did.
    logs_in(Door::StartTls, "SCRAM-SHA-256", Some("y"), &Outcome::Failure("not-authorized".to_owned()));
}

#[test]
fn bindings_are_announced() {
    let stage = Stage::node();
    let (_, features) = comes_in(&stage, Door::StartTls, None);
    let bindings = features.get_child("sasl-channel-binding", "urn:xmpp:sasl-cb:0").expect("XEP-0440");
    let types: Vec<_> = bindings.children().filter_map(|child| child.attr("type")).collect();
    assert!(types.contains(&"tls-exporter") && types.contains(&"tls-server-end-point"), "{types:?}");
}

#[test]
fn direct_tls_speaks_xmpp_by_name() {
    let stage = Stage::node();
    let (client, features) = comes_in(&stage, Door::Direct, None);
    assert_eq!(client.tls().and_then(|tls| tls.selected_alpn_protocol()), Some(&b"xmpp-client"[..]));
    assert!(!mechanisms(&features).contains(&"EXTERNAL".to_owned()));
}

#[test]
fn a_certificate_logs_its_owner_in() {
    let mut stage = Stage::node();
    stage.account("romeo@montague.lit");
    let certificate = Nodes::one().authority().sign_client(&stage.real("romeo@montague.lit"));
    let (mut client, features) = comes_in(&stage, Door::StartTls, Some(&certificate));
    assert_eq!(mechanisms(&features).first().map(String::as_str), Some("EXTERNAL"));
    assert_eq!(client.log_in("EXTERNAL", "romeo", "", None), Outcome::Success);
    client.restart();
    client.open("montague.lit");
    assert_eq!(client.bind(Some("orchard")).as_deref(), Ok("romeo@montague.lit/orchard"));
}

#[test]
fn before_tls_nobody_logs_in() {
    let mut stage = Stage::node();
    stage.account("romeo@montague.lit");
    let mut client = knocks(&stage, Door::StartTls);
    client.open("montague.lit");
    client.say_auth("PLAIN", Some("\0romeo\0wherefore art thou"));
    let answer = client.element();
    let is_failure = answer.has_child("encryption-required", SASL);
    let is_error = answer.has_child("policy-violation", "urn:ietf:params:xml:ns:xmpp-streams")
        || answer.has_child("not-authorized", "urn:ietf:params:xml:ns:xmpp-streams");
    assert!(is_failure || is_error, "{answer:?}");
}

#[test]
fn what_was_slipped_in_before_tls_is_not_heard() {
    let stage = Stage::node();
    let mut client = knocks(&stage, Door::StartTls);
    client.open("montague.lit");
    client.say(&format!("<starttls xmlns='{TLS}'/><auth xmlns='{SASL}' mechanism='PLAIN'>AHIAcA==</auth>"));
    assert!(client.element().is("proceed", TLS));
    client.secure(&Nodes::one().authority().connector(None), "montague.lit");
    client.open("montague.lit");
    client.say_auth("SHIBBOLETH", Some(""));
    assert_eq!(client.outcome(), Outcome::Failure("invalid-mechanism".to_owned()));
}

#[test]
fn who_speaks_no_tls_at_its_door_is_sent_away() {
    let stage = Stage::node();
    let mut client = knocks(&stage, Door::Direct);
    client.say("<stream:stream to='montague.lit' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>");
    assert!(client.closes(PATIENCE));
}
