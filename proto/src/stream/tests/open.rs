//! Bind, and what a bound client sends.

use super::*;
use crate::stanza::{Condition, Kind, PresenceType};

fn error(attributes: &str, inner: &str, kind: &str, condition: &str) -> String {
    format!(
        "<iq {attributes}>{inner}<error type='{kind}'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
    )
}

#[test]
fn a_resource_is_bound_as_the_account_says() {
    let mut scene = Scene::logged_in();
    let bind =
        "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>balcony</resource><required/></bind>";
    scene.says(&format!("<iq type='set' id='b'>{bind}</iq><presence/>"));
    match scene.next() {
        Effect::Enter(Ask::Bind { resource, anonymous }) => {
            assert!(
                scene.stream.account().is_some_and(|it| is_account(it, "juliet@capulet.lit")) && !anonymous
            );
            assert_eq!(resource.as_deref(), Some("balcony"));
        }
        other => panic!("{other:?}"),
    }
    assert!(!scene.stream.wants_bytes() && scene.effects.is_empty());
    scene.answers(Input::Bound("juliet@capulet.lit/balcony".parse().unwrap()));
    let jid = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>juliet@capulet.lit/balcony</jid></bind>";
    assert_eq!(scene.hears(), format!("<iq id='b' type='result'>{jid}</iq>"));
    assert!(scene.stream.is_bound());
    let Effect::Stanza(presence) = scene.next() else { panic!() };
    assert_eq!(presence.kind, Kind::Presence(PresenceType::Available));
}

#[test]
fn a_resource_that_is_refused_may_be_asked_for_again() {
    let mut scene = Scene::logged_in();
    let bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>";
    scene.says(&format!("<iq type='set' id='b'>{bind}</iq>"));
    assert!(matches!(scene.next(), Effect::Enter(Ask::Bind { resource: None, .. })));
    scene.answers(Input::Refused(Condition::ResourceConstraint.into()));
    assert_eq!(scene.hears(), error("id='b' type='error'", bind, "wait", "resource-constraint"));
    let long = "x".repeat(2000);
    let bad = format!("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{long}</resource></bind>");
    scene.says(&format!("<iq type='set' id='c'>{bad}</iq>"));
    assert_eq!(scene.hears(), error("id='c' type='error'", &bad, "modify", "bad-request"));
    scene.says(&format!("<iq type='set' id='d'>{bind}</iq>"));
    assert!(matches!(scene.next(), Effect::Enter(Ask::Bind { .. })));
}

#[test]
fn nothing_is_delivered_before_a_resource_is_bound() {
    for stanza in
        ["<presence/>", "<message/>", "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>"]
    {
        let mut scene = Scene::logged_in();
        scene.says(stanza);
        scene.ends_with(StreamCondition::NotAuthorized);
    }
}

#[test]
fn a_stream_has_one_resource_and_a_session_is_nothing() {
    let mut scene = Scene::bound();
    let bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>";
    scene.says(&format!("<iq type='set' id='b'>{bind}</iq>"));
    let head = "to='juliet@capulet.lit/balcony' id='b' type='error'";
    assert_eq!(scene.hears(), error(head, bind, "cancel", "not-allowed"));
    scene.says("<iq type='set' id='s'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>");
    assert_eq!(scene.hears(), "<iq to='juliet@capulet.lit/balcony' id='s' type='result'/>");
}

#[test]
fn a_client_speaks_for_itself_only() {
    for from in ["juliet@capulet.lit", "juliet@capulet.lit/balcony"] {
        let mut scene = Scene::bound();
        scene.says(&format!("<message from='{from}' to='romeo@montague.lit'/>"));
        let Effect::Stanza(message) = scene.next() else { panic!() };
        assert_eq!(message.from, None);
    }
    for from in ["romeo@montague.lit", "juliet@capulet.lit/chamber", "capulet.lit", "@", ""] {
        for to in ["romeo@montague.lit", "@"] {
            let mut scene = Scene::bound();
            scene.says(&format!("<message from='{from}' to='{to}'/>"));
            scene.ends_with(StreamCondition::InvalidFrom);
        }
    }
}

