//! The roster's protocol (RFC 6121 §2).

use super::*;
use crate::ns;

fn get(world: &mut World, client: Client, ver: &str) -> Stanza {
    world.says(client, &format!("<iq type='get' id='r'><query xmlns='jabber:iq:roster' {ver}/></iq>"));
    let mut heard = world.hears(client);
    assert_eq!(heard.len(), 1, "{heard:?}");
    heard.remove(0)
}

fn set(world: &mut World, client: Client, item: &str) -> Vec<Stanza> {
    world.says(client, &format!("<iq type='set' id='s'><query xmlns='jabber:iq:roster'>{item}</query></iq>"));
    world.hears(client)
}

fn items(iq: &Stanza) -> Vec<String> {
    let query = iq.child("query", ns::ROSTER).expect("a roster");
    let item = |item: &minidom::Element| {
        let attr = |name: &str| item.attr(name).unwrap_or("-").to_owned();
        let groups: Vec<_> = item.children().map(minidom::Element::text).collect();
        format!("{} {} {} {}", attr("jid"), attr("name"), attr("subscription"), groups.join(","))
    };
    query.children().map(item).collect()
}

fn version(iq: &Stanza) -> String {
    iq.child("query", ns::ROSTER).unwrap().attr("ver").unwrap().to_owned()
}

#[test]
fn who_has_asked_for_the_roster_is_told_of_changes() {
    let mut world = World::default();
    let (one, two, deaf) = (
        world.bind("romeo@montague.lit/1"),
        world.bind("romeo@montague.lit/2"),
        world.bind("romeo@montague.lit/3"),
    );
    assert_eq!(items(&get(&mut world, one, "")), [""; 0]);
    get(&mut world, two, "ver=''");
    let item = "<item jid='Juliet@capulet.lit/x' name='Juliet' subscription='both' ask='subscribe'><group>Love</group><group>Capulets</group></item>";
    let heard = set(&mut world, one, item);
    let expected = ["juliet@capulet.lit Juliet none Capulets,Love"];
    assert_eq!(short(heard.clone()), ["iq set", "iq result romeo@montague.lit"]);
    assert_eq!(items(&heard[0]), expected);
    let pushed = world.hears(two);
    assert_eq!(items(&pushed[0]), expected);
    assert_eq!(pushed[0].to.as_ref().unwrap().as_str(), "romeo@montague.lit/2");
    assert!(world.hears(deaf).is_empty());
    world.says(two, &format!("<iq type='result' id='{}'/>", pushed[0].id.as_ref().unwrap()));
    let heard = set(&mut world, one, "<item jid='juliet@capulet.lit' subscription='remove'/>");
    assert_eq!(items(&heard[0]), ["juliet@capulet.lit - remove "]);
    assert_eq!(items(&get(&mut world, deaf, "")), [""; 0]);
}

#[test]
fn a_client_that_knows_the_version_gets_an_empty_result() {
    let mut world = World::default();
    let romeo = world.bind(ROMEO);
    set(&mut world, romeo, "<item jid='juliet@capulet.lit'/>");
    let ver = version(&get(&mut world, romeo, "ver=''"));
    world.leaves(romeo);
    let romeo = world.bind(ROMEO);
    let answer = get(&mut world, romeo, &format!("ver='{ver}'"));
    assert_eq!((answer.kind.type_name(), answer.inner.len()), (Some("result"), 0));
    let pushed = set(&mut world, romeo, "<item jid='juliet@capulet.lit' name='J'/>");
    assert_ne!(version(&pushed[0]), ver);
    assert_eq!(items(&get(&mut world, romeo, &format!("ver='{ver}'"))).len(), 1);
    let pushed = set(&mut world, romeo, "<item jid='juliet@capulet.lit'/>");
    assert_eq!(version(&pushed[0]), ver, "the same roster has the same version");
}

