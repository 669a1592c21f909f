use crate::stanza::PresenceType;
use crate::store::{Key, Query, Reply, Write, collection};
use crate::testing::{Client, World, is_presence, stanza};

const JULIET: &str = "juliet@capulet.lit";

fn asks(world: &mut World, client: Client, kind: &str, content: &str) -> String {
    let ns = "jabber:iq:register";
    world.says(
        client,
        &format!("<iq id='r' type='{kind}' to='capulet.lit'><query xmlns='{ns}'>{content}</query></iq>"),
    );
    let mut answers = world.hears_xml(client);
    assert_eq!(answers.len(), 1, "{content} gets one answer: {answers:?}");
    answers.remove(0)
}

fn credentials(world: &World) -> Option<Vec<u8>> {
    match world.store.ask(&Query::Document(Key::new(collection::CREDENTIALS, JULIET))) {
        Ok(Reply::Document(found)) => found,
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_is_registered_is_told_so() {
    let mut world = World::default();
    let juliet = world.enter("juliet@capulet.lit/balcony");
    let heard = asks(&mut world, juliet, "get", "");
    assert!(heard.contains("<registered/><username>juliet</username><password/>"), "{heard}");
}

#[test]
fn a_password_is_changed() {
    let mut world = World::default();
    let juliet = world.enter("juliet@capulet.lit/balcony");
    for content in [
        "<username>juliet</username><password>one</password>",
        "<username>Juliet@capulet.lit</username><password>two</password>",
        "<x xmlns='jabber:x:data' type='submit'><field var='username'><value>juliet</value></field>\
         <field var='password'><value>three</value></field></x>",
    ] {
        let before = credentials(&world);
        let heard = asks(&mut world, juliet, "set", content);
        assert!(heard.contains("type='result'"), "{heard}");
        assert_ne!(credentials(&world), before, "{content}");
    }
    assert_eq!(world.ended(juliet), None);
}

#[test]
fn nobody_changes_another_password_or_to_none() {
    let mut world = World::default();
    let juliet = world.enter("juliet@capulet.lit/balcony");
    let before = credentials(&world);
    let long = format!("<username>juliet</username><password>{}</password>", "x".repeat(1025));
    for (content, condition) in [
        ("<username>romeo</username><password>secret</password>", "not-allowed"),
        ("<username>juliet@montague.lit</username><password>secret</password>", "not-allowed"),
        ("<username>juliet</username><password/>", "bad-request"),
        ("<username>juliet</username>", "bad-request"),
        ("<password>secret</password>", "bad-request"),
        ("<username>juliet</username><password>secret\u{7f}</password>", "not-acceptable"),
        (long.as_str(), "not-acceptable"),
    ] {
        let heard = asks(&mut world, juliet, "set", content);
        assert!(heard.contains(condition), "{content}: {heard}");
        assert!(!heard.contains("secret"), "an error repeats no password: {heard}");
    }
    assert_eq!(credentials(&world), before);
}

#[test]
fn an_account_is_removed_with_all_that_belongs_to_it() {
    let mut world = World::default();
    let roster = Key::new(collection::ROSTER, JULIET);
    let item = br#"{"to":true,"from":true}"#.to_vec();
    world.store.write(&[Write::SetField(roster, "nurse@elsewhere.lit".into(), item)]).unwrap();
    let juliet = world.enter("juliet@capulet.lit/balcony");
    let chamber = world.enter("juliet@capulet.lit/chamber");
    world.says(juliet, "<iq id='v' type='set'><vCard xmlns='vcard-temp'><FN>Juliet</FN></vCard></iq>");
    world.hears(juliet);
    world.outside.clear();

    let heard = asks(&mut world, juliet, "set", "<remove/>");
    assert!(heard.contains("type='result'"), "{heard}");
    assert!(world.ended(juliet).is_some() && world.ended(chamber).is_some());
    for collection in collection::OF_ACCOUNT {
        assert!(!world.store.has(collection, JULIET), "{collection}");
    }
    assert!(!world.store.has(collection::ACCOUNTS, "capulet.lit"));
    for kind in [PresenceType::Unsubscribe, PresenceType::Unsubscribed] {
        let told = |presence: &crate::Stanza| {
            is_presence(presence, kind) && presence.to == stanza("<presence to='nurse@elsewhere.lit'/>").to
        };
        assert!(world.outside.iter().any(told), "{kind:?}");
    }
}

#[test]
fn removing_an_account_and_something_else_is_refused() {
    let mut world = World::default();
    let juliet = world.enter("juliet@capulet.lit/balcony");
    assert!(asks(&mut world, juliet, "set", "<remove/><username>juliet</username>").contains("bad-request"));
    assert!(credentials(&world).is_some());
}

#[test]
fn nobody_registers_for_others_or_elsewhere() {
    let mut world = World::default();
    world.account("romeo@montague.lit");
    let juliet = world.enter("juliet@capulet.lit/balcony");
    for (to, condition) in [("romeo@montague.lit", "service-unavailable"), ("montague.lit", "not-allowed")] {
        let query = "<query xmlns='jabber:iq:register'><remove/></query>";
        world.says(juliet, &format!("<iq id='r' type='set' to='{to}'>{query}</iq>"));
        assert!(world.hears_xml(juliet)[0].contains(condition), "{to}");
    }
    assert!(world.store.has(collection::CREDENTIALS, "romeo@montague.lit"));
}
