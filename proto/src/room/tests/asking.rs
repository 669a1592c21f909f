//! XEP-0045 §6.4–6.6, §7.12, §17.4; XEP-0410.

use super::*;

const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
const ITEMS: &str = "<query xmlns='http://jabber.org/protocol/disco#items'/>";

#[test]
fn a_room_says_what_it_is() {
    let mut scene =
        Scene::open(&[("muc#roomconfig_roomname", "A Dark Cave"), ("muc#roomconfig_roomdesc", "Witches!")]);
    scene.says(CRONE, "<message to='{room}' type='groupchat'><subject>Spells</subject></message>");
    let info = scene.asks(HAG, "get", INFO);
    assert!(info.contains("name=\"A Dark Cave\"") || info.contains("name='A Dark Cave'"), "{info}");
    for feature in [
        "http://jabber.org/protocol/muc",
        "http://jabber.org/protocol/muc#stable_id",
        "http://jabber.org/protocol/muc#self-ping-optimization",
        "muc_temporary",
        "muc_public",
        "muc_open",
        "muc_unmoderated",
        "muc_semianonymous",
        "muc_unsecured",
        "http://jabber.org/protocol/muc#roominfo",
        "Witches!",
        "Spells",
    ] {
        assert!(info.contains(feature), "{feature} in {info}");
    }
    let other = [
        ("muc#roomconfig_publicroom", "0"),
        ("muc#roomconfig_membersonly", "1"),
        ("muc#roomconfig_moderatedroom", "1"),
        ("muc#roomconfig_whois", "anyone"),
        ("muc#roomconfig_persistentroom", "1"),
        ("muc#roomconfig_passwordprotectedroom", "1"),
        ("muc#roomconfig_roomsecret", "x"),
    ];
    assert_eq!(scene.configures(CRONE, &other), "result q");
    let info = scene.asks(HAG, "get", INFO);
    for feature in [
        "muc_hidden",
        "muc_membersonly",
        "muc_moderated",
        "muc_nonanonymous",
        "muc_persistent",
        "muc_passwordprotected",
    ] {
        assert!(info.contains(feature), "{feature} in {info}");
    }
}

#[test]
fn who_is_there_is_told_if_the_room_is_public() {
    let mut scene = Scene::open(&[]);
    scene.enter(HAG, "third");
    assert!(scene.asks(WITCH, "get", ITEMS).contains(&format!("{ROOM}/third")));
    scene.configures(CRONE, &[("muc#roomconfig_publicroom", "0")]);
    assert!(!scene.asks(WITCH, "get", ITEMS).contains("third"));
    assert!(scene.asks(HAG, "get", ITEMS).contains(&format!("{ROOM}/third")), "occupants see each other");
}

#[test]
fn nodes_of_a_room_answer_for_themselves() {
    let mut scene = Scene::open(&[]);
    let node = |name: &str| format!("<query xmlns='http://jabber.org/protocol/disco#info' node='{name}'/>");
    assert!(!scene.asks(HAG, "get", &node("x-roomuser-item")).contains("identity"));
    scene.sets(CRONE, "<item affiliation='member' jid='hag66@shakespeare.lit' nick='oldhag'/>");
    assert!(scene.asks(HAG, "get", &node("x-roomuser-item")).contains("oldhag"));
    scene.sets(CRONE, "<item affiliation='member' jid='hag66@shakespeare.lit' nick=''/>");
    assert!(
        !scene.asks(HAG, "get", &node("x-roomuser-item")).contains("oldhag"),
        "an empty one takes it away"
    );
    assert_eq!(
        scene.asks(HAG, "get", &node("http://jabber.org/protocol/muc#traffic")),
        "iq error service-unavailable"
    );
    assert_eq!(scene.asks(HAG, "get", &node("other")), "iq error item-not-found");
}

