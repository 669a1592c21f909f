//! XEP-0045 §8.2–8.5, §9, §10.3–10.8.

use super::*;

#[test]
fn a_moderator_kicks() {
    let mut scene = Scene::open(&[]);
    scene.enter(HAG, "third");
    scene.enter(WITCH, "second");
    assert_eq!(
        scene.sets(CRONE, "<item nick='third' role='none'><reason>Avaunt!</reason></item>"),
        "result q"
    );
    assert_eq!(scene.hears(HAG), ["-third none/none actor=first reason=Avaunt! 110 307"]);
    assert_eq!(scene.hears(WITCH), ["-third none/none actor=first reason=Avaunt! 307"]);
    assert_eq!(scene.sets(WITCH, "<item nick='first' role='none'/>"), "iq error forbidden");
    assert_eq!(scene.sets(HAG, "<item nick='first' role='none'/>"), "iq error forbidden");
    assert_eq!(scene.sets(CRONE, "<item nick='nobody' role='none'/>"), "iq error item-not-found");
    scene.enter(HAG, "third");
}

#[test]
fn nobody_kicks_his_betters() {
    let mut scene = Scene::open(&[]);
    scene.enter(WITCH, "second");
    scene.enter(HAG, "third");
    assert_eq!(scene.sets(CRONE, "<item nick='second' role='moderator'/>"), "result q");
    assert_eq!(scene.sets(WITCH, "<item nick='first' role='none'/>"), "iq error not-allowed");
    assert_eq!(scene.sets(WITCH, "<item nick='third' role='moderator'/>"), "iq error forbidden");
    assert_eq!(scene.sets(WITCH, "<item nick='first' role='participant'/>"), "iq error not-allowed");
    assert_eq!(scene.sets(WITCH, "<item nick='first' role='visitor'/>"), "iq error not-allowed");
    assert_eq!(scene.sets(CRONE, "<item affiliation='admin' jid='wiccarocks@shakespeare.lit'/>"), "result q");
    assert_eq!(scene.sets(WITCH, "<item nick='first' role='none'/>"), "iq error not-allowed");
    assert_eq!(
        scene.sets(WITCH, "<item affiliation='outcast' jid='crone1@shakespeare.lit'/>"),
        "iq error not-allowed"
    );
    assert_eq!(
        scene.sets(WITCH, "<item affiliation='owner' jid='hag66@shakespeare.lit'/>"),
        "iq error forbidden"
    );
    assert_eq!(
        scene.sets(WITCH, "<item affiliation='outcast' jid='wiccarocks@shakespeare.lit'/>"),
        "iq error conflict"
    );
    assert_eq!(
        scene.sets(HAG, "<item affiliation='member' jid='hag66@shakespeare.lit'/>"),
        "iq error forbidden"
    );
    assert_eq!(scene.sets(WITCH, "<item nick='third' role='none'/>"), "result q");
}

#[test]
fn voice_is_given_and_taken() {
    let mut scene = Scene::open(&[("muc#roomconfig_moderatedroom", "1")]);
    scene.enter(HAG, "third");
    assert_eq!(
        scene.sets(CRONE, "<item nick='third' role='participant'><reason>Worthy</reason></item>"),
        "result q"
    );
    assert_eq!(scene.hears(HAG), ["+third none/participant actor=first reason=Worthy 110"]);
    assert_eq!(scene.sets(CRONE, "<item nick='third' role='visitor'/>"), "result q");
    assert_eq!(scene.hears(HAG), ["+third none/visitor actor=first 110"]);
    scene.says(WITCH, &join("second"));
    assert_eq!(scene.hears(WITCH)[1], "+third none/visitor", "newcomers see it too");
}

#[test]
fn a_moderator_is_made_and_unmade_by_administrators() {
    let mut scene = Scene::open(&[]);
    scene.enter(HAG, "third");
    assert_eq!(scene.sets(CRONE, "<item nick='third' role='moderator'/>"), "result q");
    let first = format!("+first owner/moderator {CRONE}");
    assert_eq!(
        scene.hears(HAG),
        [format!("+third none/moderator {HAG} actor=first 110"), first],
        "it sees addresses now"
    );
    let list = scene.asks(
        HAG,
        "get",
        "<query xmlns='http://jabber.org/protocol/muc#admin'><item role='moderator'/></query>",
    );
    assert!(list.contains("third") && list.contains("first") && list.contains(HAG), "{list}");
    assert_eq!(scene.sets(CRONE, "<item nick='third' role='participant'/>"), "result q");
    let list = "<query xmlns='http://jabber.org/protocol/muc#admin'><item role='moderator'/></query>";
    assert_eq!(scene.asks(HAG, "get", list), "iq error forbidden");
}

