//! XEP-0045 §7.14, §11.1, §18.1.2.

use std::sync::Arc;

use super::*;

#[test]
fn who_leaves_is_told_first_and_may_say_good_bye() {
    let mut scene = Scene::open(&[]);
    scene.enter(HAG, "third");
    scene.says(HAG, "<presence to='{room}/third' type='unavailable'><status>gone</status></presence>");
    assert_eq!(scene.hears(HAG), ["-third none/none 110 status=gone"]);
    assert_eq!(scene.hears(CRONE), [format!("-third none/none {HAG} status=gone")]);
    scene.says(HAG, "<presence to='{room}/third' type='unavailable'/>");
    assert!(scene.unread.is_empty(), "whoever is not there is not heard");
}

#[test]
fn a_temporary_room_ends_with_its_last_occupant() {
    let mut scene = Scene::open(&[]);
    scene.says(CRONE, "<presence to='{room}/first' type='unavailable'/>");
    assert!(scene.world.room(ROOM).is_none());
    scene.forget();
    assert_eq!(
        scene.asks(HAG, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>"),
        "iq error item-not-found"
    );
    scene.says(HAG, &join("third"));
    assert!(scene.hears(HAG)[0].ends_with("110 201"));
}

#[test]
fn an_error_that_says_nobody_is_there_removes_the_ghost() {
    for (condition, leaves) in [
        ("gone", true),
        ("item-not-found", true),
        ("jid-malformed", true),
        ("recipient-unavailable", true),
        ("remote-server-not-found", true),
        ("remote-server-timeout", true),
        ("service-unavailable", true),
        ("forbidden", false),
        ("feature-not-implemented", false),
    ] {
        for kind in ["message", "presence"] {
            let mut scene = Scene::open(&[]);
            scene.enter(HAG, "third");
            let error = format!(
                "<error type='cancel'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
            );
            scene.says(HAG, &format!("<{kind} to='{{room}}/first' type='error'>{error}</{kind}>"));
            let expected = if leaves { vec![format!("-third none/none {HAG} 333")] } else { vec![] };
            assert_eq!(scene.hears(CRONE), expected, "{kind} {condition}");
            let own: &[&str] = if leaves { &["-third none/none 110 333"] } else { &[] };
            assert_eq!(scene.hears(HAG), own);
        }
    }
}

#[test]
fn only_the_lost_connection_of_a_ghost_leaves() {
    let mut scene = Scene::open(&[]);
    let phone = "hag66@shakespeare.lit/phone";
    scene.enter(HAG, "third");
    scene.enter(phone, "third");
    let error = "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    scene.says(phone, &format!("<message to='{{room}}' type='error'>{error}</message>"));
    assert_eq!(scene.hears(phone), ["-third none/none 110 333"]);
    assert_eq!(scene.hears(CRONE), [format!("+third none/participant {HAG}")]);
}

#[test]
fn accounts_lost_with_their_node_leave() {
    let mut scene = Scene::open(&[]);
    scene.enter(HAG, "third");
    scene.enter(WITCH, "second");
    scene.world.lose(Arc::new(|user| user.as_str().starts_with("hag")));
    scene.deliver();
    assert_eq!(scene.hears(WITCH), ["-third none/none 333"]);
    scene.world.lose(Arc::new(|user| user.domain().as_str() == "shakespeare.lit"));
    scene.deliver();
    assert!(scene.world.room(ROOM).is_none(), "nobody is left");
}
