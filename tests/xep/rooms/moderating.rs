//! Kicks, bans, voice and affiliations (XEP-0045 §8, §9, §10).

use muster_tests::acts::{configure, enter_room, gather};
use muster_tests::{Player, on_every_stage};

use super::HALL;

const X: &str = "<x xmlns='http://jabber.org/protocol/muc#user'>";

/// Sets something of the list; yields the type of the answer.
fn administer(player: &Player, item: &str, answer: &str) {
    player.says(&format!("<iq to='{HALL}' type='set' id='a1'><query xmlns='http://jabber.org/protocol/muc#admin'>{item}</query></iq>"));
    let heard = muster_tests::acts::listen_for(player, |heard| heard.attr("id") == Some("a1"));
    let wrong = String::from(&heard);
    assert!(wrong.contains(answer), "{answer} should be in {wrong}");
    player.forgets();
}

on_every_stage! {
    fn a_moderator_kicks(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let nurse = stage.enter("nurse@capulet.lit/kitchen");
        gather(HALL, &[(&juliet, "Juliet"), (&romeo, "Romeo"), (&nurse, "Nurse")]);
        administer(&juliet, "<item nick='Romeo' role='none'><reason>Too bold</reason></item>", "result");
        romeo.hears(&format!("<presence from='{HALL}/Romeo' type='unavailable'>{X}<item affiliation='none' role='none' _='{{any}}'><reason>Too bold</reason>{{any}}</item><status code='307'/><status code='110'/></x></presence>"));
        nurse.hears(&format!("<presence from='{HALL}/Romeo' type='unavailable'>{X}<item affiliation='none' role='none'><reason>Too bold</reason>{{any}}</item><status code='307'/></x></presence>"));
        stage.scene("He may come back");
        enter_room(&romeo, &format!("{HALL}/Romeo"));
    }

    fn a_participant_does_not_kick_and_nobody_kicks_an_owner(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        gather(HALL, &[(&juliet, "Juliet"), (&romeo, "Romeo")]);
        administer(&romeo, "<item nick='Juliet' role='none'/>", "forbidden");
        administer(&juliet, "<item nick='Romeo' role='moderator'/>", "result");
        romeo.reaches(HALL);
        romeo.forgets();
        administer(&romeo, "<item nick='Juliet' role='none'/>", "not-allowed");
        juliet.hears_nothing_more_in(HALL);
    }

    fn an_admin_bans(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        gather(HALL, &[(&juliet, "Juliet"), (&romeo, "Romeo")]);
        administer(&juliet, "<item jid='romeo@montague.lit' affiliation='outcast'><reason>A Montague</reason></item>", "result");
        romeo.hears(&format!("<presence from='{HALL}/Romeo' type='unavailable'>{X}<item affiliation='outcast' role='none' _='{{any}}'><reason>A Montague</reason>{{any}}</item><status code='301'/><status code='110'/></x></presence>"));
        romeo.says(&format!("<presence to='{HALL}/Pilgrim'><x xmlns='http://jabber.org/protocol/muc'/></presence>"));
        romeo.hears(&format!("<presence from='{HALL}/Pilgrim' type='error'>{{error auth forbidden}}</presence>"));

        stage.scene("The list of outcasts");
        juliet.asks(
            &format!("<iq to='{HALL}' type='get' id='l1'><query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='outcast'/></query></iq>"),
            &format!("<iq from='{HALL}' type='result' id='l1'><query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='outcast' jid='romeo@montague.lit' _='{{any}}'>{{any}}</item></query></iq>"),
        );
        stage.scene("He is forgiven");
        administer(&juliet, "<item jid='romeo@montague.lit' affiliation='none'/>", "result");
        enter_room(&romeo, &format!("{HALL}/Romeo"));
    }

    fn in_a_moderated_room_one_needs_voice(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        gather(HALL, &[(&juliet, "Juliet")]);
        configure(&juliet, HALL, &[("moderatedroom", "1")]);
        enter_room(&romeo, &format!("{HALL}/Romeo"));
        juliet.reaches(HALL);
        juliet.forgets();
        romeo.says(&format!("<message to='{HALL}' type='groupchat' id='m1'><body>Hist!</body></message>"));
        romeo.hears(&format!("<message from='{HALL}' type='error' id='m1'>{{error auth forbidden}}</message>"));

        stage.scene("He is given voice");
        administer(&juliet, "<item nick='Romeo' role='participant'/>", "result");
        romeo.hears(&format!("<presence from='{HALL}/Romeo'>{X}<item affiliation='none' role='participant' _='{{any}}'>{{any}}</item><status code='110'/></x></presence>"));
        romeo.says(&format!("<message to='{HALL}' type='groupchat' id='m2'><body>Hist!</body></message>"));
        juliet.hears(&format!("<message from='{HALL}/Romeo' type='groupchat' id='m2'><body>Hist!</body></message>"));
        romeo.hears(&format!("<message from='{HALL}/Romeo' type='groupchat' id='m2'><body>Hist!</body></message>"));

        stage.scene("And it is taken again");
        administer(&juliet, "<item nick='Romeo' role='visitor'/>", "result");
        romeo.hears(&format!("<presence from='{HALL}/Romeo'>{X}<item affiliation='none' role='visitor' _='{{any}}'>{{any}}</item><status code='110'/></x></presence>"));
    }

    fn an_owner_makes_members_admins_and_owners(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        gather(HALL, &[(&juliet, "Juliet"), (&romeo, "Romeo")]);
        for (affiliation, role) in [("member", "participant"), ("admin", "moderator"), ("owner", "moderator")] {
            administer(&juliet, &format!("<item jid='romeo@montague.lit' affiliation='{affiliation}'/>"), "result");
            // Whoever becomes a moderator then hears who is who.
            romeo.hears(&format!("<presence from='{HALL}/Romeo'>{X}<item affiliation='{affiliation}' role='{role}' _='{{any}}'>{{any}}</item><status code='110'/></x></presence>"));
            romeo.reaches(HALL);
            romeo.forgets();
        }
        stage.scene("Now he is an owner, he may take it from her; the last one stays");
        administer(&romeo, "<item jid='juliet@capulet.lit' affiliation='none'/>", "result");
        administer(&romeo, "<item jid='romeo@montague.lit' affiliation='none'/>", "conflict");
    }

    fn lists_are_for_admins(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        gather(HALL, &[(&juliet, "Juliet"), (&romeo, "Romeo")]);
        romeo.says(&format!("<iq to='{HALL}' type='get' id='l1'><query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='outcast'/></query></iq>"));
        romeo.hears(&format!("<iq from='{HALL}' type='error' id='l1'>{{error auth forbidden}}</iq>"));
        administer(&romeo, "<item jid='romeo@montague.lit' affiliation='owner'/>", "forbidden");
    }
}