#[test]
fn what_is_wrong_with_a_stanza_is_answered() {
    let mut scene = Scene::bound();
    scene.says("<iq type='get' id='1' to='@'><ping xmlns='urn:xmpp:ping'/></iq>");
    let head = "to='juliet@capulet.lit/balcony' id='1' type='error'";
    assert_eq!(scene.hears(), error(head, "<ping xmlns='urn:xmpp:ping'/>", "modify", "jid-malformed"));
    scene.says("<iq type='get' id='1' to='romeo@montague.lit'/>");
    let head = "to='juliet@capulet.lit/balcony' from='romeo@montague.lit' id='1' type='error'";
    assert_eq!(scene.hears(), error(head, "", "modify", "bad-request"));
    scene.says("<iq type='result' id='1' to='@'/>");
    assert!(scene.effects.is_empty());
}

#[test]
fn the_language_of_the_stream_is_that_of_its_stanzas() {
    let mut scene = Scene::logged_in();
    scene.stream.restart();
    scene.stream.state = State::Reopening;
    scene.says(&HEADER.replace("to=", "xml:lang='it' to="));
    scene.says("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    scene.answers(Input::Bound("juliet@capulet.lit/balcony".parse().unwrap()));
    scene.effects.clear();
    scene.says("<message/><message xml:lang='de'/>");
    for expected in ["it", "de"] {
        let Effect::Stanza(message) = scene.next() else { panic!() };
        assert_eq!(message.lang.as_deref(), Some(expected));
    }
    let mut scene = Scene::bound();
    scene.says("<message/>");
    assert!(matches!(scene.next(), Effect::Stanza(message) if message.lang.is_none()));
}

#[test]
fn what_is_no_stanza_ends_the_stream() {
    for element in [
        "<talk/>",
        "<message xmlns='jabber:server'/>",
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>",
    ] {
        let mut scene = Scene::bound();
        scene.says(element);
        scene.ends_with(StreamCondition::UnsupportedStanzaType);
    }
}

#[test]
fn a_silent_client_is_asked_once() {
    let mut scene = Scene::bound();
    scene.answers(Input::Timeout(Timeout::Login));
    assert!(scene.effects.is_empty());
    scene.answers(Input::Timeout(Timeout::Idle));
    let Effect::Write(bytes) = scene.next() else { panic!() };
    let ping = crate::stanza::Stanza::parse(
        &String::from_utf8(bytes).unwrap().replace("<iq", "<iq xmlns='jabber:client'").into_bytes(),
    );
    let id = ping.unwrap().id.clone().unwrap();
    // Its answer is not for anybody else.
    scene.says(&format!("<iq type='result' id='{id}' to='capulet.lit'/>"));
    assert!(scene.effects.is_empty());
    scene.answers(Input::Timeout(Timeout::Idle));
    assert!(scene.hears().contains("urn:xmpp:ping"));
    scene.says(" ");
    scene.answers(Input::Timeout(Timeout::Idle));
    assert!(scene.hears().contains("urn:xmpp:ping"));
    scene.answers(Input::Timeout(Timeout::Idle));
    scene.ends_with(StreamCondition::ConnectionTimeout);
}

#[test]
fn stanzas_come_out_in_the_order_they_went_in_however_their_bytes_arrive() {
    let text: String =
        (0..50).map(|n| format!("<message id='{n}'><body>&lt;{n}</body></message>\n")).collect();
    for size in [1, 7, 64, 1000] {
        let mut scene = Scene::bound();
        for chunk in text.as_bytes().chunks(size) {
            scene.answers(Input::Bytes(chunk));
        }
        let ids = scene.effects.iter().map(|effect| match effect {
            Effect::Stanza(stanza) => stanza.id.as_deref().unwrap().to_owned(),
            other => panic!("{other:?}"),
        });
        assert_eq!(ids.collect::<Vec<_>>(), (0..50).map(|n| n.to_string()).collect::<Vec<_>>());
    }
}

#[test]
fn what_waits_for_an_answer_is_bounded() {
    let mut scene = Scene::logged_in();
    scene.says("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    scene.next();
    for _ in 0..3 {
        scene.says(&" ".repeat(100_000));
    }
    scene.ends_with(StreamCondition::PolicyViolation);
}
