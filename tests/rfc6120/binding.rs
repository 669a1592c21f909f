//! Resources (RFC 6120 §7).

use muster_tests::stage::PASSWORD;
use muster_tests::{Player, Stage, on_every_stage};

fn logs_in(stage: &mut Stage) -> Player {
    stage.account("romeo@montague.lit");
    let visitor = stage.visit();
    visitor.client(|client| client.authenticate("romeo", "montague.lit", PASSWORD));
    visitor
}

on_every_stage! {
    fn the_server_chooses_if_the_client_does_not(stage: &mut Stage) {
        let one = stage.bind("romeo@montague.lit");
        let other = stage.bind("romeo@montague.lit");
        let (one, other) = (one.jid().unwrap(), other.jid().unwrap());
        assert!(one.resource().is_some() && other.resource().is_some() && one != other, "{one} {other}");
    }

    fn an_empty_element_leaves_the_choice_too(stage: &mut Stage) {
        let romeo = logs_in(stage);
        romeo.says("<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource/></bind></iq>");
        romeo.hears("<iq type='result' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>{any}</jid></bind></iq>");
    }

    fn the_new_one_wins_a_conflict(stage: &mut Stage) {
        let old = stage.enter("romeo@montague.lit/orchard");
        let new = stage.bind("romeo@montague.lit/orchard");
        old.hears_the_end("conflict");
        new.says("<presence/>");
        new.hears("<presence from='romeo@montague.lit/orchard'/>");
        new.hears_nothing_more();
    }

    fn a_resource_that_cannot_be_is_a_bad_request(stage: &mut Stage) {
        let romeo = logs_in(stage);
        let resource = "a".repeat(1_024);
        romeo.says(&format!("<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{resource}</resource></bind></iq>"));
        let answer = romeo.hears("<iq type='error' id='b1' _='{any}'>{any}</iq>");
        let error = answer.get_child("error", "jabber:client").expect("an error");
        let condition = error.children().next().expect("a condition").name().to_owned();
        assert!(["bad-request", "jid-malformed"].contains(&condition.as_str()), "{condition}");
        let bound = romeo.client(|client| client.bind(Some("orchard")));
        assert_eq!(bound.as_deref(), Ok("romeo@montague.lit/orchard"));
    }

    fn a_second_bind_is_not_allowed(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        romeo.says("<iq type='set' id='b2'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
        romeo.hears("<iq type='error' id='b2' _='{any}'>{any}</iq>");
        romeo.hears_nothing_more();
    }

    fn stanzas_before_binding_end_the_stream(stage: &mut Stage) {
        let romeo = logs_in(stage);
        romeo.says("<presence/>");
        romeo.hears_the_end("not-authorized");
    }

    fn old_clients_may_ask_for_a_session(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        romeo.asks(
            "<iq type='set' id='s1'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>",
            "<iq type='result' id='s1'/>",
        );
    }

    fn whatever_a_client_puts_inside_required_is_ignored(stage: &mut Stage) {
        let romeo = logs_in(stage);
        romeo.says("<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>orchard</resource><required/></bind></iq>");
        romeo.hears("<iq type='result' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>romeo@montague.lit/orchard</jid></bind></iq>");
    }
}
