//! How messages find their way (RFC 6121 §8.5).

use muster_tests::on_every_stage;

on_every_stage! {
    fn a_message_to_a_full_jid_reaches_that_client_alone(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let phone = stage.enter("juliet@capulet.lit/phone");

        stage.scene("Romeo writes to her balcony");
        romeo.says("<message to='{juliet/balcony}' type='chat' id='m1'><body>Hist!</body></message>");
        juliet.hears("<message from='{romeo}' type='chat' id='m1'><body>Hist!</body></message>");
        juliet.hears_nothing_more();
        phone.hears_nothing_more();
        romeo.hears_nothing_more();
    }
}
