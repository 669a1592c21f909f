//! Messages for people who are not there (RFC 6121 §8.5.2.2, XEP-0160).

use muster_tests::on_every_stage;

on_every_stage! {
    fn messages_wait_and_arrive_once_in_order_with_their_time(stage: &mut Stage) {
        stage.account("juliet@capulet.lit");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        for number in 0..5 {
            let kind = if number % 2 == 0 { "type='chat'" } else { "" };
            romeo.says(&format!("<message to='juliet@capulet.lit' {kind} id='m{number}'><body>{number}</body></message>"));
        }
        romeo.reaches("juliet@capulet.lit");
        romeo.hears_nothing_more();

        stage.scene("Juliet comes");
        let juliet = stage.bind("juliet@capulet.lit/balcony");
        juliet.says("<presence/>");
        juliet.hears("<presence from='{juliet}'/>");
        for number in 0..5 {
            let kind = if number % 2 == 0 { "type='chat'" } else { "" };
            juliet.hears(&format!(
                "<message from='{{romeo}}' {kind} id='m{number}'><body>{number}</body><delay xmlns='urn:xmpp:delay' from='capulet.lit' stamp='{{any}}'>{{any}}</delay></message>"
            ));
        }
        juliet.hears_nothing_more();

        stage.scene("They were given, and do not come again");
        juliet.leaves();
        let juliet = stage.bind("juliet@capulet.lit/balcony");
        juliet.says("<presence/>");
        juliet.hears("<presence from='{juliet}'/>");
        juliet.hears_nothing_more();
    }

    fn a_client_without_presence_or_of_negative_priority_does_not_get_them(stage: &mut Stage) {
        let juliet = stage.bind("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        romeo.says("<message to='juliet@capulet.lit' type='chat'><body>Hist!</body></message>");
        romeo.reaches("juliet@capulet.lit");
        juliet.hears_nothing_more();
        juliet.says("<presence><priority>-1</priority></presence>");
        juliet.hears("<presence from='{juliet}'><priority>-1</priority></presence>");
        juliet.hears_nothing_more();
        juliet.says("<presence/>");
        juliet.hears("<presence from='{juliet}'/>");
        juliet.hears("<message from='{romeo}' type='chat'><body>Hist!</body><delay xmlns='urn:xmpp:delay' _='{any}'>{any}</delay></message>");
    }

    fn a_chat_to_a_client_that_is_gone_waits_too(stage: &mut Stage) {
        stage.account("juliet@capulet.lit");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        romeo.says("<message to='juliet@capulet.lit/balcony' type='chat'><body>Hist!</body></message>");
        romeo.reaches("juliet@capulet.lit");
        romeo.hears_nothing_more();
        let phone = stage.bind("juliet@capulet.lit/phone");
        phone.says("<presence/>");
        phone.hears("<presence from='{juliet}'/>");
        phone.hears("<message from='{romeo}' to='{any}' type='chat'><body>Hist!</body><delay xmlns='urn:xmpp:delay' _='{any}'>{any}</delay></message>");
    }

    fn what_is_not_worth_keeping_is_not_kept(stage: &mut Stage) {
        stage.account("juliet@capulet.lit");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        romeo.says("<message to='juliet@capulet.lit' type='headline'><body>News</body></message>");
        romeo.says("<message to='juliet@capulet.lit' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>");
        romeo.says("<message to='juliet@capulet.lit' type='error'><body>Hist!</body></message>");
        romeo.reaches("juliet@capulet.lit");
        romeo.hears_nothing_more();
        let juliet = stage.bind("juliet@capulet.lit/balcony");
        juliet.says("<presence/>");
        juliet.hears("<presence from='{juliet}'/>");
        juliet.hears_nothing_more();
    }

    fn a_groupchat_message_is_not_kept_either(stage: &mut Stage) {
        stage.account("juliet@capulet.lit");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        romeo.says("<message to='juliet@capulet.lit' type='groupchat' id='m1'><body>Hist!</body></message>");
        romeo.hears("<message from='juliet@capulet.lit' type='error' id='m1'>{error cancel service-unavailable}</message>");
    }
}
