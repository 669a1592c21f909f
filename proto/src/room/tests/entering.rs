//! XEP-0045 §7.1, §7.2, §7.6, §7.7, §10.1.

use super::*;
use crate::machine::Timestamp;

#[test]
fn who_enters_a_new_room_owns_it() {
    let mut scene = Scene::default();
    scene.says(CRONE, &join("first").replace("<presence", "<presence id='n1'"));
    let heard = scene.unread[CRONE][0].clone();
    assert_eq!(heard.id.as_deref(), Some("n1"));
    assert_eq!(scene.hears(CRONE), [&format!("+first owner/moderator {CRONE} 110 201"), "room sets \"\""]);
}

#[test]
fn a_new_room_is_locked_until_it_is_configured() {
    let mut scene = Scene::default();
    scene.enter(CRONE, "first");
    scene.says(HAG, &join("third"));
    assert_eq!(scene.hears(HAG), ["presence error item-not-found"]);
    assert_eq!(
        scene.asks(HAG, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>"),
        "iq error item-not-found"
    );
    scene.says(HAG, "<message to='{room}' type='groupchat'><body>hi</body></message>");
    assert_eq!(scene.hears(HAG), ["message error item-not-found"]);
    assert_eq!(scene.configures(CRONE, &[]), "result q");
    assert_eq!(scene.hears(CRONE), [""; 0], "an instant room is announced to nobody");
    scene.enter(HAG, "third");
}

#[test]
fn cancelling_the_first_configuration_destroys_the_room() {
    let mut scene = Scene::default();
    scene.enter(CRONE, "first");
    let cancel = "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='cancel'/></query>";
    assert_eq!(scene.asks(CRONE, "set", cancel), "result q");
    let heard = scene.hears(CRONE);
    assert!(heard[0].starts_with("-first none/none") && heard[0].contains("<destroy"), "{heard:?}");
    assert!(scene.world.room(ROOM).is_none(), "nothing is left of it");
}

#[test]
fn a_creator_who_leaves_before_configuring_takes_the_room_along() {
    let mut scene = Scene::default();
    scene.enter(CRONE, "first");
    scene.says(CRONE, "<presence to='{room}/first' type='unavailable'/>");
    let heard = scene.hears(CRONE);
    assert!(heard[0].starts_with("-first owner/none") && heard[0].contains("<destroy"), "{heard:?}");
    scene.says(HAG, &join("third"));
    assert!(scene.hears(HAG)[0].ends_with("110 201"));
}

#[test]
fn a_client_that_is_not_inside_but_believes_so_learns_that_it_is_not() {
    let mut scene = Scene::open(&[]);
    scene.says(HAG, "<presence to='{room}/third'><show>away</show></presence>");
    assert_eq!(scene.hears(HAG), ["-third none/none reason=You are not in the room. 110 307 333"]);
    assert!(scene.hears(CRONE).is_empty(), "nobody has come or gone");
}

#[test]
fn a_newcomer_hears_of_others_then_of_itself_then_history_then_the_subject() {
    let mut scene = Scene::open(&[]);
    scene.enter(WITCH, "second");
    scene.says(CRONE, "<message to='{room}' type='groupchat'><subject>Fire Burn</subject></message>");
    scene.says(CRONE, "<message to='{room}' type='groupchat' id='m1'><body>Thrice</body></message>");
    scene.forget();
    scene.says(HAG, &join("third"));
    let second = format!("+third none/participant {HAG}");
    assert_eq!(
        scene.hears(HAG),
        [
            "+first owner/moderator",
            "+second none/participant",
            "+third none/participant 110",
            "first: Thrice (delayed)",
            "first sets \"Fire Burn\" (delayed)",
        ]
    );
    assert_eq!(scene.hears(CRONE), [second], "the moderator sees the real address");
    assert_eq!(scene.hears(WITCH), ["+third none/participant"], "others do not");
}

#[test]
fn in_a_non_anonymous_room_everybody_sees_addresses_and_is_warned() {
    let mut scene = Scene::open(&[("muc#roomconfig_whois", "anyone")]);
    scene.enter(WITCH, "second");
    scene.says(HAG, &join("third"));
    let heard = scene.hears(HAG);
    assert_eq!(heard[0], format!("+first owner/moderator {CRONE}"));
    assert_eq!(heard[2], format!("+third none/participant {HAG} 100 110"));
    assert_eq!(scene.hears(WITCH), [format!("+third none/participant {HAG}")]);
}

#[test]
fn entering_is_refused_with_its_reason() {
    let mut scene = Scene::open(&[
        ("muc#roomconfig_passwordprotectedroom", "1"),
        ("muc#roomconfig_roomsecret", "cauldron"),
    ]);
    scene.says(HAG, "<presence to='{room}'><x xmlns='http://jabber.org/protocol/muc'/></presence>");
    assert_eq!(scene.hears(HAG), ["presence error jid-malformed"], "no nickname");
    scene.says(HAG, &join("third"));
    assert_eq!(scene.hears(HAG), ["presence error not-authorized"], "no password");
    let with = |password: &str| {
        join("third").replace("muc'/>", &format!("muc'><password>{password}</password></x>"))
    };
    scene.says(HAG, &with("wrong"));
    assert_eq!(scene.hears(HAG), ["presence error not-authorized"]);
    scene.says(HAG, &with("cauldron").replace("third", "first"));
    assert_eq!(scene.hears(HAG), ["presence error conflict"]);
    assert_eq!(scene.sets(CRONE, "<item affiliation='outcast' jid='hag66@shakespeare.lit'/>"), "result q");
    scene.says(HAG, &with("cauldron"));
    assert_eq!(scene.hears(HAG), ["presence error forbidden"]);
    assert_eq!(scene.sets(CRONE, "<item affiliation='none' jid='hag66@shakespeare.lit'/>"), "result q");
    assert_eq!(scene.configures(CRONE, &[("muc#roomconfig_membersonly", "1")]), "result q");
    scene.says(HAG, &with("cauldron"));
    assert_eq!(scene.hears(HAG), ["presence error registration-required"]);
    assert_eq!(scene.sets(CRONE, "<item affiliation='member' jid='hag66@shakespeare.lit'/>"), "result q");
    scene.forget();
    scene.says(HAG, &with("cauldron"));
    assert_eq!(scene.hears(HAG)[1], "+third member/participant 110");
}

#[test]
fn a_full_room_is_closed_but_to_its_administrators() {
    let mut scene = Scene::open(&[("muc#roomconfig_maxusers", "1")]);
    scene.says(HAG, &join("third"));
    let error = scene.hears_one(HAG);
    let error = error.get_child("error", ns::CLIENT).unwrap();
    assert_eq!(error.attr("type"), Some("wait"));
    assert!(error.has_child("service-unavailable", ns::STANZAS));
    scene.sets(CRONE, "<item affiliation='admin' jid='hag66@shakespeare.lit'/>");
    scene.enter(HAG, "third");
    scene.world.options.limits.room_occupants_max = 2;
    scene.sets(CRONE, "<item affiliation='admin' jid='hecate@shakespeare.lit'/>");
    scene.says(HECATE, &join("hecate"));
    assert_eq!(
        scene.hears(HECATE),
        ["presence error service-unavailable"],
        "the service's limit holds for all"
    );
}

#[test]
fn a_user_may_share_a_nickname_among_connections() {
    let mut scene = Scene::open(&[]);
    scene.enter(HAG, "third");
    let phone = "hag66@shakespeare.lit/phone";
    scene.says(phone, &join("third").replace("<x", "<show>away</show><x"));
    assert_eq!(scene.hears(phone)[..2], ["+first owner/moderator", "+third none/participant 110 show=away"]);
    assert_eq!(scene.hears(HAG), ["+third none/participant 110 show=away"]);
    assert_eq!(scene.hears(CRONE), [format!("+third none/participant {phone} show=away")]);
    scene.says(HAG, "<message to='{room}' type='groupchat'><body>hi</body></message>");
    assert_eq!(scene.hears(phone), ["third: hi"]);
    assert_eq!(scene.hears(HAG), ["third: hi"]);
    scene.forget();
    scene.says(phone, "<presence to='{room}/third' type='unavailable'/>");
    assert_eq!(scene.hears(phone), ["-third none/none 110"]);
    assert_eq!(scene.hears(HAG), ["+third none/participant 110"], "what is left is shown again");
    assert_eq!(scene.hears(CRONE), [format!("+third none/participant {HAG}")]);
    scene.says(HAG, "<presence to='{room}/third' type='unavailable'/>");
    assert_eq!(scene.hears(CRONE), [format!("-third none/none {HAG}")]);
}

#[test]
fn a_client_that_enters_again_hears_everything_again() {
    let mut scene = Scene::open(&[]);
    scene.enter(HAG, "third");
    scene.says(HAG, &join("third"));
    assert_eq!(scene.hears(HAG), ["+first owner/moderator", "+third none/participant 110", "room sets \"\""]);
    assert_eq!(scene.hears(CRONE), [""; 0], "nothing has changed for others");
    scene.says(HAG, &join("third").replace("<x", "<show>dnd</show><x"));
    assert_eq!(scene.hears(CRONE), [format!("+third none/participant {HAG} show=dnd")]);
    assert_eq!(scene.hears(HAG).len(), 3);
}

#[test]
fn a_change_of_availability_is_shown_to_all_without_what_only_the_room_may_say() {
    let mut scene = Scene::open(&[]);
    scene.enter(HAG, "third");
    let forged =
        "<x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='owner' role='moderator'/></x>";
    scene.says(
        HAG,
        &format!("<presence to='{{room}}/third'><show>xa</show>{forged}<e xmlns='urn:e'>1</e></presence>"),
    );
    assert_eq!(scene.hears(CRONE), [format!("+third none/participant {HAG} show=xa e=1")]);
    assert_eq!(scene.hears(HAG), ["+third none/participant 110 show=xa e=1"]);
}

#[test]
fn a_nickname_can_be_changed_unless_it_is_taken() {
    let mut scene = Scene::open(&[]);
    scene.enter(HAG, "third");
    scene.enter(WITCH, "second");
    scene.says(HAG, "<presence to='{room}/oldhag'/>");
    assert_eq!(scene.hears(HAG), ["-third none/none nick=oldhag 110 303", "+oldhag none/participant 110"]);
    assert_eq!(scene.hears(WITCH), ["-third none/none nick=oldhag 303", "+oldhag none/participant"]);
    assert_eq!(scene.hears(CRONE)[1], format!("+oldhag none/participant {HAG}"));
    scene.says(HAG, "<presence to='{room}/second'/>");
    assert_eq!(scene.hears(HAG), ["presence error conflict"]);
    scene.sets(CRONE, "<item affiliation='member' jid='hecate@shakespeare.lit' nick='kept'/>");
    scene.forget();
    scene.says(HAG, "<presence to='{room}/kept'/>");
    assert_eq!(scene.hears(HAG), ["presence error conflict"], "it is kept for another");
    scene.says(HAG, "<message to='{room}' type='groupchat'><body>hi</body></message>");
    assert_eq!(scene.hears(WITCH), ["oldhag: hi"]);
}

#[test]
fn all_connections_of_an_occupant_change_their_nickname() {
    let mut scene = Scene::open(&[]);
    let phone = "hag66@shakespeare.lit/phone";
    scene.enter(HAG, "third");
    scene.enter(phone, "third");
    scene.says(HAG, "<presence to='{room}/oldhag'/>");
    assert_eq!(scene.hears(phone), ["-third none/none nick=oldhag 110 303", "+oldhag none/participant 110"]);
    scene.says(phone, "<presence to='{room}/oldhag' type='unavailable'/>");
    scene.says(HAG, "<presence to='{room}/third' type='unavailable'/>");
    assert_eq!(scene.hears(CRONE).last().unwrap(), &format!("-oldhag none/none {HAG}"));
}

#[test]
fn a_newcomer_gets_as_much_history_as_it_wants() {
    let mut scene = Scene::open(&[("muc#maxhistoryfetch", "4")]);
    let start = scene.world.now;
    for word in ["one", "two", "three", "four", "five"] {
        scene.world.now = Timestamp(scene.world.now.0 + 60_000);
        scene.says(
            CRONE,
            &format!("<message to='{{room}}' type='groupchat' id='{word}'><body>{word}</body></message>"),
        );
    }
    scene.says(CRONE, "<message to='{room}' type='groupchat'><body>secret</body><no-store xmlns='urn:xmpp:hints'/></message>");
    let stamp = crate::datetime::stamp(Timestamp(start.0 + 200_000));
    let wishes = [
        ("".to_owned(), 4),
        ("maxchars='0'".to_owned(), 0),
        ("maxstanzas='0'".to_owned(), 0),
        ("maxstanzas='2'".to_owned(), 2),
        ("maxstanzas='20'".to_owned(), 4),
        ("seconds='90'".to_owned(), 2),
        (format!("since='{stamp}'"), 2),
        ("since='1970-01-01T00:00:00Z'".to_owned(), 4),
        (format!("since='{stamp}' maxstanzas='1'"), 1),
        ("maxchars='65000'".to_owned(), 4),
    ];
    for (wish, count) in wishes {
        scene.says(HAG, &join("third").replace("muc'/>", &format!("muc'><history {wish}/></x>")));
        let heard = scene.hears(HAG);
        let messages: Vec<_> = heard.iter().filter(|line| line.ends_with("(delayed)")).cloned().collect();
        let all = [
            "first: two (delayed)",
            "first: three (delayed)",
            "first: four (delayed)",
            "first: five (delayed)",
        ];
        assert_eq!(messages, all[4 - count..], "{wish}");
    }
}

#[test]
fn history_is_cut_at_whole_stanzas() {
    let mut scene = Scene::open(&[]);
    for word in ["one", "two"] {
        scene.says(
            CRONE,
            &format!("<message to='{{room}}' type='groupchat' id='{word}'><body>{word}</body></message>"),
        );
    }
    scene.says(HAG, &join("third"));
    let mut stanza = scene.unread[HAG].iter().rev().nth(1).unwrap().clone();
    stanza.to = None;
    let length = stanza.to_xml().len();
    for (chars, count) in [(length - 1, 0), (length, 1), (2 * length - 1, 1), (2 * length, 2)] {
        scene.forget();
        scene.says(HAG, &join("third").replace("muc'/>", &format!("muc'><history maxchars='{chars}'/></x>")));
        assert_eq!(scene.hears(HAG).len(), 3 + count, "{chars} of {length}");
    }
}

#[test]
fn presence_of_other_types_neither_enters_nor_leaves() {
    let mut scene = Scene::open(&[]);
    for kind in ["probe", "subscribe", "unsubscribe", "error", "unavailable"] {
        scene.says(HAG, &format!("<presence to='{{room}}/third' type='{kind}'/>"));
        scene.says(
            CRONE,
            &format!("<presence to='{{room}}/other' type='{}'/>", kind.replace("unavailable", "probe")),
        );
    }
    assert!(scene.unread.is_empty());
}
