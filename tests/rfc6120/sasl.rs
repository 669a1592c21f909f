//! Log-in (RFC 6120 §6, RFC 5802, RFC 7677).

use muster_tests::client::login::Outcome;
use muster_tests::stage::PASSWORD;
use muster_tests::{Player, Stage, on_every_stage};

const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";

fn knocks(stage: &mut Stage, account: &str) -> Player {
    stage.account(account);
    let visitor = stage.visit();
    let domain = account.split_once('@').expect("an account").1.to_owned();
    visitor.client(|client| client.open(&domain));
    visitor
}

fn logs_in(stage: &mut Stage, mechanism: &str) {
    let visitor = knocks(stage, "romeo@montague.lit");
    let outcome = visitor.client(|client| client.log_in(mechanism, "romeo", PASSWORD, None));
    assert_eq!(outcome, Outcome::Success);
    let jid = visitor.client(|client| {
        client.restart();
        let features = client.open("montague.lit");
        assert!(features.has_child("bind", "urn:ietf:params:xml:ns:xmpp-bind"), "{features:?}");
        assert!(!features.has_child("mechanisms", SASL), "{features:?}");
        client.bind(Some("orchard"))
    });
    assert_eq!(jid.as_deref(), Ok("romeo@montague.lit/orchard"));
}

fn fails(stage: &mut Stage, mechanism: &str, user: &str, password: &str, condition: &str) {
    let visitor = knocks(stage, "romeo@montague.lit");
    let outcome = visitor.client(|client| client.log_in(mechanism, user, password, None));
    assert_eq!(outcome, Outcome::Failure(condition.to_owned()));
}

on_every_stage! {
    fn by_scram_sha_256(stage: &mut Stage) {
        logs_in(stage, "SCRAM-SHA-256");
    }

    fn by_scram_sha_1(stage: &mut Stage) {
        logs_in(stage, "SCRAM-SHA-1");
    }

    fn by_plain_on_a_loopback_listener(stage: &mut Stage) {
        logs_in(stage, "PLAIN");
    }

    fn a_wrong_password_is_not_authorized(stage: &mut Stage) {
        for mechanism in ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"] {
            fails(stage, mechanism, "romeo", "by any other name", "not-authorized");
        }
    }

    fn an_unknown_user_is_told_the_same(stage: &mut Stage) {
        for mechanism in ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"] {
            fails(stage, mechanism, "nobody", PASSWORD, "not-authorized");
        }
    }

    fn an_unknown_user_is_shown_a_salt_that_stays(stage: &mut Stage) {
        let salt = |stage: &mut Stage| {
            let visitor = knocks(stage, "romeo@montague.lit");
            visitor.says("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>biwsbj1ub2JvZHkscj1hYmM=</auth>");
            let challenge = visitor.hears_something();
            assert_eq!(challenge.name(), "challenge");
            use base64::Engine;
            let text = base64::engine::general_purpose::STANDARD.decode(challenge.text()).unwrap();
            String::from_utf8(text).unwrap().split(',').find(|field| field.starts_with("s=")).map(ToOwned::to_owned)
        };
        let first = salt(stage);
        assert!(first.is_some());
        assert_eq!(first, salt(stage));
    }

    fn anybody_may_come_in_where_the_domain_says_so(stage: &mut Stage) {
        let visitor = stage.visit();
        let jid = visitor.client(|client| {
            client.open("verona.lit");
            assert_eq!(client.log_in("ANONYMOUS", "", "", None), Outcome::Success);
            client.restart();
            client.open("verona.lit");
            client.bind(None).expect("a guest may bind")
        });
        assert!(jid.contains("@verona.lit/"), "{jid}");
    }

    fn elsewhere_nobody_comes_in_without_a_name(stage: &mut Stage) {
        fails(stage, "ANONYMOUS", "", "", "invalid-mechanism");
    }

    fn an_unknown_mechanism_is_invalid(stage: &mut Stage) {
        let visitor = knocks(stage, "romeo@montague.lit");
        visitor.says("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SHIBBOLETH'>=</auth>");
        visitor.hears("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><invalid-mechanism/>{any}</failure>");
    }

    fn a_certificate_mechanism_needs_a_certificate(stage: &mut Stage) {
        let visitor = stage.visit();
        let features = visitor.client(|client| client.open("montague.lit"));
        let mechanisms = features.get_child("mechanisms", SASL).expect("mechanisms");
        let names: Vec<_> = mechanisms.children().map(|child| child.text()).collect();
        assert!(names.contains(&"SCRAM-SHA-256".to_owned()), "{names:?}");
        assert!(!names.iter().any(|name| name == "EXTERNAL" || name.ends_with("-PLUS")), "{names:?}");
    }

    fn what_is_not_base64_is_wrongly_encoded(stage: &mut Stage) {
        let visitor = knocks(stage, "romeo@montague.lit");
        visitor.says("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>%%%</auth>");
        visitor.hears("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><incorrect-encoding/>{any}</failure>");
    }

    fn what_is_not_of_the_mechanism_is_malformed(stage: &mut Stage) {
        let visitor = knocks(stage, "romeo@montague.lit");
        visitor.says("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>aGlzdA==</auth>");
        visitor.hears("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><malformed-request/>{any}</failure>");
    }

    fn one_user_may_not_act_for_another(stage: &mut Stage) {
        let visitor = knocks(stage, "romeo@montague.lit");
        let outcome = visitor.client(|client| {
            client.say_auth("PLAIN", Some(&format!("juliet@capulet.lit\0romeo\0{PASSWORD}")));
            client.outcome()
        });
        // On a shared server the account wears a mask, so it is unknown by this name.
        let expected = ["invalid-authzid", "not-authorized"].map(|name| Outcome::Failure(name.to_owned()));
        assert!(expected.contains(&outcome), "{outcome:?}");
    }

    fn an_exchange_may_be_aborted(stage: &mut Stage) {
        let visitor = knocks(stage, "romeo@montague.lit");
        visitor.says("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>biwsbj1yb21lbyxyPWFiYw==</auth>");
        visitor.hears("<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{any}</challenge>");
        visitor.says("<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
        visitor.hears("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><aborted/>{any}</failure>");
        let outcome = visitor.client(|client| client.log_in("SCRAM-SHA-1", "romeo", PASSWORD, None));
        assert_eq!(outcome, Outcome::Success);
    }

    fn after_some_failures_the_stream_ends(stage: &mut Stage) {
        let visitor = knocks(stage, "romeo@montague.lit");
        for _ in 0..5 {
            let outcome = visitor.client(|client| client.log_in("PLAIN", "romeo", "guess", None));
            assert_eq!(outcome, Outcome::Failure("not-authorized".to_owned()));
        }
        visitor.hears_the_end("policy-violation");
    }
}
