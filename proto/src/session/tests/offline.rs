//! Messages wait for those who are not there (XEP-0160).

use super::*;
use crate::stanza::Facts;
use crate::store::collection::OFFLINE;

fn write(world: &mut World, from: Client, body: &str) {
    world.says(from, &format!("<message to='juliet@capulet.lit' type='chat'><body>{body}</body></message>"));
}

fn bodies(world: &mut World, client: Client) -> Vec<String> {
    world.hears(client).iter().filter_map(|stanza| stanza.child_text("body")).collect()
}

#[test]
fn messages_wait_in_order_and_are_heard_once_with_their_time() {
    let mut world = World::default();
    world.account("juliet@capulet.lit");
    let romeo = world.enter(ROMEO);
    for body in ["one", "two", "three"] {
        write(&mut world, romeo, body);
    }
    assert!(world.session("juliet@capulet.lit").is_none(), "an account that is not in use costs no memory");
    let juliet = world.bind(JULIET);
    world.says(juliet, "<presence/>");
    let heard = world.hears(juliet);
    let messages: Vec<_> = heard.iter().filter(|stanza| stanza.facts.contains(Facts::BODY)).collect();
    assert_eq!(
        messages.iter().filter_map(|stanza| stanza.child_text("body")).collect::<Vec<_>>(),
        ["one", "two", "three"]
    );
    let delay = messages[0].child("delay", crate::ns::DELAY).unwrap();
    assert_eq!(delay.attr("from"), Some("capulet.lit"));
    assert_eq!(delay.attr("stamp"), Some(&*crate::datetime::stamp(world.now)));
    world.says(juliet, "<presence type='unavailable'/>");
    world.says(juliet, "<presence/>");
    assert_eq!(bodies(&mut world, juliet), [""; 0]);
    assert!(!world.store.has(OFFLINE, "juliet@capulet.lit"));
}

#[test]
fn they_wait_until_somebody_wants_messages() {
    let mut world = World::default();
    let (romeo, juliet) = (world.enter(ROMEO), world.bind(JULIET));
    write(&mut world, romeo, "one");
    world.says(juliet, "<presence><priority>-1</priority></presence>");
    write(&mut world, romeo, "two");
    assert_eq!(bodies(&mut world, juliet), [""; 0]);
    world.says(juliet, "<presence><priority>1</priority></presence>");
    assert_eq!(bodies(&mut world, juliet), ["one", "two"]);
}

#[test]
fn what_is_of_no_use_later_is_not_kept() {
    let mut world = World::default();
    world.account("juliet@capulet.lit");
    let romeo = world.enter(ROMEO);
    for message in [
        "<message to='juliet@capulet.lit' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
        "<message to='juliet@capulet.lit' type='chat'><body>x</body><no-store xmlns='urn:xmpp:hints'/></message>",
        "<message to='juliet@capulet.lit' type='headline'><body>x</body></message>",
        "<message to='juliet@capulet.lit' type='error'><body>x</body><error type='cancel'/></message>",
        "<message to='juliet@capulet.lit'/>",
    ] {
        world.says(romeo, message);
    }
    assert!(!world.store.has(OFFLINE, "juliet@capulet.lit"));
    assert_eq!(hears(&mut world, romeo), [""; 0]);
    world.says(romeo, "<message to='juliet@capulet.lit' type='groupchat'><body>x</body></message>");
    assert_eq!(refusal(&mut world, romeo), Condition::ServiceUnavailable);
}

#[test]
fn only_so_many_wait() {
    let mut world = World::default();
    world.options.limits.offline_messages_max = 2;
    world.account("juliet@capulet.lit");
    let romeo = world.enter(ROMEO);
    for body in ["one", "two"] {
        write(&mut world, romeo, body);
    }
    assert_eq!(hears(&mut world, romeo), [""; 0]);
    write(&mut world, romeo, "three");
    assert_eq!(refusal(&mut world, romeo), Condition::ServiceUnavailable);
}

#[test]
fn many_pages_are_handed_over_in_order() {
    let mut world = World::default();
    world.account("juliet@capulet.lit");
    let romeo = world.enter(ROMEO);
    let expected: Vec<_> = (0..250).map(|number| number.to_string()).collect();
    for body in &expected {
        write(&mut world, romeo, body);
    }
    let juliet = world.bind(JULIET);
    world.says(juliet, "<presence/>");
    assert_eq!(bodies(&mut world, juliet), expected);
}

