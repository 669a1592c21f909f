//! Out of a room, by will or not (XEP-0045 §7.14).

use muster_tests::acts::{enter_room, gather};
use muster_tests::on_every_stage;

use super::HALL;

on_every_stage! {
    fn who_leaves_says_so_and_is_told(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        gather(HALL, &[(&juliet, "Juliet"), (&romeo, "Romeo")]);
        romeo.says(&format!("<presence to='{HALL}/Romeo' type='unavailable'><status>Adieu</status></presence>"));
        let x = "<x xmlns='http://jabber.org/protocol/muc#user'>";
        romeo.hears(&format!("<presence from='{HALL}/Romeo' type='unavailable'><status>Adieu</status>{x}<item affiliation='none' role='none' _='{{any}}'/><status code='110'/></x></presence>"));
        juliet.hears(&format!("<presence from='{HALL}/Romeo' type='unavailable'><status>Adieu</status>{x}<item affiliation='none' role='none' _='{{any}}'/></x></presence>"));
        juliet.says(&format!("<message to='{HALL}' type='groupchat'><body>Adieu</body></message>"));
        juliet.hears(&format!("<message from='{HALL}/Juliet' type='groupchat' _='{{any}}'><body>Adieu</body></message>"));
        romeo.hears_nothing_more_in(HALL);
    }

    fn a_broken_connection_leaves_the_room(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        gather(HALL, &[(&juliet, "Juliet"), (&romeo, "Romeo")]);
        romeo.vanishes();
        juliet.hears(&format!("<presence from='{HALL}/Romeo' type='unavailable'><x xmlns='http://jabber.org/protocol/muc#user'>{{any}}</x></presence>"));
    }

    fn who_becomes_unavailable_leaves_the_room(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        gather(HALL, &[(&juliet, "Juliet"), (&romeo, "Romeo")]);
        romeo.says("<presence type='unavailable'/>");
        juliet.hears(&format!("<presence from='{HALL}/Romeo' type='unavailable'><x xmlns='http://jabber.org/protocol/muc#user'>{{any}}</x></presence>"));
    }

    fn a_temporary_room_is_gone_with_its_last_occupant(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        gather(HALL, &[(&juliet, "Juliet")]);
        juliet.says(&format!("<presence to='{HALL}/Juliet' type='unavailable'/>"));
        juliet.reaches(HALL);
        juliet.forgets();
        let heard = enter_room(&romeo, &format!("{HALL}/Romeo"));
        assert!(String::from(&heard[0]).contains("code='201'"), "it is a new room: {:?}", heard[0]);
    }
}
