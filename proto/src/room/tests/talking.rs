//! XEP-0045 §7.4, §7.5, §7.8, §7.13, §8.1, §8.6.

use super::*;
use crate::stanza::Facts;

#[test]
fn a_message_is_reflected_to_everybody_with_its_id() {
    let mut scene = Scene::open(&[]);
    scene.enter(HAG, "third");
    scene.says(HAG, "<message to='{room}' type='groupchat' id='m1' xml:lang='en'><body>hi</body><e xmlns='urn:e'/></message>");
    for (who, to) in [(HAG, HAG), (CRONE, CRONE)] {
        let heard = scene.hears_one(who);
        assert_eq!(
            (heard.attr("id"), heard.attr("type"), heard.attr("to")),
            (Some("m1"), Some("groupchat"), Some(to))
        );
        assert_eq!(heard.attr("from"), Some(&*format!("{ROOM}/third")));
        assert!(heard.has_child("body", ns::CLIENT) && heard.has_child("e", "urn:e"));
        assert_eq!(heard.attr_ns(ns::XML, "lang"), Some("en"));
    }
    scene.says(HAG, "<message to='{room}' type='groupchat'><body>hi</body></message>");
    assert!(scene.hears_one(HAG).attr("id").is_some_and(|id| !id.is_empty()), "one without an id gets one");
}

#[test]
fn who_is_not_there_or_has_no_voice_is_not_heard() {
    let mut scene = Scene::open(&[("muc#roomconfig_moderatedroom", "1")]);
    scene.says(HAG, "<message to='{room}' type='groupchat'><body>hi</body></message>");
    assert_eq!(scene.hears(HAG), ["message error not-acceptable"]);
    scene.enter(HAG, "third");
    scene.says(HAG, "<message to='{room}' type='groupchat'><body>hi</body></message>");
    assert_eq!(scene.hears(HAG), ["message error forbidden"]);
    scene.says(HAG, "<message to='{room}' type='chat'><body>hi</body></message>");
    assert_eq!(scene.hears(HAG), ["message error bad-request"], "improperly typed");
    assert_eq!(scene.hears(CRONE), [""; 0]);
}

#[test]
fn nobody_speaks_in_the_name_of_the_room() {
    let mut scene = Scene::open(&[]);
    scene.enter(HAG, "third");
    let forged = "<x xmlns='http://jabber.org/protocol/muc#user'><status code='104'/></x>";
    let stamp = format!("<delay xmlns='urn:xmpp:delay' from='{ROOM}' stamp='2002-10-13T23:58:37Z'/>");
    scene.says(
        HAG,
        &format!("<message to='{{room}}' type='groupchat'><body>hi</body>{forged}{stamp}</message>"),
    );
    let heard = scene.unread[CRONE][0].clone();
    assert_eq!(heard.facts, Facts::BODY);
    scene.forget();
    scene.says(HAG, &format!("<message to='{{room}}/first' type='chat'><body>hi</body>{forged}</message>"));
    assert_eq!(scene.hears_one(CRONE).children().filter(|child| child.is("x", ns::MUC_USER)).count(), 1);
}

#[test]
fn the_subject_is_the_moderators_unless_the_room_says_otherwise() {
    let mut scene = Scene::open(&[]);
    scene.enter(HAG, "third");
    let subject = "<message to='{room}' type='groupchat'><subject>Fire</subject></message>";
    scene.says(HAG, subject);
    assert_eq!(scene.hears(HAG), ["message error forbidden"]);
    scene.says(CRONE, subject);
    assert_eq!(scene.hears(HAG), ["first sets \"Fire\""]);
    scene.says(HAG, "<message to='{room}' type='groupchat'><subject>Fire</subject><body>hi</body></message>");
    assert_eq!(scene.hears(HAG), ["third: hi"], "with a body it is a message");
    scene.says(
        HAG,
        "<message to='{room}' type='groupchat'><subject>Fire</subject><thread>1</thread></message>",
    );
    assert_eq!(scene.hears(HAG), ["third sets \"Fire\""], "and so it is with a thread");
    assert_eq!(scene.configures(CRONE, &[("muc#roomconfig_changesubject", "1")]), "result q");
    scene.forget();
    scene.says(HAG, "<message to='{room}' type='groupchat'><subject/></message>");
    assert_eq!(scene.hears(CRONE), ["third sets \"\""]);
    scene.says(WITCH, &join("second"));
    assert_eq!(
        scene.hears(WITCH).last().unwrap(),
        "third sets \"\" (delayed)",
        "a subject that was cleared has its time"
    );
}

#[test]
fn a_private_message_reaches_one_occupant() {
    let mut scene = Scene::open(&[]);
    scene.enter(HAG, "third");
    scene.enter(WITCH, "second");
    scene.says(HAG, "<message to='{room}/first' type='chat' id='p1'><body>psst</body></message>");
    let heard = scene.hears_one(CRONE);
    assert_eq!((heard.attr("type"), heard.attr("id")), (Some("chat"), Some("p1")));
    assert_eq!(heard.attr("from"), Some(&*format!("{ROOM}/third")));
    assert!(heard.has_child("x", ns::MUC_USER));
    assert_eq!(scene.hears(WITCH), [""; 0]);
    scene.says(HAG, "<message to='{room}/nobody' type='chat'><body>psst</body></message>");
    assert_eq!(scene.hears(HAG), ["message error item-not-found"]);
    scene.says(HAG, "<message to='{room}/first' type='groupchat'><body>psst</body></message>");
    assert_eq!(scene.hears(HAG), ["message error bad-request"]);
    scene.says(HECATE, "<message to='{room}/first' type='chat'><body>psst</body></message>");
    assert_eq!(scene.hears(HECATE), ["message error not-acceptable"]);
}

