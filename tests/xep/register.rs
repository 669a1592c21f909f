//! Accounts that their owners make, change and remove (XEP-0077).

use muster_tests::acts::befriend;
use muster_tests::client::login::Outcome;
use muster_tests::stage::PASSWORD;
use muster_tests::{Stage, on_every_stage};

fn log_in(stage: &mut Stage, user: &str, domain: &str, password: &str) -> Outcome {
    let visitor = stage.visit();
    visitor.client(|client| {
        client.open(domain);
        client.log_in("SCRAM-SHA-256", user, password, None)
    })
}

on_every_stage! {
    fn a_password_is_changed(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let user = juliet.client(|client| client.real_name("juliet"));
        juliet.asks(
            &format!("<iq to='capulet.lit' id='r1' type='set'><query xmlns='jabber:iq:register'><username>{user}</username><password>sweet sorrow</password></query></iq>"),
            "<iq id='r1' type='result'/>",
        );
        assert_eq!(log_in(stage, "juliet", "capulet.lit", "sweet sorrow"), Outcome::Success);
        assert_eq!(log_in(stage, "juliet", "capulet.lit", PASSWORD), Outcome::Failure("not-authorized".into()));
    }

    fn nobody_changes_the_password_of_another(stage: &mut Stage) {
        stage.account("juliet@capulet.lit");
        let tybalt = stage.enter("tybalt@capulet.lit/street");
        let user = tybalt.client(|client| client.real_name("juliet"));
        tybalt.says(&format!("<iq to='capulet.lit' id='r1' type='set'><query xmlns='jabber:iq:register'><username>{user}</username><password>mine</password></query></iq>"));
        tybalt.hears("<iq id='r1' type='error'>{any}</iq>");
        assert_eq!(log_in(stage, "juliet", "capulet.lit", PASSWORD), Outcome::Success);
    }

    fn who_removes_the_account_is_gone_from_everywhere(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let phone = stage.enter("juliet@capulet.lit/phone");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        phone.leaves();
        juliet.forgets();
        befriend(&romeo, &juliet);
        juliet.says("<iq id='r1' type='set'><query xmlns='jabber:iq:register'><remove/></query></iq>");

        stage.scene("Her stream ends, with or without an answer before it");
        loop {
            let heard = juliet.hears_something();
            if heard.is("error", "http://etherx.jabber.org/streams") {
                assert!(heard.has_child("not-authorized", "urn:ietf:params:xml:ns:xmpp-streams"), "{heard:?}");
                break;
            }
        }
        juliet.hears_it_close();

        stage.scene("Her friend sees her go");
        muster_tests::acts::listen_for(&romeo, |heard| {
            heard.name() == "presence" && matches!(heard.attr("type"), Some("unavailable" | "unsubscribed" | "unsubscribe"))
        });
        assert_eq!(log_in(stage, "juliet", "capulet.lit", PASSWORD), Outcome::Failure("not-authorized".into()));
        romeo.forgets();
        romeo.says("<message to='juliet@capulet.lit' type='chat' id='m1'><body>Hist!</body></message>");
        romeo.hears("<message from='juliet@capulet.lit' type='error' id='m1'>{error cancel service-unavailable}</message>");
    }

    fn where_it_is_allowed_anybody_makes_an_account(stage: &mut Stage) {
        let visitor = stage.visit();
        let features = visitor.client(|client| client.open("verona.lit"));
        assert!(features.has_child("register", "http://jabber.org/features/iq-register"), "{features:?}");
        visitor.asks(
            "<iq to='verona.lit' id='r1' type='get'><query xmlns='jabber:iq:register'/></iq>",
            "<iq from='verona.lit' id='r1' type='result'><query xmlns='jabber:iq:register'><username/><password/>{any}</query></iq>",
        );
        let user = visitor.client(|client| client.real_name("mercutio"));
        let set = format!("<iq id='r2' type='set'><query xmlns='jabber:iq:register'><username>{user}</username><password>queen mab</password></query></iq>");
        visitor.asks(&set, "<iq id='r2' type='result' _='{any}'/>");
        assert_eq!(log_in(stage, "mercutio", "verona.lit", "queen mab"), Outcome::Success);

        stage.scene("A name is taken once");
        let other = stage.visit();
        other.client(|client| client.open("verona.lit"));
        other.asks(&set, "<iq id='r2' type='error' _='{any}'>{error cancel conflict}</iq>");
    }

    fn elsewhere_nobody_makes_one(stage: &mut Stage) {
        let visitor = stage.visit();
        let features = visitor.client(|client| client.open("montague.lit"));
        assert!(!features.has_child("register", "http://jabber.org/features/iq-register"), "{features:?}");
    }
}
