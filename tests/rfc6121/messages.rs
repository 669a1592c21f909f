//! How messages find their way (RFC 6121 §8.5).

use muster_tests::on_every_stage;

on_every_stage! {
    fn a_message_to_a_full_jid_reaches_that_client_alone(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let phone = stage.enter("juliet@capulet.lit/phone");
        for kind in ["chat", "normal", "headline", "groupchat"] {
            romeo.says(&format!("<message to='{{juliet/balcony}}' type='{kind}' id='m1'><body>Hist!</body></message>"));
            let kind = if kind == "normal" { String::new() } else { format!("type='{kind}'") };
            juliet.hears(&format!("<message from='{{romeo}}' {kind} id='m1'><body>Hist!</body></message>"));
        }
        juliet.hears_nothing_more();
        phone.hears_nothing_more();
        romeo.hears_nothing_more();
    }

    fn a_message_to_a_client_of_negative_priority_reaches_it_by_its_full_jid(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        juliet.says("<presence><priority>-1</priority></presence>");
        juliet.hears("<presence from='{juliet}'><priority>-1</priority></presence>");
        romeo.says("<message to='{juliet}' type='chat'><body>Hist!</body></message>");
        juliet.hears("<message from='{romeo}' type='chat'><body>Hist!</body></message>");
    }

    fn a_chat_message_to_a_client_that_is_gone_goes_to_the_account(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        romeo.says("<message to='juliet@capulet.lit/phone' type='chat'><body>Hist!</body></message>");
        juliet.hears("<message from='{romeo}' to='juliet@capulet.lit/phone' type='chat'><body>Hist!</body></message>");
    }

    fn other_messages_to_a_client_that_is_gone_do_not(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        romeo.says("<message to='juliet@capulet.lit/phone' type='headline'><body>News</body></message>");
        romeo.says("<message to='juliet@capulet.lit/phone' type='error'><body>Hist!</body></message>");
        romeo.reaches("juliet@capulet.lit");
        romeo.hears_nothing_more();
        romeo.says("<message to='juliet@capulet.lit/phone' type='groupchat' id='m1'><body>Hist!</body></message>");
        romeo.hears("<message from='juliet@capulet.lit/phone' type='error' id='m1'>{error cancel service-unavailable}</message>");
        juliet.hears_nothing_more();
    }

    fn a_message_to_the_account_reaches_all_clients_that_want_messages(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let phone = stage.enter("juliet@capulet.lit/phone");
        let shy = stage.bind("juliet@capulet.lit/shy");
        let low = stage.bind("juliet@capulet.lit/low");
        low.says("<presence><priority>-1</priority></presence>");
        low.forgets();
        juliet.forgets();
        phone.forgets();
        for kind in ["chat", "headline"] {
            romeo.says(&format!("<message to='juliet@capulet.lit' type='{kind}'><body>Hist!</body></message>"));
            for client in [&juliet, &phone] {
                client.hears(&format!("<message from='{{romeo}}' to='juliet@capulet.lit' type='{kind}'><body>Hist!</body></message>"));
            }
        }
        low.hears_nothing_more();
        shy.hears_nothing_more();
    }

    fn a_groupchat_message_to_an_account_makes_no_sense(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        romeo.says("<message to='juliet@capulet.lit' type='groupchat' id='m1'><body>Hist!</body></message>");
        romeo.hears("<message from='juliet@capulet.lit' type='error' id='m1'>{error cancel service-unavailable}</message>");
        juliet.hears_nothing_more();
    }

    fn nobody_is_not_available(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        for to in ["nobody@capulet.lit", "nobody@capulet.lit/balcony"] {
            romeo.says(&format!("<message to='{to}' type='chat' id='m1'><body>Hist!</body></message>"));
            romeo.hears(&format!("<message from='{to}' type='error' id='m1'>{{error cancel service-unavailable}}</message>"));
        }
        romeo.says("<message to='nobody@capulet.lit' type='headline'><body>News</body></message>");
        romeo.says("<presence to='nobody@capulet.lit'/>");
        romeo.reaches("nobody@capulet.lit");
        romeo.hears_nothing_more();
    }

    fn a_message_to_nobody_in_particular_is_to_oneself(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let phone = stage.enter("romeo@montague.lit/phone");
        romeo.says("<message type='chat'><body>Note to self</body></message>");
        phone.hears("<message from='{romeo/orchard}' type='chat' _='{any}'><body>Note to self</body></message>");
    }

    fn an_unknown_type_is_normal(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        romeo.says("<message to='juliet@capulet.lit' type='sonnet'><body>Hist!</body></message>");
        juliet.hears("<message from='{romeo}' _='{any}'><body>Hist!</body></message>");
    }

    fn everything_inside_arrives(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        romeo.says(
            "<message to='{juliet}' type='chat' id='m1'><subject>Night</subject><body>Hist! </body><body xml:lang='it'>Ehi!</body>\
             <thread parent='t0'>t1</thread><x:rose xmlns:x='urn:example:rose' thorns='2'><x:petal>\u{1F339}</x:petal></x:rose></message>",
        );
        juliet.hears(
            "<message from='{romeo}' type='chat' id='m1'><subject>Night</subject><body>Hist! </body><body xml:lang='it'>Ehi!</body>\
             <thread parent='t0'>t1</thread><rose xmlns='urn:example:rose' thorns='2'><petal>\u{1F339}</petal></rose></message>",
        );
    }
}