#[test]
fn private_messages_may_be_for_moderators_only() {
    let mut scene = Scene::open(&[("muc#roomconfig_allowpm", "moderators")]);
    scene.enter(HAG, "third");
    scene.says(HAG, "<message to='{room}/first' type='chat'><body>psst</body></message>");
    assert_eq!(scene.hears(HAG), ["message error forbidden"]);
    scene.says(CRONE, "<message to='{room}/third' type='chat'><body>psst</body></message>");
    assert_eq!(scene.hears(HAG), ["first: psst"]);
}

#[test]
fn an_invitation_goes_through_the_room_and_may_be_declined() {
    let mut scene = Scene::open(&[
        ("muc#roomconfig_passwordprotectedroom", "1"),
        ("muc#roomconfig_roomsecret", "cauldron"),
    ]);
    let invite = |to: &str| {
        format!(
            "<message to='{{room}}' id='i1'><x xmlns='{}'><invite to='{to}'><reason>Hey</reason></invite></x></message>",
            ns::MUC_USER
        )
    };
    scene.says(CRONE, &invite("hecate@shakespeare.lit"));
    let heard = scene.hears_one("hecate@shakespeare.lit");
    assert_eq!(heard.attr("from"), Some(ROOM));
    let x = heard.get_child("x", ns::MUC_USER).unwrap();
    let invitation = x.get_child("invite", ns::MUC_USER).unwrap();
    assert_eq!(invitation.attr("from"), Some(CRONE));
    assert_eq!(invitation.get_child("reason", ns::MUC_USER).unwrap().text(), "Hey");
    assert_eq!(x.get_child("password", ns::MUC_USER).unwrap().text(), "cauldron");
    let decline = |to: &str| {
        format!(
            "<message to='{{room}}'><x xmlns='{}'><decline to='{to}'><reason>Busy</reason></decline></x></message>",
            ns::MUC_USER
        )
    };
    scene.says(HECATE, &decline("crone1@shakespeare.lit"));
    let heard = scene.hears_one(CRONE);
    let declined = heard.get_child("x", ns::MUC_USER).unwrap().get_child("decline", ns::MUC_USER).unwrap();
    assert_eq!(declined.attr("from"), Some("hecate@shakespeare.lit"));
    assert_eq!(declined.get_child("reason", ns::MUC_USER).unwrap().text(), "Busy");
    scene.says(HECATE, &decline("stranger@elsewhere.lit"));
    assert_eq!(scene.hears(HECATE), ["message error item-not-found"], "the room is no relay");
    scene.says(HAG, &invite("hecate@shakespeare.lit"));
    assert_eq!(scene.hears(HAG), ["message error not-acceptable"], "only occupants invite");
    scene.says(CRONE, &invite("@@"));
    assert_eq!(scene.hears(CRONE), ["message error jid-malformed"]);
}

#[test]
fn an_invitation_to_nobody_comes_back_to_the_inviter() {
    let mut scene = Scene::open(&[]);
    let invite = format!("<x xmlns='{}'><invite from='{CRONE}'/></x>", ns::MUC_USER);
    let error =
        "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    scene.says(
        "nobody@shakespeare.lit",
        &format!("<message to='{{room}}' type='error'>{invite}{error}</message>"),
    );
    assert_eq!(scene.hears(CRONE), ["message error item-not-found"]);
}

#[test]
fn in_a_members_only_room_an_invitation_makes_a_member() {
    let mut scene = Scene::open(&[("muc#roomconfig_membersonly", "1")]);
    scene.sets(CRONE, "<item affiliation='member' jid='hag66@shakespeare.lit'/>");
    scene.enter(HAG, "third");
    let invite = format!(
        "<message to='{{room}}'><x xmlns='{}'><invite to='hecate@shakespeare.lit'/></x></message>",
        ns::MUC_USER
    );
    scene.says(HAG, &invite);
    assert_eq!(scene.hears(HAG), ["message error forbidden"], "a mere member may not");
    assert_eq!(scene.configures(CRONE, &[("muc#roomconfig_allowinvites", "1")]), "result q");
    scene.forget();
    scene.says(HAG, &invite);
    assert_eq!(scene.hears("hecate@shakespeare.lit").len(), 1);
    scene.enter(HECATE, "hecate");
}

#[test]
fn a_visitor_asks_for_voice_and_a_moderator_grants_it() {
    let mut scene = Scene::open(&[("muc#roomconfig_moderatedroom", "1")]);
    scene.enter(HAG, "third");
    let form = |more: &str| {
        format!(
            "<message to='{{room}}'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>{}</value></field>\
             <field var='muc#role'><value>participant</value></field>{more}</x></message>",
            ns::MUC_REQUEST
        )
    };
    scene.says(HAG, &form(""));
    let heard = scene.hears_one(CRONE);
    let asked = crate::form::Form::inside(&heard).unwrap().unwrap();
    assert_eq!((asked.value("muc#jid"), asked.value("muc#roomnick")), (Some(HAG), Some("third")));
    assert_eq!(asked.boolean("muc#request_allow"), Ok(Some(false)));
    let allow = "<field var='muc#roomnick'><value>third</value></field><field var='muc#request_allow'><value>1</value></field>";
    scene.says(HAG, &form(allow));
    assert_eq!(scene.hears(HAG), ["message error forbidden"], "nobody grants it to himself");
    scene.says(CRONE, &form(allow));
    assert_eq!(scene.hears(HAG), ["+third none/participant 110"]);
    scene.says(HAG, "<message to='{room}' type='groupchat'><body>hi</body></message>");
    assert_eq!(scene.hears(HAG), ["third: hi"]);
}