#[test]
fn a_ban_removes_and_keeps_out() {
    let mut scene = Scene::open(&[]);
    scene.enter(HAG, "third");
    scene.enter(WITCH, "second");
    let ban = "<item affiliation='outcast' jid='hag66@shakespeare.lit'><reason>Treason</reason></item>";
    assert_eq!(scene.sets(CRONE, ban), "result q");
    assert_eq!(scene.hears(HAG), ["-third outcast/none actor=first reason=Treason 110 301"]);
    assert_eq!(scene.hears(WITCH), ["-third outcast/none actor=first reason=Treason 301"]);
    scene.says(HAG, &join("third"));
    assert_eq!(scene.hears(HAG), ["presence error forbidden"]);
    let list = "<query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='outcast'/></query>";
    let banned = scene.asks(CRONE, "get", list);
    assert!(banned.contains("hag66@shakespeare.lit") && banned.contains("Treason"), "{banned}");
    assert_eq!(scene.asks(WITCH, "get", list), "iq error forbidden");
    assert_eq!(scene.sets(CRONE, "<item affiliation='none' jid='hag66@shakespeare.lit'/>"), "result q");
    scene.enter(HAG, "third");
}

#[test]
fn a_whole_domain_may_be_banned_but_not_ones_own() {
    let mut scene = Scene::open(&[]);
    scene.enter("puck@fairies.lit/wood", "puck");
    assert_eq!(scene.sets(CRONE, "<item affiliation='outcast' jid='fairies.lit'/>"), "result q");
    assert_eq!(scene.hears("puck@fairies.lit/wood"), ["-puck outcast/none actor=first 110 301"]);
    scene.says("titania@fairies.lit/bower", &join("queen"));
    assert_eq!(scene.hears("titania@fairies.lit/bower"), ["presence error forbidden"]);
    assert_eq!(scene.sets(CRONE, "<item affiliation='outcast' jid='shakespeare.lit'/>"), "iq error conflict");
}

#[test]
fn membership_comes_with_voice_and_goes_with_the_room() {
    let mut scene = Scene::open(&[("muc#roomconfig_moderatedroom", "1")]);
    scene.enter(HAG, "third");
    assert_eq!(scene.sets(CRONE, "<item affiliation='member' jid='hag66@shakespeare.lit/pda'/>"), "result q");
    assert_eq!(scene.hears(HAG), ["+third member/participant actor=first 110"]);
    assert_eq!(scene.configures(CRONE, &[("muc#roomconfig_membersonly", "1")]), "result q");
    assert_eq!(scene.hears(HAG), ["room says 104"]);
    assert_eq!(scene.sets(CRONE, "<item affiliation='none' jid='hag66@shakespeare.lit'/>"), "result q");
    assert_eq!(scene.hears(HAG), ["-third none/none actor=first 110 321"]);
}

#[test]
fn a_new_member_of_a_members_only_room_is_invited() {
    let mut scene = Scene::open(&[("muc#roomconfig_membersonly", "1")]);
    assert_eq!(scene.sets(CRONE, "<item affiliation='member' jid='hecate@shakespeare.lit'/>"), "result q");
    assert!(scene.hears("hecate@shakespeare.lit")[0].contains("invite"));
    assert_eq!(scene.sets(CRONE, "<item affiliation='member' jid='hecate@shakespeare.lit'/>"), "result q");
    assert_eq!(scene.hears("hecate@shakespeare.lit"), [""; 0], "once");
}

#[test]
fn lists_are_for_those_they_concern() {
    let mut scene = Scene::open(&[]);
    scene.sets(CRONE, "<item affiliation='member' jid='hag66@shakespeare.lit'/><item affiliation='admin' jid='wiccarocks@shakespeare.lit'/>");
    scene.enter(HAG, "third");
    let list = |name: &str| {
        format!("<query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='{name}'/></query>")
    };
    assert_eq!(scene.asks(HAG, "get", &list("member")), "iq error forbidden");
    assert!(scene.asks(WITCH, "get", &list("member")).contains("hag66@shakespeare.lit"));
    assert_eq!(scene.asks(WITCH, "get", &list("owner")), "iq error forbidden");
    assert!(scene.asks(CRONE, "get", &list("owner")).contains("crone1@shakespeare.lit"));
    assert!(scene.asks(CRONE, "get", &list("admin")).contains("wiccarocks@shakespeare.lit"));
    scene.configures(CRONE, &[("muc#roomconfig_whois", "anyone")]);
    assert!(scene.asks(HAG, "get", &list("member")).contains("hag66@shakespeare.lit"));
    assert!(scene.asks(HAG, "get", &list("owner")).contains("crone1@shakespeare.lit"));
    assert_eq!(scene.asks(HAG, "get", &list("outcast")), "iq error forbidden");
    assert_eq!(scene.asks(CRONE, "get", &list("king")), "iq error bad-request");
}

