//! Acknowledgements, and streams that go on over another connection (XEP-0198). In the cluster each connection is made to
//! the next node, so a session is resumed at another one than it was lost at.

use muster_tests::stage::PASSWORD;
use muster_tests::{Player, Stage, on_every_stage};

const ENABLED: &str = "<enabled xmlns='urn:xmpp:sm:3' id='{any}' max='600' resume='true'/>";
const FAILED: &str = "<failed xmlns='urn:xmpp:sm:3'><unexpected-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>";
const UNKNOWN: &str =
    "<failed xmlns='urn:xmpp:sm:3'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>";

/// Wants to be managed; the id by which the session can be resumed.
fn enable(player: &Player) -> String {
    let enabled = player.asks("<enable xmlns='urn:xmpp:sm:3' resume='true'/>", ENABLED);
    enabled.attr("id").expect("it can be resumed").to_owned()
}

/// A new connection that has logged in.
fn come_back(stage: &mut Stage, user: &str, domain: &str) -> Player {
    let player = stage.visit();
    player.client(|client| {
        let features = client.authenticate(user, domain, PASSWORD);
        assert!(features.has_child("sm", "urn:xmpp:sm:3"), "{features:?}");
    });
    player
}

fn resume(player: &Player, id: &str, h: u32, answer: &str) {
    player.asks(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='{h}'/>"), answer);
}

fn resumed(id: &str, h: u32) -> String {
    format!("<resumed xmlns='urn:xmpp:sm:3' previd='{id}' h='{h}'/>")
}

on_every_stage! {
    fn what_came_meanwhile_is_heard_once_and_in_order(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let id = enable(&juliet);
        let address = juliet.jid().expect("she is bound").to_string();

        stage.scene("Both speak; she hears one more than she acknowledges");
        juliet.says("<message to='{romeo}' type='chat'><body>Ay me!</body></message><r xmlns='urn:xmpp:sm:3'/>");
        juliet.hears("<a xmlns='urn:xmpp:sm:3' h='1'/>");
        romeo.hears("<message from='{juliet}' type='chat'><body>Ay me!</body></message>");
        for number in 1..=2 {
            romeo.says(&format!("<message to='{address}' type='chat'><body>{number}</body></message>"));
            juliet.hears(&format!("<message from='{{romeo}}' type='chat'><body>{number}</body></message>"));
        }
        juliet.vanishes();

        stage.scene("He notices nothing");
        for number in 3..=5 {
            romeo.says(&format!("<message to='{address}' type='chat'><body>{number}</body></message>"));
        }
        romeo.reaches("juliet@capulet.lit");
        romeo.hears_nothing_more();

        stage.scene("She comes back");
        let again = come_back(stage, "juliet", "capulet.lit");
        resume(&again, &id, 1, &resumed(&id, 1));
        for number in 2..=5 {
            again.hears(&format!(
                "<message from='{{romeo}}' to='{address}' type='chat'><body>{number}</body>\
                 <delay xmlns='urn:xmpp:delay' from='capulet.lit' stamp='{{any}}'/></message>"
            ));
        }
        romeo.says(&format!("<message to='{address}' type='chat'><body>6</body></message>"));
        again.hears(&format!("<message from='{{romeo}}' to='{address}' type='chat'><body>6</body></message>"));
        again.says("<message to='{romeo}' type='chat'><body>I hear thee</body></message><r xmlns='urn:xmpp:sm:3'/>");
        again.hears("<a xmlns='urn:xmpp:sm:3' h='2'/>");
        romeo.hears(&format!("<message from='{address}' type='chat'><body>I hear thee</body></message>"));
    }

    fn the_last_connection_to_resume_is_the_one(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let id = enable(&juliet);
        let address = juliet.jid().expect("she is bound").to_string();
        let second = come_back(stage, "juliet", "capulet.lit");
        resume(&second, &id, 0, &resumed(&id, 0));
        juliet.hears_the_end("conflict");
        let third = come_back(stage, "juliet", "capulet.lit");
        resume(&third, &id, 0, &resumed(&id, 0));
        second.hears_the_end("conflict");
        romeo.says(&format!("<message to='{address}' type='chat'><body>Hist!</body></message>"));
        third.hears(&format!("<message from='{{romeo}}' to='{address}' type='chat'><body>Hist!</body></message>"));
        romeo.hears_nothing_more();
    }

    fn who_leaves_in_order_is_gone(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let id = enable(&juliet);
        juliet.leaves();
        let again = come_back(stage, "juliet", "capulet.lit");
        resume(&again, &id, 0, UNKNOWN);
        again.asks(
            "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
            "<iq type='result' id='b'>{any}</iq>",
        );
    }

    fn nobody_resumes_the_session_of_another(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let id = enable(&juliet);
        stage.account("tybalt@capulet.lit");
        let tybalt = come_back(stage, "tybalt", "capulet.lit");
        resume(&tybalt, &id, 0, UNKNOWN);
        juliet.asks("<r xmlns='urn:xmpp:sm:3'/>", "<a xmlns='urn:xmpp:sm:3' h='0'/>");
    }

    fn order_is_enforced(stage: &mut Stage) {
        stage.account("juliet@capulet.lit");
        let early = come_back(stage, "juliet", "capulet.lit");
        early.asks("<enable xmlns='urn:xmpp:sm:3'/>", FAILED);
        let juliet = stage.bind("juliet@capulet.lit/balcony");
        juliet.asks("<r xmlns='urn:xmpp:sm:3'/>", FAILED);
        juliet.asks("<enable xmlns='urn:xmpp:sm:3'/>", "<enabled xmlns='urn:xmpp:sm:3'/>");
        juliet.asks("<enable xmlns='urn:xmpp:sm:3'/>", FAILED);
        juliet.hears_the_end("policy-violation");
    }

    fn too_many_acknowledgements_are_an_error(stage: &mut Stage) {
        let juliet = stage.bind("juliet@capulet.lit/balcony");
        enable(&juliet);
        juliet.says("<a xmlns='urn:xmpp:sm:3' h='1'/>");
        juliet.hears(
            "<stream:error xmlns:stream='http://etherx.jabber.org/streams'><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
             <text xmlns='urn:ietf:params:xml:ns:xmpp-streams' _='{any}'>{any}</text>\
             <handled-count-too-high xmlns='urn:xmpp:sm:3' h='1' send-count='0'/></stream:error>",
        );
        juliet.hears_it_close();
    }

    fn every_stanza_may_be_followed_by_a_request(stage: &mut Stage) {
        let _romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        enable(&juliet);
        for number in 1..=40 {
            juliet.says(&format!(
                "<message to='{{romeo}}' type='chat'><body>{number}</body></message><r xmlns='urn:xmpp:sm:3'/>"
            ));
        }
        for number in 1..=40 {
            juliet.hears(&format!("<a xmlns='urn:xmpp:sm:3' h='{number}'/>"));
        }
        juliet.says("<a xmlns='urn:xmpp:sm:3' h='0'/>");
        juliet.leaves();
    }
}
