//! SASL's elements, retries and restarts.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::*;

const SASL: &str = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";

fn auth(mechanism: &str, message: &[u8]) -> String {
    format!("<auth {SASL} mechanism='{mechanism}'>{}</auth>", STANDARD.encode(message))
}

fn failure(name: &str) -> String {
    format!("<failure {SASL}><{name}/></failure>")
}

fn greeted(channel: Channel) -> Scene {
    let mut scene = Scene::on(channel);
    scene.says(HEADER);
    scene.effects.clear();
    scene
}

#[test]
fn a_password_is_looked_up_and_derived_and_then_the_stream_starts_again() {
    let mut scene = greeted(Channel::Plain);
    // A client that does not wait: what it sends early is kept.
    scene.says(&(auth("PLAIN", b"\0juliet\0r0m30") + HEADER));
    assert!(matches!(scene.next(), Effect::Lookup(account) if is_account(&account, "juliet@capulet.lit")));
    assert!(!scene.stream.wants_bytes() && scene.effects.is_empty());
    scene.answers(Input::Credentials(Ok(juliet())));
    let Effect::Derive(derivation) = scene.next() else { panic!() };
    assert!(scene.effects.is_empty());
    scene.answers(Input::Derived(derivation.run()));
    assert!(matches!(scene.next(), Effect::LoggedIn(account) if is_account(&account, "juliet@capulet.lit")));
    assert_eq!(scene.hears(), format!("<success {SASL}/>{GREETING}{BIND}"));
    assert!(scene.stream.account().is_some_and(|account| is_account(account, "juliet@capulet.lit")));
}

#[test]
fn scram_runs_over_the_wire() {
    let mut scene = greeted(Channel::Plain);
    scene.says(&format!("<auth {SASL} mechanism='SCRAM-SHA-1'/>"));
    assert_eq!(scene.hears(), format!("<challenge {SASL}/>"));
    scene.says(&format!("<response {SASL}>{}</response>", STANDARD.encode("n,,n=juliet,r=abc")));
    assert!(matches!(scene.next(), Effect::Lookup(_)));
    scene.answers(Input::Credentials(Ok(juliet())));
    let Effect::Write(bytes) = scene.next() else { panic!() };
    let text = String::from_utf8(bytes).unwrap();
    let challenge = text.split_once('>').unwrap().1.split_once('<').unwrap().0;
    let challenge = String::from_utf8(STANDARD.decode(challenge).unwrap()).unwrap();
    let nonce = challenge.strip_prefix("r=").unwrap().split(',').next().unwrap();
    assert!(nonce.starts_with("abc") && nonce.len() == 35 && challenge.ends_with(",i=16"));
    let hash = Hash::Sha1;
    let key = hash.hmac(&hash.stretch(b"r0m30", &[5; 16], 16), b"Client Key");
    let last = format!("c=biws,r={nonce}");
    let signature = hash.hmac(&hash.digest(&key), format!("n=juliet,r=abc,{challenge},{last}").as_bytes());
    let proof: Vec<u8> = key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
    let last = format!("{last},p={}", STANDARD.encode(proof));
    scene.says(&format!("<response {SASL}>{}</response>", STANDARD.encode(last)));
    assert!(matches!(scene.next(), Effect::LoggedIn(_)));
    let heard = scene.hears();
    let proof = heard.split_once('>').unwrap().1.split_once('<').unwrap().0;
    assert!(STANDARD.decode(proof).unwrap().starts_with(b"v="), "{heard}");
}

#[test]
fn a_failure_says_why_and_too_many_end_the_stream() {
    let mut scene = greeted(Channel::Plain);
    for (says, why) in [
        (format!("<auth {SASL} mechanism='LOGIN'/>"), "invalid-mechanism"),
        (format!("<auth {SASL} mechanism='PLAIN'>!</auth>"), "incorrect-encoding"),
        (format!("<response {SASL}/>"), "malformed-request"),
        (format!("<abort {SASL}/>"), "aborted"),
    ] {
        scene.says(&says);
        assert_eq!(scene.hears(), failure(why));
    }
    scene.says(&auth("SCRAM-SHA-1-PLUS", b""));
    assert!(
        matches!(&scene.effects[0], Effect::Write(bytes) if bytes.starts_with(failure("encryption-required").as_bytes()))
    );
    scene.ends_with(StreamCondition::PolicyViolation);
}

