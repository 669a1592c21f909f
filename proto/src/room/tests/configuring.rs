//! XEP-0045 §10.1, §10.2, §10.9.

use super::*;

const GET: &str = "<query xmlns='http://jabber.org/protocol/muc#owner'/>";

#[test]
fn an_owner_gets_the_form_with_what_is_true() {
    let mut scene = Scene::open(&[("muc#roomconfig_roomname", "Cave"), ("muc#roomconfig_maxusers", "10")]);
    scene.says(CRONE, &format!("<iq to='{{room}}' id='f' type='get'>{GET}</iq>"));
    let answer = scene.hears_one(CRONE);
    let form = crate::form::Form::inside(answer.get_child("query", ns::MUC_OWNER).unwrap()).unwrap().unwrap();
    assert_eq!(form.form_type(), Some(ns::MUC_ROOMCONFIG));
    assert_eq!(form.value("muc#roomconfig_roomname"), Some("Cave"));
    assert_eq!(form.value("muc#roomconfig_maxusers"), Some("10"));
    assert_eq!(form.values("muc#roomconfig_roomowners"), ["crone1@shakespeare.lit"]);
    assert_eq!(scene.asks(HAG, "get", GET), "iq error forbidden");
    assert_eq!(scene.configures(HAG, &[]), "iq error forbidden");
}

#[test]
fn the_form_sent_back_as_it_came_changes_nothing() {
    let mut scene = Scene::open(&[]);
    scene.says(CRONE, &format!("<iq to='{{room}}' id='f' type='get'>{GET}</iq>"));
    let query = scene.hears_one(CRONE).get_child("query", ns::MUC_OWNER).unwrap().clone();
    let form = String::from(&query)
        .replace("type=\"form\"", "type=\"submit\"")
        .replace("type='form'", "type='submit'");
    assert_eq!(scene.asks(CRONE, "set", &form), "result q");
    assert_eq!(scene.hears(CRONE), [""; 0]);
}

#[test]
fn what_cannot_be_is_refused() {
    let mut scene = Scene::open(&[]);
    for (fields, error) in [
        (&[("muc#roomconfig_passwordprotectedroom", "1")][..], "not-acceptable"),
        (&[("muc#roomconfig_enablelogging", "1")], "not-acceptable"),
        (&[("muc#roomconfig_whois", "none")], "not-acceptable"),
        (&[("muc#roomconfig_maxusers", "1000000")], "not-acceptable"),
        (&[("muc#roomconfig_maxusers", "few")], "bad-request"),
        (&[("muc#roomconfig_publicroom", "maybe")], "bad-request"),
        (&[("muc#roomconfig_roomowners", "")], "conflict"),
        (&[("FORM_TYPE", "urn:other")], "bad-request"),
    ] {
        assert_eq!(scene.configures(CRONE, fields), format!("iq error {error}"), "{fields:?}");
    }
}

#[test]
fn occupants_are_told_of_changes_that_concern_them() {
    let mut scene = Scene::open(&[]);
    scene.enter(HAG, "third");
    for (field, value, heard) in [
        ("muc#roomconfig_whois", "anyone", vec!["room says 172"]),
        ("muc#roomconfig_whois", "moderators", vec!["room says 173"]),
        ("muc#roomconfig_roomname", "Cave", vec!["room says 104"]),
        ("muc#roomconfig_roomname", "Cave", vec![]),
    ] {
        assert_eq!(scene.configures(CRONE, &[(field, value)]), "result q");
        assert_eq!(scene.hears(HAG), heard);
    }
}

#[test]
fn strangers_leave_a_room_that_becomes_members_only() {
    let mut scene = Scene::open(&[]);
    scene.enter(HAG, "third");
    assert_eq!(scene.configures(CRONE, &[("muc#roomconfig_membersonly", "1")]), "result q");
    assert_eq!(scene.hears(HAG), ["-third none/none 110 322"]);
    assert_eq!(scene.hears(CRONE), [format!("-third none/none {HAG} 322"), "room says 104".into()]);
}

#[test]
fn everybody_may_speak_when_moderation_ends() {
    let mut scene = Scene::open(&[("muc#roomconfig_moderatedroom", "1")]);
    scene.enter(HAG, "third");
    assert_eq!(scene.configures(CRONE, &[("muc#roomconfig_moderatedroom", "0")]), "result q");
    assert_eq!(scene.hears(HAG), ["+third none/participant 110", "room says 104"]);
}

#[test]
fn the_form_names_administrators_and_owners() {
    let mut scene = Scene::open(&[]);
    scene.enter(HAG, "third");
    let admins = [("muc#roomconfig_roomadmins", "hag66@shakespeare.lit")];
    assert_eq!(scene.configures(CRONE, &admins), "result q");
    assert_eq!(scene.hears(HAG)[0], format!("+third admin/moderator {HAG} actor=first 110"));
    assert_eq!(scene.configures(CRONE, &[("muc#roomconfig_roomadmins", "")]), "result q");
    assert_eq!(scene.hears(HAG), ["+third member/participant actor=first 110"]);
    let moves = [
        ("muc#roomconfig_roomadmins", "crone1@shakespeare.lit"),
        ("muc#roomconfig_roomowners", "hag66@shakespeare.lit"),
    ];
    assert_eq!(scene.configures(CRONE, &moves), "result q");
    let heard = scene.hears(HAG);
    assert!(heard.contains(&format!("+third owner/moderator {HAG} actor=first 110")), "{heard:?}");
    assert!(heard.iter().any(|line| line.starts_with("+first admin/moderator")), "{heard:?}");
}

#[test]
fn a_room_is_destroyed_with_a_word_to_each() {
    let mut scene = Scene::open(&[]);
    scene.enter(HAG, "third");
    let destroy = "<query xmlns='http://jabber.org/protocol/muc#owner'><destroy jid='cave@conference.montague.lit'>\
                   <reason>Macbeth doth come.</reason><password>x</password></destroy></query>";
    assert_eq!(scene.asks(HAG, "set", destroy), "iq error forbidden");
    assert_eq!(scene.asks(CRONE, "set", destroy), "result q");
    let heard = scene.hears_one(HAG);
    assert_eq!(
        (heard.attr("from"), heard.attr("type")),
        (Some(&*format!("{ROOM}/third")), Some("unavailable"))
    );
    let x = heard.get_child("x", ns::MUC_USER).unwrap();
    assert_eq!(x.get_child("item", ns::MUC_USER).unwrap().attr("affiliation"), Some("none"));
    let destroyed = x.get_child("destroy", ns::MUC_USER).unwrap();
    assert_eq!(destroyed.attr("jid"), Some("cave@conference.montague.lit"));
    assert_eq!(destroyed.get_child("reason", ns::MUC_USER).unwrap().text(), "Macbeth doth come.");
    assert!(scene.world.room(ROOM).is_none());
    scene.says(HAG, &join("third"));
    assert!(scene.hears(HAG)[0].ends_with("110 201"), "the address is free again");
}