#[test]
fn what_a_room_does_not_know_it_refuses() {
    let mut scene = Scene::open(&[]);
    assert_eq!(scene.asks(HAG, "get", "<query xmlns='jabber:iq:register'/>"), "iq error service-unavailable");
    assert_eq!(scene.asks(HAG, "get", "<ping xmlns='urn:xmpp:ping'/>"), "result q");
    scene.says(HAG, "<iq to='{room}' id='r' type='result'/>");
    assert_eq!(scene.hears(HAG), [""; 0]);
}

#[test]
fn a_self_ping_tells_whether_one_is_there() {
    let mut scene = Scene::open(&[]);
    let ping = "<iq to='{room}/third' id='s1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>";
    scene.says(HAG, ping);
    assert_eq!(scene.hears(HAG), ["iq error not-acceptable"]);
    scene.enter(HAG, "third");
    scene.says(HAG, ping);
    assert_eq!(scene.hears(HAG), ["result s1"]);
    scene.says(HAG, &ping.replace("third", "gone"));
    assert_eq!(scene.hears(HAG), ["iq error item-not-found"]);
    scene.says(HAG, &ping.replace("coven", "nowhere").replace("{room}", "nowhere@conference.montague.lit"));
    assert_eq!(scene.hears(HAG), ["iq error not-acceptable"], "also where there is no room");
}

#[test]
fn occupants_ask_each_other_through_the_room() {
    let mut scene = Scene::open(&[]);
    scene.enter(HAG, "third");
    scene.says(HAG, "<iq to='{room}/first' id='v1' type='get'><query xmlns='jabber:iq:version'/></iq>");
    let asked = scene.hears_one(CRONE);
    assert_eq!((asked.attr("from"), asked.attr("id")), (Some(&*format!("{ROOM}/third")), Some("v1")));
    scene.says(CRONE, "<iq to='{room}/third' id='v1' type='result'><query xmlns='jabber:iq:version'/></iq>");
    let answer = scene.hears_one(HAG);
    assert_eq!((answer.attr("from"), answer.attr("id")), (Some(&*format!("{ROOM}/first")), Some("v1")));
    scene.says(WITCH, "<iq to='{room}/first' id='v1' type='get'><query xmlns='jabber:iq:version'/></iq>");
    assert_eq!(scene.hears(WITCH), ["iq error not-acceptable"]);
    scene.says(WITCH, &format!("<iq to='{{room}}/first' id='d1' type='get'>{INFO}</iq>"));
    assert_eq!(scene.hears(WITCH), ["iq error bad-request"]);
    scene.says(WITCH, "<iq to='{room}/third' id='v1' type='result'/>");
    assert_eq!(scene.hears(HAG), [""; 0], "a stranger answers nobody");
}

#[test]
fn a_vcard_is_asked_of_the_account() {
    let mut scene = Scene::open(&[]);
    scene.enter(HAG, "third");
    scene.says(HAG, "<iq to='{room}/first' id='v1' type='get'><vCard xmlns='vcard-temp'/></iq>");
    assert_eq!(scene.hears_one("crone1@shakespeare.lit").attr("from"), Some(&*format!("{ROOM}/third")));
    scene.says(
        "crone1@shakespeare.lit",
        "<iq to='{room}/third' id='v1' type='result'><vCard xmlns='vcard-temp'/></iq>",
    );
    let answer = scene.hears_one(HAG);
    assert_eq!((answer.attr("from"), answer.attr("id")), (Some(&*format!("{ROOM}/first")), Some("v1")));
}

#[test]
fn the_connection_that_asked_gets_the_answer() {
    let mut scene = Scene::open(&[]);
    let phone = "hag66@shakespeare.lit/phone";
    scene.enter(HAG, "third");
    scene.enter(phone, "third");
    for who in [HAG, phone] {
        scene.says(who, "<iq to='{room}/first' id='v1' type='get'><query xmlns='jabber:iq:version'/></iq>");
        let asked = scene.hears_one(CRONE);
        scene.says(
            CRONE,
            &format!("<iq to='{{room}}/third' id='{}' type='result'/>", asked.attr("id").unwrap()),
        );
        assert_eq!(scene.hears(who), ["result v1"]);
        assert!(scene.unread.is_empty());
    }
}
