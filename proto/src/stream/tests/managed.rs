//! Stream management (XEP-0198): what is written when.

use super::*;
use crate::machine::Resumption;
use crate::session::Word;
use crate::stanza::Condition;
use crate::stream::Wrote;
use crate::testing::stanza;

fn failed(attributes: &str, condition: &str) -> String {
    format!(
        "<failed xmlns='urn:xmpp:sm:3'{attributes}><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>"
    )
}

fn word(scene: &mut Scene) -> Word {
    match scene.next() {
        Effect::Word(word) => word,
        other => panic!("{other:?}"),
    }
}

/// Juliet, managed.
fn managed() -> Scene {
    let mut scene = Scene::bound();
    scene.says("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    scene.answers(Input::Enabled { id: Some("some-id".into()), max: 600 });
    scene.effects.clear();
    scene
}

/// What it hears when its session says that so many of its stanzas were handled.
fn handled(scene: &mut Scene, h: u32) -> String {
    let mut bytes = vec![];
    scene.stream.write_handled(h, &mut bytes);
    String::from_utf8(bytes).unwrap()
}

fn resumption() -> Resumption {
    let jid = "juliet@capulet.lit/balcony".parse().unwrap();
    Resumption { sid: 1, jid, heard: 7, sent: 3, bytes: 0 }
}

#[test]
fn a_client_enables_it_and_what_it_said_meanwhile_comes_after() {
    let mut scene = Scene::bound();
    scene.says(
        "<presence/><enable xmlns='urn:xmpp:sm:3' resume='1' max='60'/><presence/><r xmlns='urn:xmpp:sm:3'/>",
    );
    assert!(matches!(scene.next(), Effect::Stanza(_)));
    assert_eq!(word(&mut scene), Word::Enable { resume: true, max: Some(60) });
    assert!(scene.effects.is_empty() && !scene.stream.wants_bytes() && scene.stream.is_bound());
    scene.answers(Input::Enabled { id: Some("some-id".into()), max: 60 });
    assert_eq!(scene.hears(), "<enabled xmlns='urn:xmpp:sm:3' id='some-id' max='60' resume='true'/>");
    assert!(matches!(word(&mut scene), Word::Stanza(1, _)));
    assert_eq!(word(&mut scene), Word::AckRequested(1));
    assert_eq!(handled(&mut scene, 1), "<a xmlns='urn:xmpp:sm:3' h='1'/>");
    scene.says("<a xmlns='urn:xmpp:sm:3' h='4294967295'/>");
    assert_eq!(word(&mut scene), Word::Acked(u32::MAX));
}

#[test]
fn what_a_client_is_told_never_falls() {
    let mut scene = managed();
    for (h, told) in [(0, 0), (17, 17), (23, 23), (17, 23), (23, 23), (24, 24)] {
        assert_eq!(handled(&mut scene, h), format!("<a xmlns='urn:xmpp:sm:3' h='{told}'/>"));
    }
}

#[test]
fn what_its_session_knows_already_is_not_said_again() {
    let (mut scene, mut known) = (managed(), 0);
    for h in [0, 0, 1, 1, 3] {
        scene.says(&format!("<a xmlns='urn:xmpp:sm:3' h='{h}'/>"));
        if h != known {
            assert_eq!(word(&mut scene), Word::Acked(h));
            known = h;
        }
        assert!(scene.effects.is_empty() && !scene.stream.is_closed(), "{h}");
    }
}

/// Most clients say `<r/>` and `<a/>` alike, and that is read faster, if it comes whole; it means the same.
#[test]
fn short_words_mean_the_same_however_they_are_written_and_come() {
    let words = [
        "<r xmlns='urn:xmpp:sm:3'/>",
        "<r xmlns=\"urn:xmpp:sm:3\" />",
        "<r  xmlns='urn:xmpp:sm:3'></r>",
        "<a xmlns='urn:xmpp:sm:3' h='0'/>",
        "<a xmlns=\"urn:xmpp:sm:3\" h=\"4294967295\" />",
        "<a h='7' xmlns='urn:xmpp:sm:3'/>",
        "<a xmlns='urn:xmpp:sm:3' h='7' id='x'/>",
        "<a xmlns='urn:xmpp:sm:3' h='4294967296'/>",
        "<a xmlns='urn:xmpp:sm:3' h=''/>",
        "<a xmlns='urn:xmpp:sm:3' h='-1'/>",
        "<a xmlns='urn:xmpp:sm:3' h='7\"/><presence/>",
        "<a xmlns='urn:xmpp:sm:3' h=7/>",
        "<a xmlns='urn:xmpp:sm:3'/>",
        "<r xmlns='urn:xmpp:sm:4'/>",
        "<rr xmlns='urn:xmpp:sm:3'/>",
        "<r xmlns='urn:xmpp:sm:3'/><a xmlns='urn:xmpp:sm:3' h='1'/><presence/><r xmlns='urn:xmpp:sm:3'/>",
    ];
    for words in words {
        let (mut whole, mut slow) = (managed(), managed());
        whole.says(words);
        words.split("").for_each(|byte| slow.says(byte));
        assert_eq!(format!("{:?}", whole.effects), format!("{:?}", slow.effects), "{words}");
        assert_eq!(whole.stream.is_closed(), slow.stream.is_closed(), "{words}");
    }
}

#[test]
fn it_may_be_enabled_without_being_resumed() {
    let mut scene = Scene::bound();
    scene.says("<enable xmlns='urn:xmpp:sm:3'/>");
    assert_eq!(word(&mut scene), Word::Enable { resume: false, max: None });
    scene.answers(Input::Enabled { id: None, max: 0 });
    assert_eq!(scene.hears(), "<enabled xmlns='urn:xmpp:sm:3'/>");
    let mut scene = Scene::bound();
    scene.says("<enable xmlns='urn:xmpp:sm:3'/><presence/>");
    scene.next();
    scene.answers(Input::NotEnabled(Condition::ServiceUnavailable));
    assert_eq!(scene.hears(), failed("", "service-unavailable"));
    assert!(matches!(scene.next(), Effect::Stanza(_)), "the stream goes on without");
}

#[test]
fn out_of_turn_it_fails_and_the_stream_goes_on() {
    for early in
        ["<enable xmlns='urn:xmpp:sm:3'/>", "<r xmlns='urn:xmpp:sm:3'/>", "<a xmlns='urn:xmpp:sm:3' h='1'/>"]
    {
        let mut scene = Scene::logged_in();
        scene.says(early);
        assert_eq!(scene.hears(), failed("", "unexpected-request"), "{early}");
        scene.says("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
        assert!(matches!(scene.next(), Effect::Enter(Ask::Bind { .. })));
    }
    for out_of_turn in ["<r xmlns='urn:xmpp:sm:3'/>", "<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>"] {
        let mut scene = Scene::bound();
        scene.says(out_of_turn);
        assert_eq!(scene.hears(), failed("", "unexpected-request"), "{out_of_turn}");
        scene.says("<presence/>");
        assert!(matches!(scene.next(), Effect::Stanza(_)));
    }
    let mut scene = Scene::on(Channel::Plain);
    scene.says(HEADER);
    scene.effects.clear();
    scene.says("<enable xmlns='urn:xmpp:sm:3'/>");
    assert_eq!(scene.hears(), failed("", "unexpected-request"), "before log-in");
    scene.says("<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>");
    assert_eq!(scene.hears(), failed("", "unexpected-request"), "before log-in");
}

#[test]
fn what_cannot_be_read_fails() {
    for bad in
        ["<enable xmlns='urn:xmpp:sm:3' resume='maybe'/>", "<enable xmlns='urn:xmpp:sm:3' max='soon'/>"]
    {
        let mut scene = Scene::bound();
        scene.says(bad);
        assert_eq!(scene.hears(), failed("", "bad-request"), "{bad}");
    }
    for bad in [
        "<a xmlns='urn:xmpp:sm:3'/>",
        "<a xmlns='urn:xmpp:sm:3' h='-1'/>",
        "<a xmlns='urn:xmpp:sm:3' h='4294967296'/>",
    ] {
        let mut scene = managed();
        scene.says(bad);
        assert_eq!(scene.hears(), failed("", "bad-request"), "{bad}");
    }
    let mut scene = Scene::logged_in();
    scene.says("<resume xmlns='urn:xmpp:sm:3' h='1'/><resume xmlns='urn:xmpp:sm:3' previd='x'/>");
    assert_eq!(scene.hears(), [failed("", "bad-request"), failed("", "bad-request")].concat());
    let mut scene = managed();
    scene.says("<other xmlns='urn:xmpp:sm:3'/>");
    scene.ends_with(StreamCondition::UnsupportedStanzaType);
}

#[test]
fn who_enables_it_twice_is_told_and_sent_away() {
    let mut scene = managed();
    scene.says("<enable xmlns='urn:xmpp:sm:3'/>");
    let heard = scene.hears();
    assert!(heard.starts_with(&failed("", "unexpected-request")), "{heard}");
    assert!(matches!(scene.next(), Effect::Close(ending) if !ending.is_resumable()));
}

#[test]
fn a_client_resumes_instead_of_binding() {
    let mut scene = Scene::logged_in();
    scene.says("<resume xmlns='urn:xmpp:sm:3' previd='some-id' h='3'/><presence/>");
    match scene.next() {
        Effect::Enter(Ask::Resume { id, h }) => {
            assert!(scene.stream.account().is_some_and(|it| is_account(it, "juliet@capulet.lit")));
            assert_eq!((id.as_str(), h), ("some-id", 3));
        }
        other => panic!("{other:?}"),
    }
    assert!(scene.effects.is_empty() && !scene.stream.wants_bytes());
    scene.answers(Input::Resumed(resumption()));
    assert_eq!(scene.hears(), "<resumed xmlns='urn:xmpp:sm:3' h='7' previd='some-id'/>");
    assert!(matches!(word(&mut scene), Word::Stanza(8, _)));
    assert!(scene.stream.is_bound() && scene.stream.is_managed());
    let mut bytes = vec![];
    assert_eq!(scene.stream.write_counted(4, &stanza("<presence/>"), &mut bytes), Wrote::Now);
    assert_eq!(bytes, b"<presence/>");
}

#[test]
fn who_cannot_resume_may_bind() {
    let mut scene = Scene::logged_in();
    scene.says("<resume xmlns='urn:xmpp:sm:3' previd='some-id' h='3'/>");
    scene.next();
    scene.answers(Input::NotResumed(Some(9)));
    assert_eq!(scene.hears(), failed(" h='9'", "item-not-found"));
    scene.says("<resume xmlns='urn:xmpp:sm:3' previd='other' h='0'/>");
    scene.next();
    scene.answers(Input::NotResumed(None));
    assert_eq!(scene.hears(), failed("", "item-not-found"));
    scene.says("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    assert!(matches!(scene.next(), Effect::Enter(Ask::Bind { .. })));
}

#[test]
fn a_client_is_asked_every_eight_stanzas_and_after_a_while() {
    let mut scene = managed();
    let message = stanza("<message to='juliet@capulet.lit'/>");
    let asks = "<r xmlns='urn:xmpp:sm:3'/>";
    for number in 1..=33 {
        let mut bytes = vec![];
        assert_eq!(scene.stream.write_counted(number, &message, &mut bytes), Wrote::Now);
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.ends_with(asks), number % 8 == 0, "{number}: {text}");
    }
    assert!(scene.stream.has_unasked());
    scene.answers(Input::Timeout(Timeout::Ack));
    assert_eq!(scene.hears(), asks);
    scene.answers(Input::Timeout(Timeout::Ack));
    assert!(scene.effects.is_empty() && !scene.stream.has_unasked());
    let mut wrote = |number| scene.stream.write_counted(number, &message, &mut vec![]);
    assert_eq!(wrote(35), Wrote::NotYet, "number 34 was lost");
    assert_eq!(wrote(33), Wrote::Before);
    assert_eq!(Scene::bound().stream.write_counted(1, &message, &mut vec![]), Wrote::NotYet);
}

#[test]
fn a_silent_client_is_asked_for_an_acknowledgement_instead_of_a_pong() {
    let mut scene = managed();
    scene.answers(Input::Timeout(Timeout::Idle));
    assert_eq!(scene.hears(), "<r xmlns='urn:xmpp:sm:3'/>");
    scene.says("<a xmlns='urn:xmpp:sm:3' h='0'/>");
    scene.effects.clear();
    scene.answers(Input::Timeout(Timeout::Idle));
    scene.hears();
    scene.answers(Input::Timeout(Timeout::Idle));
    scene.hears();
    assert!(matches!(scene.next(), Effect::Close(ending) if ending.is_resumable()), "it may come back");
}

#[test]
fn what_the_stream_answers_itself_is_counted_by_the_session() {
    let mut scene = managed();
    let session = "<iq type='set' id='s'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>";
    let bind = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
    scene.says(&format!("{session}{bind}<message to='@'/><presence/>"));
    for (number, id) in [(1, Some("s")), (2, Some("b")), (3, None)] {
        match word(&mut scene) {
            Word::Answered(said, Some(answer)) => {
                assert_eq!((said, answer.id.as_deref()), (number, id));
                assert_eq!(answer.to.as_ref().unwrap().as_str(), "juliet@capulet.lit/balcony");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(word(&mut scene), Word::Stanza(4, _)));
}

#[test]
fn only_an_end_in_order_or_a_broken_rule_is_an_end_for_ever() {
    for (error, resumable) in [
        (StreamCondition::SystemShutdown, true),
        (StreamCondition::ResourceConstraint, true),
        (StreamCondition::Conflict, false),
        (StreamCondition::NotWellFormed, false),
        (StreamCondition::PolicyViolation, false),
    ] {
        assert_eq!(Ending::Failed(error.into()).is_resumable(), resumable, "{error:?}");
    }
    assert!(Ending::Lost.is_resumable() && !Ending::Closed.is_resumable());
    let mut scene = managed();
    scene.says(
        "<stream:error><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
    );
    scene.hears();
    assert!(matches!(scene.next(), Effect::Close(Ending::Closed)), "the client has given up");
}

#[test]
fn an_acknowledgement_of_too_much_says_how_many_there_were() {
    let mut scene = managed();
    scene.answers(Input::End(StreamError::handled_too_high(10, 8)));
    let heard = scene.hears();
    assert!(heard.contains("<undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"), "{heard}");
    assert!(
        heard.contains("<handled-count-too-high xmlns='urn:xmpp:sm:3' h='10' send-count='8'/>"),
        "{heard}"
    );
}

/// What depends on no answer may be said with what does (XEP-0305): each waits for its turn.
#[test]
fn a_client_may_say_all_at_once() {
    let mut scene = Scene::on(Channel::Plain);
    scene.says(&format!(
        "{HEADER}<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldAByMG0zMA==</auth>{HEADER}\
         <iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>\
         <enable xmlns='urn:xmpp:sm:3'/><presence/>"
    ));
    assert!(matches!(scene.effects.pop(), Some(Effect::Lookup(_))));
    scene.effects.clear();
    scene.answers(Input::Credentials(Ok(juliet())));
    let Some(Effect::Derive(derivation)) = scene.effects.pop() else { panic!("a password is to be checked") };
    scene.answers(Input::Derived(derivation.run()));
    assert!(matches!(scene.effects.pop(), Some(Effect::Enter(Ask::Bind { .. }))));
    scene.effects.clear();
    scene.answers(Input::Bound("juliet@capulet.lit/balcony".parse().unwrap()));
    assert!(matches!(scene.effects.pop(), Some(Effect::Word(_))));
    scene.effects.clear();
    scene.answers(Input::Enabled { id: None, max: 0 });
    assert_eq!(scene.hears(), "<enabled xmlns='urn:xmpp:sm:3'/>");
    assert!(matches!(scene.next(), Effect::Word(_)) && scene.effects.is_empty());
}
