//! Copies of what other resources hear and say (XEP-0280).

use muster_tests::on_every_stage;

on_every_stage! {
    fn a_copy_reaches_the_other_resource(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let phone = stage.enter("juliet@capulet.lit/phone");

        stage.scene("Her phone asks for copies");
        phone.asks("<iq id='c1' type='set'><enable xmlns='urn:xmpp:carbons:2'/></iq>", "<iq id='c1' type='result'/>");

        stage.scene("Romeo writes to her balcony");
        romeo.says("<message to='juliet@capulet.lit/balcony' type='chat'><body>Hist!</body></message>");
        juliet.hears("<message from='{romeo}' type='chat'><body>Hist!</body></message>");
        phone.hears(
            "<message from='juliet@capulet.lit' type='chat'><received xmlns='urn:xmpp:carbons:2'>{any}</received></message>",
        );
        romeo.hears_nothing_more();
    }
}