#[test]
fn a_room_keeps_an_owner() {
    let mut scene = Scene::open(&[]);
    assert_eq!(
        scene.sets(CRONE, "<item affiliation='admin' jid='crone1@shakespeare.lit'/>"),
        "iq error conflict"
    );
    let both = "<item affiliation='admin' jid='crone1@shakespeare.lit'/><item affiliation='owner' jid='hecate@shakespeare.lit'/>";
    assert_eq!(scene.sets(CRONE, both), "result q");
    assert_eq!(scene.hears(CRONE), [format!("+first admin/moderator {CRONE} actor=first 110")]);
    assert_eq!(scene.configures(CRONE, &[]), "iq error forbidden");
}

#[test]
fn who_loses_an_office_loses_its_role() {
    let mut scene = Scene::open(&[]);
    scene.enter(HAG, "third");
    scene.sets(CRONE, "<item affiliation='admin' jid='hag66@shakespeare.lit'/>");
    assert_eq!(scene.hears(HAG)[0], format!("+third admin/moderator {HAG} actor=first 110"));
    scene.sets(CRONE, "<item affiliation='member' jid='hag66@shakespeare.lit'/>");
    assert_eq!(scene.hears(HAG), ["+third member/participant actor=first 110"]);
}

#[test]
fn a_set_is_done_whole_or_not() {
    let mut scene = Scene::open(&[]);
    scene.enter(HAG, "third");
    scene.enter(WITCH, "second");
    assert_eq!(
        scene.sets(CRONE, "<item nick='third' role='none'/><item nick='nobody' role='none'/>"),
        "iq error item-not-found"
    );
    assert_eq!(scene.hears(HAG), [""; 0]);
    assert_eq!(
        scene.sets(CRONE, "<item nick='third' role='visitor'/><item nick='second' role='moderator'/>"),
        "result q"
    );
    assert_eq!(
        scene.hears(HAG),
        ["+third none/visitor actor=first 110", "+second none/moderator actor=first"]
    );
    assert_eq!(
        scene.sets(CRONE, "<item nick='third' role='none' affiliation='none'/>"),
        "iq error bad-request"
    );
    assert_eq!(scene.sets(CRONE, ""), "iq error bad-request");
    assert_eq!(scene.sets(CRONE, "<item affiliation='member'/>"), "iq error bad-request");
    assert_eq!(scene.sets(CRONE, "<item affiliation='member' jid='@@'/>"), "iq error jid-malformed");
}

#[test]
fn the_number_of_affiliations_is_bounded() {
    let mut scene = Scene::open(&[]);
    scene.world.options.limits.room_affiliations_max = 2;
    assert_eq!(scene.sets(CRONE, "<item affiliation='member' jid='a@b.lit'/>"), "result q");
    assert_eq!(
        scene.sets(CRONE, "<item affiliation='member' jid='c@d.lit'/>"),
        "iq error resource-constraint"
    );
    assert_eq!(scene.sets(CRONE, "<item affiliation='admin' jid='a@b.lit'/>"), "result q");
}

#[test]
fn administrators_of_the_service_own_every_room() {
    let mut scene = Scene::open(&[("muc#roomconfig_membersonly", "1")]);
    scene.world.options.domains[0].admins = vec!["hecate@shakespeare.lit".parse().unwrap()];
    scene.says(HECATE, &join("queen"));
    assert_eq!(scene.hears(HECATE)[1], format!("+queen owner/moderator {HECATE} 110"));
    assert_eq!(scene.sets(CRONE, "<item nick='queen' role='none'/>"), "result q", "owners are equals");
    assert_eq!(
        scene.sets(CRONE, "<item affiliation='outcast' jid='hecate@shakespeare.lit'/>"),
        "iq error not-allowed"
    );
    assert_eq!(scene.configures(HECATE, &[("muc#roomconfig_roomname", "Mine")]), "result q");
}
