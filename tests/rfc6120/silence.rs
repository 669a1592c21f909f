//! Clients of which nothing is heard (RFC 6120 §4.6): they are asked whether they are there, and given up if they do not say so.

use std::sync::Arc;

use muster_tests::Stage;
use muster_tests::stage::{Nodes, PASSWORD};

#[test]
fn who_is_silent_is_asked_and_who_does_not_answer_is_given_up() {
    let nodes = Arc::new(Nodes::start(1, "[limits]\nidle_seconds_max = 1\n"));
    let mut stage = Stage::on(&nodes);
    let juliet = stage.enter("juliet@verona.lit/balcony");

    stage.scene("She says that she is there, each time she is asked");
    for _ in 0..3 {
        let asked = juliet.hears("<iq type='get' id='{any}' _='{any}'><ping xmlns='urn:xmpp:ping'/></iq>");
        let id = asked.attr("id").unwrap_or_default();
        juliet.says(&format!("<iq type='result' id='{id}'/>"));
    }

    stage.scene("And then no more");
    juliet.hears("<iq type='get' id='{any}' _='{any}'><ping xmlns='urn:xmpp:ping'/></iq>");
    juliet.hears_the_end("connection-timeout");
}

#[test]
fn who_waits_for_a_server_that_is_behind_is_not_given_up() {
    /// More than may be on its way to a session.
    const WORDS: usize = 200;
    let nodes = Arc::new(Nodes::start(3, "[limits]\nidle_seconds_max = 1\nlogin_seconds_max = 2\n"));
    let mut stage = Stage::at(&nodes, vec![0]);
    let juliet = stage.enter("juliet@verona.lit/balcony");
    stage.account("romeo@montague.lit");

    stage.scene("Most of the cluster is gone, so that nothing is handled, and then nothing read");
    [1, 2].into_iter().for_each(|number| nodes.take(number).kill());
    for number in 0..WORDS {
        let me = juliet.account();
        juliet
            .says(&format!("<message to='{me}' type='chat' id='m{number}'><body>{number}</body></message>"));
    }

    stage.scene("He proves who he is and wants a session; a stranger says nothing");
    let romeo = stage.visit();
    romeo.client(|client| {
        client.authenticate("romeo", "montague.lit", PASSWORD);
        client.say("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    });
    let stranger = stage.visit();
    stranger.client(|client| client.open("montague.lit"));

    stage.scene("The stranger is given up. They are sent away, and not before the node gives up itself");
    stranger.hears_the_end("connection-timeout");
    juliet.hears_the_end("system-shutdown");
    romeo.hears_the_end("system-shutdown");
}
