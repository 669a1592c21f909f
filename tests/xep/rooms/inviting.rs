//! Invitations (XEP-0045 §7.8, XEP-0249).

use muster_tests::acts::{configure, enter_room, gather};
use muster_tests::on_every_stage;

use super::HALL;

const USER: &str = "http://jabber.org/protocol/muc#user";

on_every_stage! {
    fn a_direct_invitation_is_a_message(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        juliet.says(&format!("<message to='romeo@montague.lit'><x xmlns='jabber:x:conference' jid='{HALL}' reason='The feast'/></message>"));
        romeo.hears(&format!("<message from='{{juliet}}'><x xmlns='jabber:x:conference' jid='{HALL}' reason='The feast'/></message>"));
    }

    fn an_invitation_goes_through_the_room(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        gather(HALL, &[(&juliet, "Juliet")]);
        juliet.says(&format!("<message to='{HALL}'><x xmlns='{USER}'><invite to='romeo@montague.lit'><reason>The feast</reason></invite></x></message>"));
        romeo.hears(&format!("<message from='{HALL}' _='{{any}}'><x xmlns='{USER}'><invite from='{{any}}'><reason>The feast</reason></invite></x>{{any}}</message>"));

        stage.scene("He declines");
        romeo.says(&format!("<message to='{HALL}'><x xmlns='{USER}'><decline to='juliet@capulet.lit'><reason>Asleep</reason></decline></x></message>"));
        juliet.hears(&format!("<message from='{HALL}' _='{{any}}'><x xmlns='{USER}'><decline from='{{any}}'><reason>Asleep</reason></decline></x>{{any}}</message>"));
    }

    fn whoever_is_invited_to_a_members_room_becomes_a_member(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        gather(HALL, &[(&juliet, "Juliet")]);
        configure(&juliet, HALL, &[("membersonly", "1")]);
        juliet.says(&format!("<message to='{HALL}'><x xmlns='{USER}'><invite to='romeo@montague.lit'/></x></message>"));
        romeo.hears(&format!("<message from='{HALL}' _='{{any}}'><x xmlns='{USER}'><invite from='{{any}}'/></x>{{any}}</message>"));
        enter_room(&romeo, &format!("{HALL}/Romeo"));
    }

    fn who_is_not_there_invites_nobody(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let tybalt = stage.enter("tybalt@capulet.lit/street");
        gather(HALL, &[(&juliet, "Juliet")]);
        tybalt.says(&format!("<message to='{HALL}' id='i1'><x xmlns='{USER}'><invite to='romeo@montague.lit'/></x></message>"));
        tybalt.hears(&format!("<message from='{HALL}' id='i1' type='error'>{{any}}</message>"));
        romeo.hears_nothing_more_in(HALL);
    }
}