#[test]
fn a_wrong_password_is_counted_and_may_be_tried_again() {
    let mut scene = greeted(Channel::tls(facts()));
    for _ in 1..5 {
        scene.says(&auth("PLAIN", b"\0juliet\0paris"));
        assert!(matches!(scene.next(), Effect::Lookup(_)));
        scene.answers(Input::Credentials(Ok(juliet())));
        let Effect::Derive(derivation) = scene.next() else { panic!() };
        scene.answers(Input::Derived(derivation.run()));
        assert!(
            matches!(scene.next(), Effect::LogInFailed(Some(account)) if is_account(&account, "juliet@capulet.lit"))
        );
        assert_eq!(scene.hears(), failure("not-authorized"));
    }
    scene.says(&auth("PLAIN", b"\0juliet\0"));
    assert!(matches!(scene.next(), Effect::LogInFailed(None)));
    scene.ends_with(StreamCondition::PolicyViolation);
}

#[test]
fn an_exchange_can_be_aborted() {
    let mut scene = greeted(Channel::Plain);
    scene.says(&format!("<auth {SASL} mechanism='PLAIN'/><abort {SASL}/>"));
    assert_eq!(scene.hears(), format!("<challenge {SASL}/>{}", failure("aborted")));
    scene.says(&format!("<auth {SASL} mechanism='PLAIN'/><auth {SASL} mechanism='PLAIN'/>"));
    assert_eq!(scene.hears(), format!("<challenge {SASL}/>{}", failure("malformed-request")));
    scene.says(&auth("PLAIN", b"\0juliet\0r0m30"));
    assert!(matches!(scene.next(), Effect::Lookup(_)));
}

#[test]
fn a_store_that_is_away_is_not_a_wrong_password() {
    let mut scene = greeted(Channel::Plain);
    scene.says(&auth("PLAIN", b"\0juliet\0r0m30"));
    scene.next();
    scene.answers(Input::Credentials(Err(StoreError::Away("gone".into()))));
    assert_eq!(scene.hears(), failure("temporary-auth-failure"));
    assert!(scene.effects.is_empty());
}

