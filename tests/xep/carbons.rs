//! Copies of what other resources hear and say (XEP-0280).

use muster_tests::{Player, on_every_stage};

fn enable(player: &Player) {
    player.asks(
        "<iq id='c1' type='set'><enable xmlns='urn:xmpp:carbons:2'/></iq>",
        "<iq id='c1' type='result'/>",
    );
}

on_every_stage! {
    fn a_copy_reaches_the_other_resource(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let phone = stage.enter("juliet@capulet.lit/phone");

        stage.scene("Her phone asks for copies");
        enable(&phone);

        stage.scene("Romeo writes to her balcony");
        romeo.says("<message to='juliet@capulet.lit/balcony' type='chat'><body>Hist!</body></message>");
        juliet.hears("<message from='{romeo}' type='chat'><body>Hist!</body></message>");
        phone.hears(
            "<message from='juliet@capulet.lit' to='{juliet/phone}' type='chat'><received xmlns='urn:xmpp:carbons:2'>\
             <forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='{romeo}' to='{juliet/balcony}' type='chat'>\
             <body>Hist!</body></message></forwarded></received></message>",
        );
        romeo.hears_nothing_more();
        phone.hears_nothing_more();
        juliet.hears_nothing_more();
    }

    fn a_copy_of_what_is_said_reaches_the_other_resource(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let phone = stage.enter("juliet@capulet.lit/phone");
        enable(&phone);
        juliet.says("<message to='{romeo}' type='chat' id='m1'><body>Ay me!</body></message>");
        romeo.hears("<message from='{juliet/balcony}' type='chat' id='m1'><body>Ay me!</body></message>");
        phone.hears(
            "<message from='juliet@capulet.lit' to='{juliet/phone}' type='chat'><sent xmlns='urn:xmpp:carbons:2'>\
             <forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='{juliet/balcony}' to='{romeo}' type='chat' id='m1'>\
             <body>Ay me!</body></message></forwarded></sent></message>",
        );
        juliet.hears_nothing_more();
    }

    fn a_message_to_the_account_is_not_copied_to_who_got_it(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let phone = stage.enter("juliet@capulet.lit/phone");
        enable(&juliet);
        enable(&phone);
        romeo.says("<message to='juliet@capulet.lit' type='chat'><body>Hist!</body></message>");
        for client in [&juliet, &phone] {
            client.hears("<message from='{romeo}' type='chat'><body>Hist!</body></message>");
            client.hears_nothing_more();
        }
    }

    fn private_words_are_not_copied(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let phone = stage.enter("juliet@capulet.lit/phone");
        enable(&phone);
        romeo.says("<message to='{juliet/balcony}' type='chat'><body>Hist!</body><private xmlns='urn:xmpp:carbons:2'/><no-copy xmlns='urn:xmpp:hints'/></message>");
        juliet.hears("<message from='{romeo}' type='chat'><body>Hist!</body>{any}</message>");
        romeo.says("<message to='{juliet/balcony}' type='headline'><body>News</body></message>");
        juliet.hears("<message from='{romeo}' type='headline'><body>News</body></message>");
        phone.hears_nothing_more();
    }

    fn copies_can_be_turned_off(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let phone = stage.enter("juliet@capulet.lit/phone");
        enable(&phone);
        enable(&phone);
        phone.asks("<iq id='c2' type='set'><disable xmlns='urn:xmpp:carbons:2'/></iq>", "<iq id='c2' type='result'/>");
        romeo.says("<message to='{juliet/balcony}' type='chat'><body>Hist!</body></message>");
        juliet.hears("<message from='{romeo}' type='chat'><body>Hist!</body></message>");
        phone.hears_nothing_more();
    }

    fn nobody_can_turn_on_copies_for_another(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let _juliet = stage.enter("juliet@capulet.lit/balcony");
        romeo.says("<iq to='juliet@capulet.lit' id='c1' type='set'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
        romeo.hears("<iq from='juliet@capulet.lit' id='c1' type='error'>{any}</iq>");
    }
}
