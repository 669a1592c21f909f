use super::*;
use crate::store::Write;
use crate::testing::{Client, World};

fn asks(world: &mut World, client: Client, what: &str, to: &str, node: &str) -> Stanza {
    let node = if node.is_empty() { String::new() } else { format!(" node='{node}'") };
    let ns = format!("http://jabber.org/protocol/disco#{what}");
    world.says(client, &format!("<iq id='d' type='get' to='{to}'><query xmlns='{ns}'{node}/></iq>"));
    let mut answers = world.hears(client);
    assert_eq!(answers.len(), 1, "{what} of {to} gets one answer");
    answers.remove(0)
}

fn query(answer: &Stanza) -> Element {
    answer.children().into_iter().find(|child| child.name() == "query").expect("a query")
}

fn attributes(answer: &Stanza, child: &str, name: &str) -> Vec<String> {
    let query = query(answer);
    let children = query.children().filter(|element| element.name() == child);
    children.filter_map(|element| element.attr(name)).map(ToOwned::to_owned).collect()
}

fn condition(answer: &Stanza) -> String {
    let error = answer.children().pop().expect("an error");
    error.children().next().expect("a condition").name().to_owned()
}

#[test]
fn the_server_says_what_it_is_and_what_belongs_to_it() {
    let mut world = World::default();
    let juliet = world.enter("juliet@capulet.lit/balcony");
    let info = asks(&mut world, juliet, "info", "capulet.lit", "");
    assert_eq!(attributes(&info, "identity", "category"), ["server"]);
    assert_eq!(attributes(&info, "identity", "type"), ["im"]);
    let features = attributes(&info, "feature", "var");
    for feature in
        [ns::DISCO_INFO, ns::DISCO_ITEMS, ns::PING, ns::CARBONS, ns::VERSION, ns::COMMANDS, "msgoffline"]
    {
        assert!(features.iter().any(|listed| listed == feature), "{feature}");
    }
    assert!(features.is_sorted());
    let items = asks(&mut world, juliet, "items", "capulet.lit", "");
    assert_eq!(attributes(&items, "item", "jid"), ["conference.capulet.lit"]);
}

#[test]
fn the_capabilities_node_is_answered_and_an_unknown_one_is_not() {
    let mut world = World::default();
    let juliet = world.enter("juliet@capulet.lit/balcony");
    let plain = asks(&mut world, juliet, "info", "capulet.lit", "");
    let features = attributes(&plain, "feature", "var");
    let ver = Info::new("server", "im", "Muster").with(features.clone()).ver();
    let node = format!("urn:muster:server#{ver}");
    let answer = asks(&mut world, juliet, "info", "capulet.lit", &node);
    assert_eq!(attributes(&answer, "feature", "var"), features);
    assert_eq!(query(&answer).attr("node"), Some(node.as_str()));
    for what in ["info", "items"] {
        let answer = asks(&mut world, juliet, what, "capulet.lit", "urn:muster:server#old");
        assert_eq!(condition(&answer), "item-not-found");
    }
}

#[test]
fn an_account_shows_itself_to_its_owner() {
    let mut world = World::default();
    let juliet = world.enter("juliet@capulet.lit/balcony");
    world.enter("juliet@capulet.lit/chamber");
    world.hears(juliet);
    let info = asks(&mut world, juliet, "info", "juliet@capulet.lit", "");
    assert_eq!(attributes(&info, "identity", "category"), ["account"]);
    assert_eq!(attributes(&info, "identity", "type"), ["registered"]);
    let items = asks(&mut world, juliet, "items", "juliet@capulet.lit", "");
    let resources = ["juliet@capulet.lit/balcony", "juliet@capulet.lit/chamber"];
    assert_eq!(attributes(&items, "item", "jid"), resources);
    let answer = asks(&mut world, juliet, "info", "juliet@capulet.lit", "unknown");
    assert_eq!(condition(&answer), "item-not-found");
}

