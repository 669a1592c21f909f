//! Clients of which nothing is heard (RFC 6120 §4.6): they are asked whether they are there, and given up if they do not say so.

use std::sync::Arc;

use muster_tests::Stage;
use muster_tests::stage::Nodes;

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
