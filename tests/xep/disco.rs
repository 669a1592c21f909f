//! What there is and what it can (XEP-0030).

use muster_proto::Element;
use muster_tests::acts::befriend;
use muster_tests::{Player, on_every_stage};

/// The features that disco#info names.
fn features(player: &Player, to: &str, identity: &str) -> Vec<String> {
    player.says(&format!(
        "<iq to='{to}' id='d1' type='get'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
    ));
    let answer = player.hears(&format!(
        "<iq from='{to}' id='d1' type='result'><query xmlns='http://jabber.org/protocol/disco#info'>{identity}{{any}}</query></iq>"
    ));
    let query = answer.children().next().expect("a query");
    let named = |child: &Element| child.attr("var").map(ToOwned::to_owned);
    query.children().filter(|child| child.name() == "feature").filter_map(named).collect()
}

fn has(features: &[String], wanted: &[&str]) {
    for name in wanted {
        assert!(features.iter().any(|feature| feature == name), "{name} is missing in {features:?}");
    }
}

on_every_stage! {
    fn a_domain_says_what_it_can(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let found = features(&romeo, "montague.lit", "<identity category='server' type='im' _='{any}'/>");
        has(&found, &[
            "http://jabber.org/protocol/disco#info",
            "http://jabber.org/protocol/disco#items",
            "urn:xmpp:ping",
            "jabber:iq:version",
            "urn:xmpp:time",
            "vcard-temp",
            "jabber:iq:register",
            "http://jabber.org/protocol/commands",
            "msgoffline",
            "urn:xmpp:carbons:2",
        ]);
        let mut sorted = found.clone();
        sorted.dedup();
        assert_eq!(sorted, found, "each once");
    }

    fn a_domain_has_a_conference_service(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        romeo.says("<iq to='montague.lit' id='d1' type='get'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>");
        romeo.hears("<iq from='montague.lit' id='d1' type='result'><query xmlns='http://jabber.org/protocol/disco#items'><item jid='conference.montague.lit' _='{any}'/>{any}</query></iq>");
        let found = features(&romeo, "conference.montague.lit", "<identity category='conference' type='text' _='{any}'/>");
        has(&found, &["http://jabber.org/protocol/muc", "http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/disco#items"]);
    }

    fn ones_own_account_says_what_it_can(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        features(&romeo, "romeo@montague.lit", "<identity category='account' type='registered' _='{any}'/>");
    }

    fn an_account_talks_to_friends_alone(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let ask = |what: &str| format!("<iq to='juliet@capulet.lit' id='d1' type='get'><query xmlns='http://jabber.org/protocol/disco#{what}'/></iq>");
        romeo.says(&ask("items"));
        let answer = romeo.hears("<iq from='juliet@capulet.lit' id='d1' _='{any}'>{any}</iq>");
        assert!(!String::from(&answer).contains("balcony"), "strangers do not learn her clients: {answer:?}");

        stage.scene("A friend does");
        befriend(&romeo, &juliet);
        features(&romeo, "juliet@capulet.lit", "<identity category='account' type='registered' _='{any}'/>");
        romeo.says(&ask("items"));
        romeo.hears("<iq from='juliet@capulet.lit' id='d1' type='result'><query xmlns='http://jabber.org/protocol/disco#items'>{any}</query></iq>");
    }

    fn a_node_that_is_not_there_is_not_found(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        romeo.says("<iq to='montague.lit' id='d1' type='get'><query xmlns='http://jabber.org/protocol/disco#info' node='urn:example:none'/></iq>");
        romeo.hears("<iq from='montague.lit' id='d1' type='error'>{error cancel item-not-found}</iq>");
    }

    fn questions_to_a_client_are_for_the_client(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        romeo.says("<iq to='{juliet}' id='d1' type='get'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
        juliet.hears("<iq from='{romeo}' id='d1' type='get'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
    }
}