#[test]
fn a_stranger_cannot_tell_an_account_from_none() {
    let mut world = World::default();
    world.enter("juliet@capulet.lit/balcony");
    let romeo = world.enter("romeo@montague.lit/orchard");
    for node in ["", "unknown"] {
        let mut heard = |what: &str, name: &str| {
            let answer = asks(&mut world, romeo, what, &format!("{name}@capulet.lit"), node);
            String::from_utf8(answer.to_xml()).unwrap().replace(name, "x")
        };
        let info = heard("info", "juliet");
        assert!(info.contains("<service-unavailable"), "{info}");
        assert_eq!(info, heard("info", "nobody"));
        let items = heard("items", "juliet");
        assert!(items.contains("type='result'") && !items.contains("<item"), "{items}");
        assert_eq!(items, heard("items", "nobody"));
    }
}

#[test]
fn a_subscriber_sees_the_account() {
    let mut world = World::default();
    let item = br#"{"to":true,"from":true}"#.to_vec();
    let roster = Key::new(collection::ROSTER, "juliet@capulet.lit");
    world.store.write(&[Write::SetField(roster, "romeo@montague.lit".into(), item)]).unwrap();
    world.enter("juliet@capulet.lit/balcony");
    let romeo = world.enter("romeo@montague.lit/orchard");
    let info = asks(&mut world, romeo, "info", "juliet@capulet.lit", "");
    assert_eq!(attributes(&info, "identity", "category"), ["account"]);
    let items = asks(&mut world, romeo, "items", "juliet@capulet.lit", "");
    assert_eq!(attributes(&items, "item", "jid"), ["juliet@capulet.lit/balcony"]);
}

#[test]
fn the_room_service_lists_public_rooms() {
    let mut world = World::default();
    let directory = Key::new(collection::ROOMS, "conference.capulet.lit");
    let rooms = [
        ("hall@conference.capulet.lit", r#"{"name":"The Hall","public":true}"#),
        ("cellar@conference.capulet.lit", r#"{"name":"The Cellar","public":false}"#),
    ];
    for (jid, json) in rooms {
        let write = Write::SetField(directory.clone(), jid.into(), json.into());
        world.store.write(&[write]).unwrap();
    }
    let juliet = world.enter("juliet@capulet.lit/balcony");
    let info = asks(&mut world, juliet, "info", "conference.capulet.lit", "");
    assert_eq!(attributes(&info, "identity", "category"), ["conference"]);
    assert!(attributes(&info, "feature", "var").iter().any(|feature| feature == ns::MUC));
    let items = asks(&mut world, juliet, "items", "conference.capulet.lit", "");
    assert_eq!(attributes(&items, "item", "jid"), ["hall@conference.capulet.lit"]);
    assert_eq!(attributes(&items, "item", "name"), ["The Hall"]);
}

#[test]
fn commands_are_shown_to_administrators_only() {
    let mut world = World::default();
    let admin = world.enter("admin@capulet.lit/desk");
    let juliet = world.enter("juliet@capulet.lit/balcony");
    let items = asks(&mut world, admin, "items", "capulet.lit", ns::COMMANDS);
    let nodes = attributes(&items, "item", "node");
    assert!(nodes.contains(&"http://jabber.org/protocol/admin#add-user".to_owned()), "{nodes:?}");
    for node in &nodes {
        let info = asks(&mut world, admin, "info", "capulet.lit", node);
        assert_eq!(attributes(&info, "identity", "type"), ["command-node"]);
        assert_eq!(condition(&asks(&mut world, juliet, "info", "capulet.lit", node)), "forbidden");
    }
    let items = asks(&mut world, juliet, "items", "capulet.lit", ns::COMMANDS);
    assert!(attributes(&items, "item", "node").is_empty());
    let items = asks(&mut world, admin, "items", "montague.lit", ns::COMMANDS);
    assert!(attributes(&items, "item", "node").is_empty(), "who administers one domain does not another");
}