#[test]
fn a_certificate_and_nobody_log_in_where_they_may() {
    let juliet_cert = TlsFacts { client_identities: vec!["juliet@capulet.lit".parse().unwrap()], ..facts() };
    let mut scene = Scene::on(Channel::tls(juliet_cert));
    scene.says(HEADER);
    assert!(
        scene.hears().contains("<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL<")
    );
    scene.says(&format!("<auth {SASL} mechanism='EXTERNAL'>=</auth>"));
    assert!(matches!(scene.next(), Effect::Lookup(_)));
    scene.answers(Input::Credentials(Ok(juliet())));
    assert!(matches!(scene.next(), Effect::LoggedIn(_)));

    let mut scene = greeted(Channel::Plain);
    scene.says(&format!("<auth {SASL} mechanism='ANONYMOUS'/>"));
    assert_eq!(scene.hears(), failure("invalid-mechanism"));
    let mut scene = Scene::on(Channel::Plain);
    let header = HEADER.replace("capulet.lit", "masks.lit");
    scene.says(&header);
    assert!(scene.hears().contains("<mechanism>ANONYMOUS<"));
    scene.says(&format!("<auth {SASL} mechanism='ANONYMOUS'>=</auth>"));
    assert!(matches!(scene.next(), Effect::LoggedIn(account) if account.domain().as_str() == "masks.lit"));
    scene.says(&header);
    scene.effects.clear();
    scene.says("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    assert!(matches!(scene.next(), Effect::Enter(Ask::Bind { anonymous: true, resource: None })));
}

#[test]
fn the_new_stream_is_the_same_persons_at_the_same_domain() {
    let log_in = || {
        let mut scene = greeted(Channel::Plain);
        scene.says(&auth("PLAIN", b"\0juliet\0r0m30"));
        scene.answers(Input::Credentials(Ok(juliet())));
        let Some(Effect::Derive(derivation)) = scene.effects.pop() else { panic!() };
        scene.answers(Input::Derived(derivation.run()));
        scene.effects.clear();
        scene
    };
    let mut scene = log_in();
    scene.says(&HEADER.replace("capulet.lit", "masks.lit"));
    scene.ends_with(StreamCondition::ImproperAddressing);
    let mut scene = log_in();
    scene.says(&HEADER.replace("to=", "from='romeo@capulet.lit' to="));
    scene.ends_with(StreamCondition::InvalidFrom);
    let mut scene = log_in();
    scene.says(&HEADER.replace("to=", "from='juliet@capulet.lit' to="));
    assert!(scene.hears().contains(" to='juliet@capulet.lit'"));
    let mut scene = log_in();
    scene.says("<presence/>");
    scene.ends_with(StreamCondition::InvalidNamespace);
}

#[test]
fn little_is_read_of_a_stranger_and_much_of_a_user() {
    let large = format!("<message><body>{}</body></message>", "a".repeat(100_000));
    let mut scene = greeted(Channel::Plain);
    scene.says(&large);
    scene.ends_with(StreamCondition::PolicyViolation);
    let mut scene = Scene::bound();
    scene.says(&large);
    assert!(matches!(scene.next(), Effect::Stanza(_)));
}

const REGISTER: &str = "jabber:iq:register";

fn open_to_strangers() -> Scene {
    let mut scene = Scene::on(Channel::Plain);
    scene.options.domains[0].registration = true;
    scene.says(HEADER);
    assert!(scene.hears().contains("<register xmlns='http://jabber.org/features/iq-register'/>"));
    scene
}

#[test]
fn a_stranger_registers_where_that_is_allowed_and_then_logs_in() {
    let mut scene = open_to_strangers();
    scene.says(&format!("<iq type='get' id='1' to='capulet.lit'><query xmlns='{REGISTER}'/></iq>"));
    let form = scene.hears();
    assert!(form.contains("type='result'") && form.contains("<username/><password/>"), "{form}");
    let wish =
        format!("<query xmlns='{REGISTER}'><username>nurse</username><password>angelica</password></query>");
    scene.says(&format!("<iq type='set' id='2'>{wish}</iq>"));
    match scene.next() {
        Effect::Register { account, password } => {
            assert!(is_account(&account, "nurse@capulet.lit") && password == "angelica");
        }
        other => panic!("{other:?}"),
    }
    assert!(!scene.stream.wants_bytes());
    scene.answers(Input::Registered(Ok(())));
    assert_eq!(scene.hears(), "<iq id='2' type='result'/>");
    scene.says(&auth("PLAIN", b"\0nurse\0angelica"));
    assert!(matches!(scene.next(), Effect::Lookup(account) if is_account(&account, "nurse@capulet.lit")));
}

#[test]
fn a_registration_that_cannot_be_says_why_without_repeating_the_password() {
    let mut scene = open_to_strangers();
    for (fields, why) in [
        ("<username>nurse</username>", "not-acceptable"),
        ("<username>nurse@montague.lit</username><password>x</password>", "jid-malformed"),
        ("<username>nurse/x</username><password>x</password>", "jid-malformed"),
        ("<remove/>", "registration-required"),
    ] {
        scene.says(&format!("<iq type='set' id='2'><query xmlns='{REGISTER}'>{fields}</query></iq>"));
        let heard = scene.hears();
        assert!(heard.contains(&format!("<{why} ")) && !heard.contains("<password"), "{heard}");
    }
    let wish = "<username>nurse</username><password>x</password>";
    scene.says(&format!("<iq type='set' id='3'><query xmlns='{REGISTER}'>{wish}</query></iq>"));
    scene.next();
    scene.answers(Input::Registered(Err(crate::stanza::Condition::Conflict.into())));
    assert!(scene.hears().contains("<conflict "));
}

#[test]
fn where_registration_is_off_a_stranger_s_stanza_ends_the_stream() {
    let mut scene = greeted(Channel::Plain);
    scene.says(&format!("<iq type='get' id='1'><query xmlns='{REGISTER}'/></iq>"));
    scene.ends_with(StreamCondition::NotAuthorized);
}
