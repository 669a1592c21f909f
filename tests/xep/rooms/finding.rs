//! Which rooms there are and what they are like (XEP-0045 §6).

use muster_tests::acts::{configure, gather};
use muster_tests::on_every_stage;

use super::HALL;

const INFO: &str = "http://jabber.org/protocol/disco#info";
const ITEMS: &str = "http://jabber.org/protocol/disco#items";

on_every_stage! {
    fn public_rooms_are_listed_and_hidden_ones_are_not(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        gather(HALL, &[(&juliet, "Juliet")]);
        gather("crypt@conference.capulet.lit", &[(&juliet, "Juliet")]);
        configure(&juliet, HALL, &[("roomname", "The hall"), ("persistentroom", "1")]);
        configure(&juliet, "crypt@conference.capulet.lit", &[("publicroom", "0"), ("persistentroom", "1")]);
        romeo.says(&format!("<iq to='conference.capulet.lit' type='get' id='d1'><query xmlns='{ITEMS}'/></iq>"));
        let answer = romeo.hears(&format!(
            "<iq from='conference.capulet.lit' type='result' id='d1'><query xmlns='{ITEMS}'><item jid='{HALL}' name='The hall'/>{{any}}</query></iq>"
        ));
        assert!(!String::from(&answer).contains("crypt"), "{answer:?}");
    }

    fn a_room_says_what_it_is_like(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        gather(HALL, &[(&juliet, "Juliet")]);
        romeo.says(&format!("<iq to='{HALL}' type='get' id='d1'><query xmlns='{INFO}'/></iq>"));
        romeo.hears(&format!(
            "<iq from='{HALL}' type='result' id='d1'><query xmlns='{INFO}'><identity category='conference' type='text' _='{{any}}'/>\
             <feature var='http://jabber.org/protocol/muc'/><feature var='muc_temporary'/><feature var='muc_open'/><feature var='muc_public'/>\
             <feature var='muc_unmoderated'/><feature var='muc_unsecured'/><feature var='muc_semianonymous'/>{{any}}</query></iq>"
        ));
        romeo.says(&format!("<iq to='{HALL}' type='get' id='d2'><query xmlns='{ITEMS}'/></iq>"));
        romeo.hears(&format!("<iq from='{HALL}' type='result' id='d2'><query xmlns='{ITEMS}'>{{any}}</query></iq>"));
    }
}
