//! Who is there, and who hears of it (RFC 6121 §4).

use muster_tests::acts::befriend;
use muster_tests::on_every_stage;

on_every_stage! {
    fn friends_see_each_other_come_change_and_go(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        befriend(&romeo, &juliet);

        stage.scene("Juliet is away for a moment");
        juliet.says("<presence><show>away</show><status>Nurse calls</status><priority>5</priority></presence>");
        juliet.hears("<presence from='{juliet}'><show>away</show><status>Nurse calls</status><priority>5</priority></presence>");
        romeo.hears("<presence from='{juliet}'><show>away</show><status>Nurse calls</status><priority>5</priority></presence>");

        stage.scene("She says good night");
        juliet.says("<presence type='unavailable'><status>Good night</status></presence>");
        romeo.hears("<presence from='{juliet}' type='unavailable'><status>Good night</status></presence>");

        stage.scene("She cannot sleep");
        juliet.forgets();
        juliet.says("<presence/>");
        romeo.hears("<presence from='{juliet}'/>");
        juliet.hears_all(&["<presence from='{juliet}'/>", "<presence from='{romeo}'/>"]);
        juliet.hears_nothing_more();
        romeo.hears_nothing_more();
    }

    fn a_new_client_learns_who_is_there(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        befriend(&romeo, &juliet);
        juliet.says("<presence><status>Sighing</status></presence>");
        romeo.hears("<presence from='{juliet}'><status>Sighing</status></presence>");
        juliet.forgets();

        let phone = stage.bind("romeo@montague.lit/phone");
        phone.says("<presence/>");
        phone.hears_all(&[
            "<presence from='{romeo/phone}'/>",
            "<presence from='{romeo/orchard}'/>",
            "<presence from='{juliet}'><status>Sighing</status></presence>",
        ]);
        romeo.hears("<presence from='{romeo/phone}'/>");
        juliet.hears("<presence from='{romeo/phone}'/>");
        phone.hears_nothing_more();
    }

    fn a_broken_connection_is_unavailable(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        befriend(&romeo, &juliet);
        juliet.vanishes();
        romeo.hears("<presence from='juliet@capulet.lit/balcony' type='unavailable'/>");
    }

    fn a_closed_stream_is_unavailable(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        befriend(&romeo, &juliet);
        juliet.leaves();
        romeo.hears("<presence from='juliet@capulet.lit/balcony' type='unavailable'/>");
    }

    fn each_client_goes_alone(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        befriend(&romeo, &juliet);
        let phone = stage.enter("juliet@capulet.lit/phone");
        romeo.hears("<presence from='{juliet/phone}'/>");
        phone.vanishes();
        romeo.hears("<presence from='juliet@capulet.lit/phone' type='unavailable'/>");
        juliet.hears("<presence from='juliet@capulet.lit/phone' type='unavailable'/>");
        juliet.hears_nothing_more();
    }

    fn strangers_hear_nothing(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        juliet.says("<presence><show>chat</show></presence>");
        juliet.hears("<presence from='{juliet}'><show>chat</show></presence>");
        romeo.hears_nothing_more();
    }

    fn a_probe_is_answered_to_friends_alone(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let tybalt = stage.enter("tybalt@capulet.lit/street");
        befriend(&romeo, &juliet);
        romeo.says("<presence to='juliet@capulet.lit' type='probe'/>");
        romeo.hears("<presence from='{juliet}'/>");
        tybalt.says("<presence to='juliet@capulet.lit' type='probe'/>");
        tybalt.reaches("juliet@capulet.lit");
        tybalt.says("<iq id='p1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>");
        let heard = muster_tests::acts::listen_for(&tybalt, |heard| {
            assert!(heard.name() == "iq" || heard.attr("type").is_some(), "he must not see her: {heard:?}");
            heard.name() == "iq"
        });
        assert_eq!(heard.attr("id"), Some("p1"));
        juliet.hears_nothing_more();
    }

    fn directed_presence_is_taken_back_when_its_sender_goes(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");

        stage.scene("He shows himself to a stranger");
        romeo.says("<presence to='juliet@capulet.lit'><status>Below</status></presence>");
        juliet.hears("<presence from='{romeo}' _='{any}'><status>Below</status></presence>");

        stage.scene("What he says to all, she does not hear; that he goes, she does");
        romeo.says("<presence><show>away</show></presence>");
        romeo.hears("<presence from='{romeo}'><show>away</show></presence>");
        juliet.hears_nothing_more();
        romeo.vanishes();
        juliet.hears("<presence from='romeo@montague.lit/orchard' type='unavailable'/>");
    }

    fn directed_presence_can_be_taken_back_by_hand(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        romeo.says("<presence to='{juliet}'/>");
        juliet.hears("<presence from='{romeo}'/>");
        romeo.says("<presence to='{juliet}' type='unavailable'/>");
        juliet.hears("<presence from='{romeo}' type='unavailable'/>");
        romeo.says("<presence type='unavailable'/>");
        romeo.forgets();
        juliet.hears_nothing_more();
    }

    fn an_empty_show_is_borne(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        romeo.says("<presence><show/></presence>");
        romeo.hears("<presence from='{romeo}'>{any}</presence>");
    }
}
