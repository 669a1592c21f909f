//! What an owner decides (XEP-0045 §10).

use muster_tests::acts::{configure, enter_room, gather, listen_for};
use muster_tests::on_every_stage;

use super::HALL;

const MUC: &str = "http://jabber.org/protocol/muc";

on_every_stage! {
    fn an_owner_gets_a_form(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        gather(HALL, &[(&juliet, "Juliet"), (&romeo, "Romeo")]);
        let get = format!("<iq to='{HALL}' type='get' id='f1'><query xmlns='{MUC}#owner'/></iq>");
        juliet.says(&get);
        let form = juliet.hears(&format!("<iq from='{HALL}' type='result' id='f1'><query xmlns='{MUC}#owner'><x xmlns='jabber:x:data' type='form'>{{any}}</x></query></iq>"));
        let text = String::from(&form);
        for field in ["roomname", "persistentroom", "publicroom", "membersonly", "moderatedroom", "passwordprotectedroom", "whois", "maxusers"] {
            assert!(text.contains(&format!("muc#roomconfig_{field}")), "{field} is missing in {text}");
        }
        romeo.says(&get);
        romeo.hears(&format!("<iq from='{HALL}' type='error' id='f1'>{{error auth forbidden}}</iq>"));
    }

    fn a_locked_room_that_nobody_configures_is_destroyed(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        enter_room(&juliet, &format!("{HALL}/Juliet"));
        juliet.says(&format!("<iq to='{HALL}' type='set' id='f1'><query xmlns='{MUC}#owner'><x xmlns='jabber:x:data' type='cancel'/></query></iq>"));
        listen_for(&juliet, |heard| heard.name() == "presence" && heard.attr("type") == Some("unavailable"));
        let romeo = stage.enter("romeo@montague.lit/orchard");
        juliet.reaches(HALL);
        let heard = enter_room(&romeo, &format!("{HALL}/Romeo"));
        assert!(String::from(&heard[0]).contains("code='201'"), "{heard:?}");
    }

    fn a_password_is_asked_for(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        gather(HALL, &[(&juliet, "Juliet")]);
        configure(&juliet, HALL, &[("passwordprotectedroom", "1"), ("roomsecret", "cauldronburn")]);
        for password in ["", "<password>guess</password>"] {
            romeo.says(&format!("<presence to='{HALL}/Romeo'><x xmlns='{MUC}'>{password}</x></presence>"));
            romeo.hears(&format!("<presence from='{HALL}/Romeo' type='error'>{{error auth not-authorized}}</presence>"));
        }
        romeo.says(&format!("<presence to='{HALL}/Romeo'><x xmlns='{MUC}'><password>cauldronburn</password></x></presence>"));
        romeo.hears(&format!("<presence from='{HALL}/Juliet'>{{any}}</presence>"));
        romeo.hears(&format!("<presence from='{HALL}/Romeo'>{{any}}</presence>"));
    }

    fn only_members_enter_a_members_room(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        gather(HALL, &[(&juliet, "Juliet")]);
        configure(&juliet, HALL, &[("membersonly", "1")]);
        romeo.says(&format!("<presence to='{HALL}/Romeo'><x xmlns='{MUC}'/></presence>"));
        romeo.hears(&format!("<presence from='{HALL}/Romeo' type='error'>{{error auth registration-required}}</presence>"));
        juliet.says(&format!("<iq to='{HALL}' type='set' id='a1'><query xmlns='{MUC}#admin'><item jid='romeo@montague.lit' affiliation='member'/></query></iq>"));
        listen_for(&juliet, |heard| heard.attr("id") == Some("a1"));
        enter_room(&romeo, &format!("{HALL}/Romeo"));
    }

    fn in_an_open_room_all_see_who_is_who(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        gather(HALL, &[(&juliet, "Juliet")]);
        configure(&juliet, HALL, &[("whois", "anyone")]);
        let heard = enter_room(&romeo, &format!("{HALL}/Romeo"));
        assert!(String::from(&heard[0]).contains("juliet@capulet.lit/balcony"), "{heard:?}");
        assert!(String::from(&heard[1]).contains("code='100'"), "he is told that it is so: {heard:?}");
    }

    fn a_persistent_room_stays(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        gather(HALL, &[(&juliet, "Juliet")]);
        configure(&juliet, HALL, &[("persistentroom", "1"), ("roomname", "The hall")]);
        juliet.says(&format!("<message to='{HALL}' type='groupchat'><subject>The feast</subject></message>"));
        juliet.says(&format!("<message to='{HALL}' type='groupchat' id='m1'><body>Welcome</body></message>"));
        juliet.says(&format!("<presence to='{HALL}/Juliet' type='unavailable'/>"));
        juliet.reaches(HALL);
        let heard = enter_room(&romeo, &format!("{HALL}/Romeo"));
        let text: String = heard.iter().map(String::from).collect();
        assert!(!text.contains("code='201'") && text.contains("Welcome") && text.contains("The feast"), "{text}");
        romeo.says(&format!("<iq to='{HALL}' type='get' id='d1'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"));
        romeo.hears(&format!(
            "<iq from='{HALL}' type='result' id='d1'><query xmlns='http://jabber.org/protocol/disco#info'><identity category='conference' type='text' name='The hall'/><feature var='muc_persistent'/>{{any}}</query></iq>"
        ));
    }

    fn an_owner_destroys_the_room(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        gather(HALL, &[(&juliet, "Juliet"), (&romeo, "Romeo")]);
        let destroy = format!("<iq to='{HALL}' type='set' id='x1'><query xmlns='{MUC}#owner'><destroy jid='crypt@conference.capulet.lit'><reason>The feast is over</reason></destroy></query></iq>");
        romeo.says(&destroy);
        romeo.hears(&format!("<iq from='{HALL}' type='error' id='x1'>{{error auth forbidden}}</iq>"));
        juliet.says(&destroy);
        juliet.hears_all(&[
            &format!("<presence from='{HALL}/Juliet' type='unavailable'><x xmlns='{MUC}#user'>{{any}}</x></presence>"),
            &format!("<iq from='{HALL}' type='result' id='x1'/>"),
        ]);
        romeo.hears(&format!(
            "<presence from='{HALL}/Romeo' type='unavailable'><x xmlns='{MUC}#user'><item affiliation='none' role='none' _='{{any}}'/><destroy jid='crypt@conference.capulet.lit'><reason>The feast is over</reason></destroy>{{any}}</x></presence>"
        ));
        romeo.says(&format!("<message to='{HALL}' type='groupchat' id='m1'><body>Hist!</body></message>"));
        romeo.hears(&format!("<message from='{HALL}' type='error' id='m1'>{{error cancel item-not-found}}</message>"));
    }

    fn what_cannot_be_is_refused(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        gather(HALL, &[(&juliet, "Juliet")]);
        juliet.says(&format!(
            "<iq to='{HALL}' type='set' id='f1'><query xmlns='{MUC}#owner'><x xmlns='jabber:x:data' type='submit'>\
             <field var='FORM_TYPE'><value>{MUC}#roomconfig</value></field>\
             <field var='muc#roomconfig_passwordprotectedroom'><value>1</value></field></x></query></iq>"
        ));
        juliet.hears(&format!("<iq from='{HALL}' type='error' id='f1'>{{error modify not-acceptable}}</iq>"));
    }
}
