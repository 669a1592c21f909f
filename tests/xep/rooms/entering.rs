//! Into a room, under which name, and what is heard first (XEP-0045 §7.1, §7.2, §7.6).

use muster_tests::acts::{configure, enter_room, gather};
use muster_tests::on_every_stage;

use super::HALL;

on_every_stage! {
    fn the_first_one_makes_the_room_and_owns_it(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let heard = enter_room(&juliet, &format!("{HALL}/Juliet"));
        assert_eq!(heard.len(), 2, "her presence and the subject: {heard:?}");
        let x = heard[0].get_child("x", "http://jabber.org/protocol/muc#user").expect("what the room says");
        let item = x.children().find(|child| child.name() == "item").expect("an item");
        assert_eq!((item.attr("affiliation"), item.attr("role")), (Some("owner"), Some("moderator")));
        let codes: Vec<_> = x.children().filter_map(|child| child.attr("code")).collect();
        assert!(codes.contains(&"110") && codes.contains(&"201"), "{codes:?}");
        assert_eq!(heard[1].get_child("subject", "jabber:client").map(|it| it.text()).as_deref(), Some(""));
    }

    fn others_may_enter_when_it_is_configured(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        enter_room(&juliet, &format!("{HALL}/Juliet"));
        juliet.reaches(HALL);
        romeo.says(&format!("<presence to='{HALL}/Romeo'><x xmlns='http://jabber.org/protocol/muc'/></presence>"));
        romeo.hears(&format!("<presence from='{HALL}/Romeo' type='error'>{{error cancel item-not-found}}</presence>"));
        configure(&juliet, HALL, &[]);
        enter_room(&romeo, &format!("{HALL}/Romeo"));
    }

    fn everybody_hears_of_the_newcomer_and_he_of_everybody(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let nurse = stage.enter("nurse@capulet.lit/kitchen");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        gather(HALL, &[(&juliet, "Juliet"), (&nurse, "Nurse")]);
        romeo.says(&format!("<presence to='{HALL}/Romeo'><status>Masked</status><x xmlns='http://jabber.org/protocol/muc'/></presence>"));
        let x = "<x xmlns='http://jabber.org/protocol/muc#user'>";
        romeo.hears_all(&[
            &format!("<presence from='{HALL}/Juliet'>{x}<item affiliation='owner' role='moderator'/></x></presence>"),
            &format!("<presence from='{HALL}/Nurse'>{x}<item affiliation='none' role='participant'/></x></presence>"),
        ]);
        romeo.hears(&format!(
            "<presence from='{HALL}/Romeo'><status>Masked</status>{x}<item affiliation='none' role='participant' _='{{any}}'/><status code='110'/></x></presence>"
        ));
        romeo.hears(&format!("<message from='{HALL}' type='groupchat'><subject/></message>"));

        stage.scene("The owner sees who he is, the others do not");
        juliet.hears(&format!(
            "<presence from='{HALL}/Romeo'><status>Masked</status>{x}<item affiliation='none' role='participant' jid='{{romeo}}'/></x></presence>"
        ));
        nurse.hears(&format!(
            "<presence from='{HALL}/Romeo'><status>Masked</status>{x}<item affiliation='none' role='participant'/></x></presence>"
        ));
        romeo.hears_nothing_more_in(HALL);
        juliet.hears_nothing_more_in(HALL);
        nurse.hears_nothing_more_in(HALL);
    }

    fn a_name_belongs_to_one(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        gather(HALL, &[(&juliet, "Juliet")]);
        romeo.says(&format!("<presence to='{HALL}/Juliet'><x xmlns='http://jabber.org/protocol/muc'/></presence>"));
        romeo.hears(&format!("<presence from='{HALL}/Juliet' type='error'>{{error cancel conflict}}</presence>"));
        juliet.hears_nothing_more_in(HALL);
    }

    fn a_name_is_needed(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        romeo.says(&format!("<presence to='{HALL}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"));
        romeo.hears(&format!("<presence from='{HALL}' type='error'>{{error modify jid-malformed}}</presence>"));
    }

    fn a_name_can_be_changed(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        gather(HALL, &[(&juliet, "Juliet"), (&romeo, "Romeo")]);
        romeo.says(&format!("<presence to='{HALL}/Pilgrim'/>"));
        let x = "<x xmlns='http://jabber.org/protocol/muc#user'>";
        romeo.hears(&format!(
            "<presence from='{HALL}/Romeo' type='unavailable'>{x}<item nick='Pilgrim' _='{{any}}'/><status code='303'/><status code='110'/></x></presence>"
        ));
        romeo.hears(&format!("<presence from='{HALL}/Pilgrim'>{x}<item _='{{any}}'/><status code='110'/></x></presence>"));
        juliet.hears(&format!(
            "<presence from='{HALL}/Romeo' type='unavailable'>{x}<item nick='Pilgrim' _='{{any}}'/><status code='303'/></x></presence>"
        ));
        juliet.hears(&format!("<presence from='{HALL}/Pilgrim'>{x}<item _='{{any}}'/></x></presence>"));

        stage.scene("Not to one that is taken");
        romeo.says(&format!("<presence to='{HALL}/Juliet'/>"));
        romeo.hears(&format!("<presence from='{HALL}/Juliet' type='error'>{{error cancel conflict}}</presence>"));
    }

    fn two_clients_of_one_user_may_share_a_name(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let phone = stage.enter("juliet@capulet.lit/phone");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        gather(HALL, &[(&juliet, "Juliet"), (&romeo, "Romeo")]);
        enter_room(&phone, &format!("{HALL}/Juliet"));
        juliet.forgets();
        romeo.reaches(HALL);
        romeo.forgets();
        romeo.says(&format!("<message to='{HALL}' type='groupchat' id='m1'><body>Hist!</body></message>"));
        for client in [&juliet, &phone, &romeo] {
            client.hears(&format!("<message from='{HALL}/Romeo' type='groupchat' id='m1'><body>Hist!</body></message>"));
        }
        stage.scene("One of them leaves, and she is still there");
        phone.says(&format!("<presence to='{HALL}/Juliet' type='unavailable'/>"));
        juliet.says(&format!("<message to='{HALL}' type='groupchat' id='m2'><body>Ay me!</body></message>"));
        muster_tests::acts::listen_for(&romeo, |heard| {
            assert_ne!(heard.attr("type"), Some("unavailable"), "{heard:?}");
            heard.attr("id") == Some("m2")
        });
    }

    fn availability_is_seen_in_the_room(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        gather(HALL, &[(&juliet, "Juliet"), (&romeo, "Romeo")]);
        romeo.says(&format!("<presence to='{HALL}/Romeo'><show>dnd</show></presence>"));
        juliet.hears(&format!("<presence from='{HALL}/Romeo'><show>dnd</show><x xmlns='http://jabber.org/protocol/muc#user'>{{any}}</x></presence>"));
    }

    fn newcomers_hear_what_was_said_before(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        gather(HALL, &[(&juliet, "Juliet")]);
        for number in 0..5 {
            juliet.says(&format!("<message to='{HALL}' type='groupchat' id='m{number}'><body>{number}</body></message>"));
            juliet.hears(&format!("<message from='{HALL}/Juliet' type='groupchat' id='m{number}'><body>{number}</body></message>"));
        }
        romeo.says(&format!("<presence to='{HALL}/Romeo'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='3'/></x></presence>"));
        romeo.hears(&format!("<presence from='{HALL}/Juliet'>{{any}}</presence>"));
        romeo.hears(&format!("<presence from='{HALL}/Romeo'>{{any}}</presence>"));
        for number in 2..5 {
            romeo.hears(&format!(
                "<message from='{HALL}/Juliet' type='groupchat' id='m{number}'><body>{number}</body><delay xmlns='urn:xmpp:delay' from='{HALL}' stamp='{{any}}'>{{any}}</delay>{{any}}</message>"
            ));
        }
        romeo.hears(&format!("<message from='{HALL}' type='groupchat'><subject/></message>"));

        stage.scene("One who does not want to hear it");
        let nurse = stage.enter("nurse@capulet.lit/kitchen");
        nurse.says(&format!("<presence to='{HALL}/Nurse'><x xmlns='http://jabber.org/protocol/muc'><history maxchars='0'/></x></presence>"));
        nurse.hears_all(&[
            &format!("<presence from='{HALL}/Juliet'>{{any}}</presence>"),
            &format!("<presence from='{HALL}/Romeo'>{{any}}</presence>"),
        ]);
        nurse.hears(&format!("<presence from='{HALL}/Nurse'>{{any}}</presence>"));
        nurse.hears(&format!("<message from='{HALL}' type='groupchat'><subject/></message>"));
    }
}
