//! Headers, TLS, and what ends a stream before anybody has logged in.

use super::*;
use StreamCondition::*;

#[test]
fn a_clear_stream_must_start_tls_and_then_starts_again() {
    let mut scene = Scene::on(Channel::Clear);
    scene.says(HEADER);
    let starttls = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>";
    assert_eq!(scene.hears(), format!("{GREETING}<stream:features>{starttls}</stream:features>"));
    // Whoever is on the path may add something: it is dropped.
    scene.says("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><presence/>\0");
    assert_eq!(scene.hears(), "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    assert!(matches!(scene.next(), Effect::StartTls));
    assert!(!scene.stream.wants_bytes());
    scene.says("<presence/>");
    assert!(scene.effects.is_empty());
    scene.answers(Input::Encrypted(facts()));
    assert!(scene.stream.wants_bytes() && scene.stream.is_encrypted());
    scene.says(HEADER);
    let heard = scene.hears();
    let mechanisms = "<mechanism>SCRAM-SHA-256-PLUS</mechanism><mechanism>SCRAM-SHA-1-PLUS</mechanism>\
                      <mechanism>SCRAM-SHA-256</mechanism><mechanism>SCRAM-SHA-1</mechanism><mechanism>PLAIN</mechanism>";
    let bindings = "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='tls-exporter'/>\
                    <channel-binding type='tls-server-end-point'/></sasl-channel-binding>";
    assert!(heard.contains(mechanisms) && heard.contains(bindings), "{heard}");
    assert!(!heard.contains("starttls"));
}

#[test]
fn tls_is_started_once() {
    let mut scene = Scene::on(Channel::tls(facts()));
    scene.says(HEADER);
    scene.hears();
    scene.says("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    assert_eq!(scene.hears(), "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>");
    assert!(matches!(scene.next(), Effect::Close(Ending::Failed(_))));
}

#[test]
fn nobody_logs_in_without_tls() {
    let mut scene = Scene::on(Channel::Clear);
    scene.says(HEADER);
    scene.hears();
    scene
        .says("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldAByMG0zMA==</auth>");
    assert_eq!(
        scene.hears(),
        "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><encryption-required/></failure>"
    );
    scene.says("<message/>");
    scene.ends_with(NotAuthorized);
}

#[test]
fn a_bad_header_gets_its_condition_after_ours() {
    let with = |from: &str, to: &str| HEADER.replace(from, to);
    for (header, condition) in [
        (with("to='capulet.lit' ", ""), ImproperAddressing),
        (with("to='capulet.lit' ", "to='juliet@capulet.lit' "), ImproperAddressing),
        (with("capulet.lit", "montague.lit"), HostUnknown),
        (with("capulet.lit", "conference.capulet.lit"), HostUnknown),
        (with("capulet.lit", "@"), HostUnknown),
        (with("jabber:client", "jabber:server"), InvalidNamespace),
        (with("http://etherx.jabber.org/streams", "urn:other"), InvalidNamespace),
        (with("stream:stream", "stream:flow"), BadFormat),
        (with("streams'>", "streams'/>"), BadFormat),
        ("<presence/>".to_owned(), InvalidNamespace),
        (with("stream:stream", "stream"), BadNamespacePrefix),
        (with(" version='1.0' ", " "), UnsupportedVersion),
        (with("version='1.0' ", "version='0.9' "), UnsupportedVersion),
        (with("version='1.0' ", "version='one' "), UnsupportedVersion),
        ("GET / HTTP/1.1\r\n".to_owned(), NotWellFormed),
        ("<!DOCTYPE html><html>".to_owned(), RestrictedXml),
        ("<?xml version='1.0' encoding='utf-16'?>".to_owned(), UnsupportedEncoding),
        (format!("<a b='{}", "c".repeat(100_000)), PolicyViolation),
    ] {
        let mut scene = Scene::on(Channel::Clear);
        scene.says(&header);
        let Some(Effect::Write(bytes)) = scene.effects.first() else { panic!("{header}") };
        assert!(bytes.starts_with(b"<?xml version='1.0'?><stream:stream "), "{header}");
        assert_eq!(String::from_utf8_lossy(bytes).matches("<?xml").count(), 1);
        scene.ends_with(condition);
    }
}

#[test]
fn a_header_may_be_written_in_other_ways() {
    for header in [
        "<stream xmlns='http://etherx.jabber.org/streams' to='capulet.lit' version='1.0'>".to_owned(),
        "<s:stream xmlns:s='http://etherx.jabber.org/streams' xmlns='jabber:client' to='CAPULET.lit' version='1.10'>"
            .to_owned(),
        format!("\n {HEADER}").replace("1.0' ?", "1.0'?"),
    ] {
        let mut scene = Scene::on(Channel::Plain);
        scene.says(&header);
        assert_eq!(scene.hears(), format!("{GREETING}{MECHANISMS}"), "{header}");
    }
    let mut scene = Scene::on(Channel::Plain);
    scene.says(&HEADER.replace("to=", "from='juliet@capulet.lit' xml:lang='en-GB' to="));
    let greeting =
        GREETING.replace("lit' version", "lit' to='juliet@capulet.lit' version").replace("'en'", "'en-GB'");
    assert_eq!(scene.hears(), format!("{greeting}{MECHANISMS}"));
}

#[test]
fn ids_are_never_the_same() {
    let id = |seed: u8| {
        let mut scene = Scene::on(Channel::Plain);
        scene.stream = Stream::new(Channel::Plain, [seed; 32]);
        scene.says(HEADER);
        let Effect::Write(bytes) = scene.next() else { panic!() };
        let text = String::from_utf8(bytes).unwrap();
        text.split_once("id='").unwrap().1[..32].to_owned()
    };
    assert_ne!(id(1), id(2));
}

#[test]
fn who_does_not_log_in_is_cut_off() {
    for says in ["", HEADER] {
        let mut scene = Scene::on(Channel::Plain);
        scene.says(says);
        scene.effects.clear();
        scene.answers(Input::Timeout(Timeout::Idle));
        assert!(scene.effects.is_empty());
        scene.answers(Input::Timeout(Timeout::Login));
        scene.ends_with(ConnectionTimeout);
    }
    let mut scene = Scene::on(Channel::Clear);
    scene.says(&format!("{HEADER}<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"));
    scene.effects.clear();
    scene.answers(Input::Timeout(Timeout::Login));
    // Nothing clear after <proceed/>.
    assert!(
        matches!(scene.next(), Effect::Close(Ending::Failed(error)) if error.condition == ConnectionTimeout)
    );
}

#[test]
fn a_stream_ends_as_the_client_ends_it() {
    let mut scene = Scene::on(Channel::Plain);
    scene.says(HEADER);
    scene.hears();
    scene.says("</stream:stream>");
    assert_eq!(scene.hears(), "</stream:stream>");
    assert!(matches!(scene.next(), Effect::Close(Ending::Closed)));
    let mut scene = Scene::on(Channel::Plain);
    scene.says(HEADER);
    scene.hears();
    scene.says("<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>");
    assert_eq!(scene.hears(), "</stream:stream>");
    assert!(matches!(scene.next(), Effect::Close(Ending::Closed)));
    let mut scene = Scene::on(Channel::Plain);
    scene.answers(Input::PeerClosed);
    assert!(matches!(scene.next(), Effect::Close(Ending::Lost)));
    scene.answers(Input::PeerClosed);
    assert!(scene.effects.is_empty());
}

#[test]
fn the_server_may_end_it_at_any_time() {
    let mut scene = Scene::on(Channel::Plain);
    scene.answers(Input::End(SystemShutdown.into()));
    scene.ends_with(SystemShutdown);
    let mut scene = Scene::bound();
    scene.answers(Input::End(Conflict.into()));
    scene.ends_with(Conflict);
    // Whose session it was must still be known.
    assert!(scene.stream.account().is_some_and(|account| is_account(account, "juliet@capulet.lit")));
}