#[test]
fn a_bad_set_is_refused_for_its_reason() {
    let mut world = World::default();
    let romeo = world.bind(ROMEO);
    let long = "x".repeat(2000);
    let cases = [
        ("", Condition::BadRequest),
        ("<item jid='a@b.lit'/><item jid='c@b.lit'/>", Condition::BadRequest),
        ("<item name='a'/>", Condition::BadRequest),
        ("<item jid='@@'/>", Condition::JidMalformed),
        ("<item jid='romeo@montague.lit'/>", Condition::NotAllowed),
        ("<item jid='a@b.lit'><group>x</group><group>x</group></item>", Condition::BadRequest),
        ("<item jid='a@b.lit'><group/></item>", Condition::NotAcceptable),
        (&format!("<item jid='a@b.lit'><group>{long}</group></item>"), Condition::NotAcceptable),
        (&format!("<item jid='a@b.lit' name='{long}'/>"), Condition::NotAcceptable),
        ("<item jid='a@b.lit' subscription='remove'/>", Condition::ItemNotFound),
    ];
    for (item, expected) in cases {
        let heard = set(&mut world, romeo, item);
        assert_eq!(heard.iter().map(condition).collect::<Vec<_>>(), [expected], "{item}");
    }
}

#[test]
fn only_so_many_contacts_fit() {
    let mut world = World::default();
    world.options.limits.roster_items_max = 1;
    let romeo = world.bind(ROMEO);
    assert_eq!(short(set(&mut world, romeo, "<item jid='a@b.lit'/>")), ["iq result romeo@montague.lit"]);
    assert_eq!(condition(&set(&mut world, romeo, "<item jid='c@b.lit'/>")[0]), Condition::ResourceConstraint);
    assert_eq!(
        short(set(&mut world, romeo, "<item jid='a@b.lit' name='A'/>")),
        ["iq result romeo@montague.lit"]
    );
}

#[test]
fn nobody_else_may_touch_it() {
    let mut world = World::default();
    let (romeo, _) = (world.bind(ROMEO), world.bind(JULIET));
    for kind in ["get", "set"] {
        world.says(romeo, &format!("<iq to='juliet@capulet.lit' type='{kind}' id='1'><query xmlns='jabber:iq:roster'><item jid='a@b.lit'/></query></iq>"));
        assert_eq!(refusal(&mut world, romeo), Condition::Forbidden);
    }
}

#[test]
fn what_cannot_be_kept_is_taken_back_and_said_so() {
    let mut world = World::default();
    let romeo = world.bind(ROMEO);
    let before = version(&get(&mut world, romeo, ""));
    world.store.away = true;
    let heard = set(&mut world, romeo, "<item jid='a@b.lit'/>");
    assert_eq!(heard.iter().map(condition).collect::<Vec<_>>(), [Condition::ResourceConstraint]);
    assert_eq!(version(&get(&mut world, romeo, "")), before);
}

#[test]
fn nothing_is_said_before_it_is_kept() {
    let mut world = World::default();
    let romeo = world.bind(ROMEO);
    get(&mut world, romeo, "");
    world.store_waits();
    assert!(set(&mut world, romeo, "<item jid='a@b.lit'/>").is_empty());
    world.leaves(romeo);
    assert!(world.session("romeo@montague.lit").is_some(), "a question is open, so it is not idle");
    world.store_answers();
    assert!(world.session("romeo@montague.lit").is_none());
}

#[test]
fn who_is_removed_is_told_that_the_subscriptions_are_over() {
    let mut world = World::default();
    let (romeo, juliet) = lovers(&mut world);
    get(&mut world, romeo, "");
    let heard = set(&mut world, romeo, "<item jid='juliet@capulet.lit' subscription='remove'/>");
    assert!(heard.iter().any(is_iq));
    let heard = hears(&mut world, juliet);
    for expected in [
        "presence unsubscribe romeo@montague.lit".to_owned(),
        "presence unsubscribed romeo@montague.lit".to_owned(),
        format!("presence unavailable {ROMEO}"),
    ] {
        assert!(heard.contains(&expected), "{expected} in {heard:?}");
    }
    let juliet = world.session("juliet@capulet.lit").unwrap();
    let (_, item) = juliet.roster.iter().next().unwrap();
    assert!(!item.to && !item.from);
}
