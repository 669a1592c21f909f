//! What of a room outlives it, and what waits for the store.

use super::*;
use crate::room::Listing;
use crate::store::{Key, Query, Reply, Write, collection};

const PERSISTENT: (&str, &str) = ("muc#roomconfig_persistentroom", "1");

fn leave(scene: &mut Scene) {
    scene.says(CRONE, "<presence to='{room}/first' type='unavailable'/>");
    scene.forget();
    assert!(scene.world.room(ROOM).is_none(), "nobody is there, so it is put away");
}

#[test]
fn a_persistent_room_comes_back_as_it_was() {
    let mut scene = Scene::open(&[PERSISTENT, ("muc#roomconfig_roomname", "Cave")]);
    scene.sets(CRONE, "<item affiliation='member' jid='hag66@shakespeare.lit' nick='third'/>");
    scene.says(CRONE, "<message to='{room}' type='groupchat'><subject>Fire</subject></message>");
    scene.says(CRONE, "<message to='{room}' type='groupchat'><body>Thrice</body></message>");
    leave(&mut scene);
    scene.says(HAG, &join("third"));
    assert_eq!(
        scene.hears(HAG),
        ["+third member/participant 110", "first: Thrice (delayed)", "first sets \"Fire\" (delayed)"]
    );
    assert!(
        scene.asks(HAG, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>").contains("Cave")
    );
    assert_eq!(scene.configures(CRONE, &[]), "result q", "it knows its owner");
}

#[test]
fn a_room_that_becomes_persistent_takes_its_past_along() {
    let mut scene = Scene::open(&[]);
    scene.says(CRONE, "<message to='{room}' type='groupchat'><body>before</body></message>");
    scene.sets(CRONE, "<item affiliation='member' jid='hag66@shakespeare.lit'/>");
    scene.world.store_waits();
    scene.says(CRONE, &format!("<iq to='{{room}}' id='c' type='set'><query xmlns='{}'><x xmlns='jabber:x:data' type='submit'><field var='muc#roomconfig_persistentroom'><value>1</value></field></x></query></iq>", ns::MUC_OWNER));
    scene.says(CRONE, "<message to='{room}' type='groupchat'><body>meanwhile</body></message>");
    assert!(
        !scene.hears(CRONE).contains(&"result c".to_owned()),
        "nothing is confirmed before it is durable"
    );
    scene.world.store_answers();
    scene.deliver();
    assert!(scene.hears(CRONE).contains(&"result c".to_owned()));
    leave(&mut scene);
    scene.says(HAG, &join("third"));
    let heard = scene.hears(HAG);
    assert_eq!(
        heard[..3],
        ["+third member/participant 110", "first: before (delayed)", "first: meanwhile (delayed)"]
    );
}

#[test]
fn a_room_that_becomes_temporary_or_is_destroyed_leaves_nothing_behind() {
    for destroy in [false, true] {
        let mut scene = Scene::open(&[PERSISTENT]);
        scene.says(CRONE, "<message to='{room}' type='groupchat'><body>x</body></message>");
        assert!(scene.world.store.has(collection::ROOM, ROOM));
        if destroy {
            let destroy = format!("<query xmlns='{}'><destroy/></query>", ns::MUC_OWNER);
            assert_eq!(scene.asks(CRONE, "set", &destroy), "result q");
        } else {
            assert_eq!(scene.configures(CRONE, &[("muc#roomconfig_persistentroom", "0")]), "result q");
            leave(&mut scene);
        }
        assert!(!scene.world.store.has(collection::ROOM, ROOM));
        scene.says(HAG, &join("third"));
        assert_eq!(scene.hears(HAG)[0], format!("+third owner/moderator {HAG} 110 201"));
    }
}

#[test]
fn changes_wait_for_each_other() {
    let mut scene = Scene::open(&[PERSISTENT]);
    scene.sets(CRONE, "<item affiliation='owner' jid='hecate@shakespeare.lit'/>");
    scene.world.store_waits();
    let resign = |user: &str| {
        format!(
            "<iq to='{{room}}' id='r' type='set'><query xmlns='{}'><item affiliation='none' jid='{user}'/></query></iq>",
            ns::MUC_ADMIN
        )
    };
    scene.says(CRONE, &resign("crone1@shakespeare.lit"));
    scene.says(HECATE, &resign("hecate@shakespeare.lit"));
    scene.world.store_answers();
    scene.deliver();
    assert!(scene.hears(CRONE).contains(&"result r".to_owned()));
    assert_eq!(scene.hears(HECATE), ["iq error conflict"], "the last owner stays");
}

#[test]
fn a_subject_set_during_a_change_is_not_lost() {
    let mut scene = Scene::open(&[PERSISTENT]);
    scene.world.store_waits();
    scene.says(CRONE, &format!("<iq to='{{room}}' id='c' type='set'><query xmlns='{}'><x xmlns='jabber:x:data' type='submit'><field var='muc#roomconfig_roomname'><value>Cave</value></field></x></query></iq>", ns::MUC_OWNER));
    scene.says(CRONE, "<message to='{room}' type='groupchat'><subject>Fire</subject></message>");
    scene.world.store_answers();
    scene.deliver();
    leave(&mut scene);
    scene.says(HAG, &join("third"));
    assert_eq!(scene.hears(HAG).last().unwrap(), "first sets \"Fire\" (delayed)");
    assert!(
        scene.asks(HAG, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>").contains("Cave")
    );
}

#[test]
fn public_rooms_are_listed_as_long_as_they_are_there() {
    let mut scene = Scene::default();
    let key = Key::new(collection::ROOMS, "conference.montague.lit");
    let listed = |scene: &Scene| match scene.world.store.ask(&Query::Field(key.clone(), ROOM.into())).unwrap()
    {
        Reply::Document(json) => json.map(|json| Listing::from_json(&json)),
        other => panic!("{other:?}"),
    };
    let listing = |name: &str, public| Some(Listing { name: name.into(), public });
    scene.enter(CRONE, "first");
    assert_eq!(listed(&scene), None, "not while it is locked");
    let mut configures = |field: &str, value: &str, expected: Option<Listing>| {
        assert_eq!(scene.configures(CRONE, &[(field, value)]), "result q");
        assert_eq!(listed(&scene), expected, "{field} {value}");
    };
    configures("muc#roomconfig_roomname", "Cave", listing("Cave", true));
    configures("muc#roomconfig_roomname", "Heath", listing("Heath", true));
    configures("muc#roomconfig_publicroom", "0", None);
    configures("muc#roomconfig_persistentroom", "1", listing("Heath", false));
    configures("muc#roomconfig_publicroom", "1", listing("Heath", true));
    configures("muc#roomconfig_persistentroom", "0", listing("Heath", true));
    leave(&mut scene);
    assert_eq!(listed(&scene), None);
}

#[test]
fn a_room_that_died_with_its_node_is_listed_until_somebody_asks() {
    let mut scene = Scene::default();
    let key = Key::new(collection::ROOMS, "conference.montague.lit");
    let listing = Listing { name: "Cave".into(), public: true }.to_json();
    scene.world.store.write(&[Write::SetField(key.clone(), ROOM.into(), listing)]).unwrap();
    let info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    assert_eq!(scene.asks(HAG, "get", info), "iq error item-not-found");
    assert_eq!(scene.world.store.ask(&Query::Count(key)), Ok(Reply::Count(0)));
}

#[test]
fn nothing_is_confirmed_while_the_store_is_away() {
    let mut scene = Scene::open(&[PERSISTENT]);
    scene.enter(HAG, "third");
    scene.world.store.away = true;
    let owner = "<item affiliation='owner' jid='hag66@shakespeare.lit'/>";
    assert_eq!(scene.sets(CRONE, owner), "iq error resource-constraint");
    assert_eq!(
        scene.configures(CRONE, &[("muc#roomconfig_roomname", "Cave")]),
        "iq error resource-constraint"
    );
    assert_eq!(scene.hears(HAG), [""; 0], "and nothing has changed");
    assert_eq!(scene.sets(CRONE, "<item nick='third' role='visitor'/>"), "result q", "roles need no store");
    scene.says(CRONE, "<message to='{room}' type='groupchat'><subject>Fire</subject></message>");
    assert_eq!(scene.hears(HAG).last().unwrap(), "first sets \"Fire\"");
    scene.world.store.away = false;
    assert_eq!(scene.sets(CRONE, owner), "result q");
    scene.says(HAG, "<presence to='{room}/third' type='unavailable'/>");
    leave(&mut scene);
    scene.says(HAG, &join("third"));
    assert_eq!(scene.hears(HAG)[1..], ["first sets \"Fire\" (delayed)"], "the next write brought it along");
}

#[test]
fn the_log_in_the_store_is_bounded() {
    let mut scene = Scene::open(&[PERSISTENT, ("muc#maxhistoryfetch", "5")]);
    for _ in 0..100 {
        scene.says(CRONE, "<message to='{room}' type='groupchat'><body>x</body></message>");
    }
    let key = Key::new(collection::HISTORY, ROOM);
    let Ok(Reply::Count(count)) = scene.world.store.ask(&Query::Count(key)) else { panic!() };
    assert!((5..=5 + 16).contains(&count), "{count}");
}

#[test]
fn the_directory_entry_can_be_read() {
    let listing = Listing { name: "Cave".into(), public: true };
    assert_eq!(Listing::from_json(&listing.to_json()), listing);
    assert_eq!(Listing::from_json(b"nonsense"), Listing::default());
}