#[test]
fn a_message_that_comes_meanwhile_does_not_overtake() {
    let mut world = World::default();
    let (romeo, juliet) = (world.enter(ROMEO), world.bind(JULIET));
    write(&mut world, romeo, "one");
    world.store_waits();
    world.says(juliet, "<presence/>");
    write(&mut world, romeo, "two");
    // Also what is for her alone, as long as nobody else reads what waits.
    world.says(romeo, &format!("<message to='{JULIET}' type='chat'><body>three</body></message>"));
    world.store_answers();
    assert_eq!(bodies(&mut world, juliet), ["one", "two", "three"]);
    write(&mut world, romeo, "four");
    assert_eq!(bodies(&mut world, juliet), ["four"]);
}

#[test]
fn what_is_still_being_written_when_its_reader_comes_is_not_overtaken_nor_forgotten() {
    let mut world = World::default();
    let (romeo, juliet) = (world.enter(ROMEO), world.bind(JULIET));
    world.store_is_full();
    write(&mut world, romeo, "one");
    world.says(juliet, "<presence/>");
    write(&mut world, romeo, "two");
    assert_eq!(bodies(&mut world, juliet), [""; 0]);
    world.store_writes();
    assert_eq!(bodies(&mut world, juliet), ["one", "two"]);
    write(&mut world, romeo, "three");
    assert_eq!(bodies(&mut world, juliet), ["three"]);
}

#[test]
fn who_is_there_hears_a_message_even_if_no_more_may_wait() {
    let mut world = World::default();
    world.options.limits.offline_messages_max = 1;
    let (romeo, juliet) = (world.enter(ROMEO), world.bind(JULIET));
    write(&mut world, romeo, "one");
    world.store_waits();
    world.says(juliet, "<presence/>");
    write(&mut world, romeo, "two");
    world.store_answers();
    assert_eq!(bodies(&mut world, juliet), ["two", "one"]);
    assert_eq!(hears(&mut world, romeo), [""; 0]);
}

#[test]
fn who_cannot_be_kept_for_is_told_to_try_again_unless_the_user_has_come() {
    let mut world = World::default();
    let (romeo, juliet) = (world.enter(ROMEO), world.bind(JULIET));
    world.store.away = true;
    write(&mut world, romeo, "one");
    assert_eq!(refusal(&mut world, romeo), Condition::ResourceConstraint);
    world.store_waits();
    write(&mut world, romeo, "two");
    world.says(juliet, "<presence/>");
    world.store_answers();
    assert_eq!(bodies(&mut world, juliet), ["two"]);
    assert_eq!(hears(&mut world, romeo), [""; 0]);
}

#[test]
fn what_waits_is_for_whose_presence_came_first() {
    for first_stays in [true, false] {
        let mut world = World::default();
        world.account("juliet@capulet.lit");
        let romeo = world.enter(ROMEO);
        let all: Vec<String> = (0..150).map(|number| number.to_string()).collect();
        all.iter().for_each(|body| write(&mut world, romeo, body));
        let (first, second) = (world.bind(JULIET), world.bind("juliet@capulet.lit/chamber"));
        world.store_waits();
        world.says(first, "<presence/>");
        world.says(second, "<presence/>");
        if !first_stays {
            world.says(first, "<presence type='unavailable'/>");
        }
        write(&mut world, romeo, "for all");
        world.store_answers();
        let heard = [bodies(&mut world, first), bodies(&mut world, second)];
        let and_all = [&all[..], &["for all".to_owned()]].concat();
        let late = vec!["for all".to_owned()];
        assert_eq!(heard, if first_stays { [and_all, late] } else { [vec![], and_all] });
    }
}

#[test]
fn while_the_store_is_away_nothing_that_waits_is_lost() {
    let mut world = World::default();
    let (romeo, juliet) = (world.enter(ROMEO), world.bind(JULIET));
    write(&mut world, romeo, "one");
    world.store.away = true;
    world.says(juliet, "<presence/>");
    assert_eq!(bodies(&mut world, juliet), [""; 0]);
    write(&mut world, romeo, "two");
    assert_eq!(bodies(&mut world, juliet), ["two"], "who is there is reached without the store");
    world.store.away = false;
    write(&mut world, romeo, "three");
    assert_eq!(bodies(&mut world, juliet), ["three", "one"], "what waits comes as soon as it can");
}
