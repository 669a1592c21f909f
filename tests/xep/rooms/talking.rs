//! What is said to all, to one, and of what (XEP-0045 §7.4, §7.5, §8.1).

use muster_tests::acts::{enter_room, gather};
use muster_tests::on_every_stage;

use super::HALL;

on_every_stage! {
    fn everybody_hears_it_in_the_same_order(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let nurse = stage.enter("nurse@capulet.lit/kitchen");
        gather(HALL, &[(&juliet, "Juliet"), (&romeo, "Romeo"), (&nurse, "Nurse")]);
        for number in 0..20 {
            for player in [&juliet, &romeo] {
                player.says(&format!("<message to='{HALL}' type='groupchat'><body>{number}</body></message>"));
            }
        }
        let script = |player: &muster_tests::Player| {
            (0..40)
                .map(|_| {
                    let heard = player.hears("<message from='{any}' id='{any}' type='groupchat'><body>{any}</body></message>");
                    (heard.attr("from").map(ToOwned::to_owned), heard.children().next().map(|body| body.text()))
                })
                .collect::<Vec<_>>()
        };
        let told = script(&juliet);
        assert_eq!(told, script(&romeo));
        assert_eq!(told, script(&nurse));
        for speaker in ["Juliet", "Romeo"] {
            let from = Some(format!("{HALL}/{speaker}"));
            let said: Vec<_> = told.iter().filter(|(who, _)| *who == from).filter_map(|(_, body)| body.clone()).collect();
            assert_eq!(said, (0..20).map(|number| number.to_string()).collect::<Vec<_>>(), "{speaker}'s own order");
        }
        nurse.hears_nothing_more_in(HALL);
    }

    fn what_is_inside_and_the_id_stay(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        gather(HALL, &[(&juliet, "Juliet"), (&romeo, "Romeo")]);
        romeo.says(&format!("<message to='{HALL}' type='groupchat' id='m1' xml:lang='it'><body>Ehi!</body><active xmlns='http://jabber.org/protocol/chatstates'/></message>"));
        for player in [&juliet, &romeo] {
            player.hears(&format!("<message from='{HALL}/Romeo' type='groupchat' id='m1' xml:lang='it'><body>Ehi!</body><active xmlns='http://jabber.org/protocol/chatstates'/></message>"));
        }
    }

    fn who_is_not_in_the_room_is_not_heard(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        gather(HALL, &[(&juliet, "Juliet")]);
        romeo.says(&format!("<message to='{HALL}' type='groupchat' id='m1'><body>Hist!</body></message>"));
        romeo.hears(&format!("<message from='{HALL}' type='error' id='m1'>{{error modify not-acceptable}}</message>"));
        juliet.hears_nothing_more_in(HALL);
    }

    fn a_room_that_is_not_there_is_not_found(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        romeo.says("<message to='crypt@conference.capulet.lit' type='groupchat' id='m1'><body>Hist!</body></message>");
        romeo.hears("<message from='crypt@conference.capulet.lit' type='error' id='m1'>{error cancel item-not-found}</message>");
        romeo.says("<iq to='crypt@conference.capulet.lit' type='get' id='d1'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
        romeo.hears("<iq from='crypt@conference.capulet.lit' type='error' id='d1'>{error cancel item-not-found}</iq>");
    }

    fn one_word_to_one_alone(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let nurse = stage.enter("nurse@capulet.lit/kitchen");
        gather(HALL, &[(&juliet, "Juliet"), (&romeo, "Romeo"), (&nurse, "Nurse")]);
        romeo.says(&format!("<message to='{HALL}/Juliet' type='chat' id='m1'><body>Hist!</body></message>"));
        juliet.hears(&format!("<message from='{HALL}/Romeo' type='chat' id='m1'><body>Hist!</body><x xmlns='http://jabber.org/protocol/muc#user'/></message>"));
        nurse.hears_nothing_more_in(HALL);
        romeo.says(&format!("<message to='{HALL}/Paris' type='chat' id='m2'><body>Hist!</body></message>"));
        romeo.hears(&format!("<message from='{HALL}/Paris' type='error' id='m2'>{{error cancel item-not-found}}</message>"));
        romeo.says(&format!("<message to='{HALL}/Juliet' type='groupchat' id='m3'><body>Hist!</body></message>"));
        romeo.hears(&format!("<message from='{HALL}/Juliet' type='error' id='m3'>{{error modify bad-request}}</message>"));
    }

    fn questions_reach_an_occupant_and_answers_come_back(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        gather(HALL, &[(&juliet, "Juliet"), (&romeo, "Romeo")]);
        romeo.says(&format!("<iq to='{HALL}/Juliet' type='get' id='v1'><query xmlns='jabber:iq:version'/></iq>"));
        let asked = juliet.hears(&format!("<iq from='{HALL}/Romeo' to='{{any}}' type='get' id='{{any}}'><query xmlns='jabber:iq:version'/></iq>"));
        let id = asked.attr("id").unwrap_or_default();
        juliet.says(&format!("<iq to='{HALL}/Romeo' type='result' id='{id}'><query xmlns='jabber:iq:version'><name>Balcony</name></query></iq>"));
        romeo.hears(&format!("<iq from='{HALL}/Juliet' type='result' id='v1'><query xmlns='jabber:iq:version'><name>Balcony</name></query></iq>"));
    }

    fn the_subject_is_set_by_moderators_and_told_to_newcomers(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        gather(HALL, &[(&juliet, "Juliet"), (&romeo, "Romeo")]);
        juliet.says(&format!("<message to='{HALL}' type='groupchat' id='s1'><subject>The feast</subject></message>"));
        for player in [&juliet, &romeo] {
            player.hears(&format!("<message from='{HALL}/Juliet' type='groupchat' id='s1'><subject>The feast</subject></message>"));
        }
        romeo.says(&format!("<message to='{HALL}' type='groupchat' id='s2'><subject>The brawl</subject></message>"));
        romeo.hears(&format!("<message from='{HALL}' type='error' id='s2'>{{error auth forbidden}}</message>"));
        let nurse = stage.enter("nurse@capulet.lit/kitchen");
        let heard = enter_room(&nurse, &format!("{HALL}/Nurse"));
        let subject = heard.last().and_then(|last| last.get_child("subject", "jabber:client")).map(|it| it.text());
        assert_eq!(subject.as_deref(), Some("The feast"));
    }

    fn to_ping_oneself_is_to_ask_whether_one_is_there(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        gather(HALL, &[(&juliet, "Juliet")]);
        juliet.says(&format!("<iq to='{HALL}/Juliet' type='get' id='p1'><ping xmlns='urn:xmpp:ping'/></iq>"));
        juliet.hears(&format!("<iq from='{HALL}/Juliet' type='result' id='p1'/>"));
        romeo.says(&format!("<iq to='{HALL}/Romeo' type='get' id='p1'><ping xmlns='urn:xmpp:ping'/></iq>"));
        romeo.hears(&format!("<iq from='{HALL}/Romeo' type='error' id='p1'>{{any}}<error _='{{any}}'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"));
    }
}
