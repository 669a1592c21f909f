//! Resources come and go (RFC 6120 §7).

use super::*;
use crate::BareJid;
use crate::stream::error::StreamCondition;

fn romeo() -> BareJid {
    BareJid::new("romeo@montague.lit").unwrap()
}

#[test]
fn the_server_makes_up_a_name_if_the_client_does_not_care() {
    let mut world = World::default();
    let (one, two) = (world.bind("romeo@montague.lit"), world.bind("romeo@montague.lit"));
    assert_ne!(world.jid(one), world.jid(two));
    assert!(world.jid(one).resource().as_str().len() >= 16);
}

#[test]
fn the_new_one_of_two_with_the_same_name_wins() {
    let mut world = World::default();
    let (romeo, juliet) = lovers(&mut world);
    let again = world.bind(ROMEO);
    assert_eq!(world.ended(romeo).unwrap().condition, StreamCondition::Conflict);
    assert_eq!(hears(&mut world, juliet), [format!("presence unavailable {ROMEO}")]);
    world.leaves(romeo); // the old socket closes late
    world.says(again, "<presence/>");
    assert_eq!(
        hears(&mut world, juliet),
        ["presence probe romeo@montague.lit/orchard".to_owned().replace("presence probe ", "presence ")]
    );
    assert_eq!(world.session("romeo@montague.lit").unwrap().resources.len(), 1);
}

#[test]
fn only_so_many_resources_are_bound_at_once() {
    let mut world = World::default();
    world.options.limits.resources_max = 2;
    let one = world.bind("romeo@montague.lit/one");
    world.bind("romeo@montague.lit/two");
    let three = world.connect(&romeo(), Some("three"), false);
    assert_eq!(world.refused(three).unwrap().condition, Condition::ResourceConstraint);
    world.leaves(one);
    let three = world.connect(&romeo(), Some("three"), false);
    assert_eq!(world.refused(three), None);
}

#[test]
fn a_name_that_cannot_be_prepared_is_refused() {
    let mut world = World::default();
    world.account("romeo@montague.lit");
    let client = world.connect(&romeo(), Some("\u{e0001}\u{0007}"), false);
    assert_eq!(world.refused(client).unwrap().condition, Condition::BadRequest);
}

#[test]
fn without_an_account_nothing_is_bound_but_an_anonymous_user_needs_none() {
    let mut world = World::default();
    let stranger = world.connect(&romeo(), None, false);
    assert_eq!(world.refused(stranger).unwrap().condition, Condition::NotAllowed);
    let anonymous = world.connect(&romeo(), None, true);
    world.says(anonymous, "<presence/>");
    world.hears(anonymous);
    let juliet = world.enter(JULIET);
    world.says(anonymous, "<presence type='subscribe' to='juliet@capulet.lit'/>");
    world.says(juliet, "<presence type='subscribed' to='romeo@montague.lit'/>");
    assert!(
        world
            .session("romeo@montague.lit")
            .unwrap()
            .roster
            .is_to(&BareJid::new("juliet@capulet.lit").unwrap())
    );
    assert!(!world.store.has(crate::store::collection::ROSTER, "romeo@montague.lit"));
    world.leaves(anonymous);
    assert!(world.session("romeo@montague.lit").is_none());
    let stranger = world.connect(&romeo(), None, false);
    assert_eq!(world.refused(stranger).unwrap().condition, Condition::NotAllowed);
}

#[test]
fn an_account_made_while_its_machine_was_in_memory_is_found() {
    let mut world = World::default();
    let anonymous = world.connect(&romeo(), Some("keeps-it-there"), true);
    world.leaves(anonymous);
    world.account("romeo@montague.lit");
    let client = world.connect(&romeo(), None, false);
    assert_eq!(world.refused(client), None);
}

#[test]
fn the_clients_of_a_lost_node_are_gone_and_all_hear_of_it() {
    let mut world = World::default();
    let (_, juliet) = lovers(&mut world);
    world.session_input("romeo@montague.lit", crate::session::Input::NodeLost(2));
    assert_eq!(hears(&mut world, juliet), [""; 0]);
    world.session_input("romeo@montague.lit", crate::session::Input::NodeLost(1));
    assert_eq!(hears(&mut world, juliet), [format!("presence unavailable {ROMEO}")]);
    assert!(world.session("romeo@montague.lit").is_none());
}
