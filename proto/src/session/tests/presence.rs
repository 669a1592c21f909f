//! Presence goes to whom it concerns (RFC 6121 §4).

use super::*;

#[test]
fn a_contact_hears_that_the_user_comes_changes_and_goes() {
    let mut world = World::default();
    let (romeo, juliet) = lovers(&mut world);
    world.says(romeo, "<presence><show>away</show></presence>");
    assert_eq!(hears(&mut world, juliet), [format!("presence {ROMEO}")]);
    world.says(romeo, "<presence type='unavailable'><status>Gone</status></presence>");
    let heard = world.hears(juliet);
    assert_eq!(heard[0].child_text("status").as_deref(), Some("Gone"));
    assert_eq!(short(heard), [format!("presence unavailable {ROMEO}")]);
    world.says(romeo, "<presence/>");
    assert_eq!(hears(&mut world, juliet), [format!("presence {ROMEO}")]);
    world.leaves(romeo);
    assert_eq!(hears(&mut world, juliet), [format!("presence unavailable {ROMEO}")]);
}

#[test]
fn who_comes_hears_of_contacts_and_of_itself() {
    let mut world = World::default();
    let (romeo, _) = lovers(&mut world);
    world.leaves(romeo);
    let romeo = world.bind(ROMEO);
    world.says(romeo, "<presence/>");
    assert_eq!(hears(&mut world, romeo), [format!("presence {ROMEO}"), format!("presence {JULIET}")]);
}

#[test]
fn who_comes_hears_that_a_contact_is_not_there() {
    let mut world = World::default();
    let (romeo, juliet) = lovers(&mut world);
    world.leaves(romeo);
    world.leaves(juliet);
    let romeo = world.bind(ROMEO);
    world.says(romeo, "<presence/>");
    let expected = [format!("presence {ROMEO}"), "presence unavailable juliet@capulet.lit".into()];
    assert_eq!(hears(&mut world, romeo), expected);
}

#[test]
fn the_users_own_clients_hear_of_each_other() {
    let mut world = World::default();
    let (orchard, phone) = (world.enter(ROMEO), world.bind("romeo@montague.lit/phone"));
    world.says(phone, "<presence><priority>3</priority></presence>");
    assert_eq!(hears(&mut world, orchard), ["presence romeo@montague.lit/phone"]);
    let expected = ["presence romeo@montague.lit/phone".to_owned(), format!("presence {ROMEO}")];
    assert_eq!(hears(&mut world, phone), expected);
    world.says(phone, "<presence type='unavailable'/>");
    assert_eq!(hears(&mut world, phone), ["presence unavailable romeo@montague.lit/phone"]);
    assert_eq!(hears(&mut world, orchard), ["presence unavailable romeo@montague.lit/phone"]);
    world.leaves(phone);
    assert_eq!(hears(&mut world, orchard), [""; 0]);
}

#[test]
fn a_priority_must_be_a_small_number() {
    let mut world = World::default();
    let romeo = world.bind(ROMEO);
    for bad in ["128", "-129", "high", "1.5"] {
        world.says(romeo, &format!("<presence><priority>{bad}</priority></presence>"));
        assert_eq!(refusal(&mut world, romeo), Condition::BadRequest, "{bad}");
    }
    for good in ["<priority>-128</priority>", "<priority> 127 </priority>", "<priority/>", "<show/>"] {
        world.says(romeo, &format!("<presence>{good}</presence>"));
        assert_eq!(hears(&mut world, romeo), [format!("presence {ROMEO}")], "{good}");
    }
}

#[test]
fn a_stranger_who_asks_is_told_that_there_is_nothing_to_see() {
    let mut world = World::default();
    let _juliet = world.enter(JULIET);
    for account in ["juliet@capulet.lit", "nobody@capulet.lit"] {
        world.arrives(&format!("<presence from='hamlet@denmark.lit/castle' to='{account}' type='probe'/>"));
        let heard = std::mem::take(&mut world.outside);
        assert_eq!(heard[0].to.as_ref().unwrap().as_str(), "hamlet@denmark.lit");
        assert_eq!(short(heard), [format!("presence unsubscribed {account}")]);
    }
}

#[test]
fn a_client_may_ask_for_its_own_accounts_presence() {
    let mut world = World::default();
    let (orchard, _phone) = (world.enter(ROMEO), world.enter("romeo@montague.lit/phone"));
    world.hears(orchard);
    world.says(orchard, "<presence to='romeo@montague.lit/phone' type='probe'/>");
    assert_eq!(hears(&mut world, orchard), ["presence romeo@montague.lit/phone"]);
}

#[test]
fn directed_presence_goes_where_it_is_sent_and_is_taken_back_at_the_end() {
    let mut world = World::default();
    let (romeo, juliet) = (world.bind(ROMEO), world.enter(JULIET));
    world.says(romeo, &format!("<presence to='{JULIET}'><status>Psst</status></presence>"));
    assert_eq!(hears(&mut world, juliet), [format!("presence {ROMEO}")]);
    world.leaves(romeo);
    assert_eq!(hears(&mut world, juliet), [format!("presence unavailable {ROMEO}")]);
}

#[test]
fn directed_presence_that_was_taken_back_is_not_taken_back_again() {
    let mut world = World::default();
    let (romeo, juliet) = (world.enter(ROMEO), world.enter(JULIET));
    world.says(romeo, &format!("<presence to='{JULIET}'/>"));
    world.says(romeo, &format!("<presence to='{JULIET}' type='unavailable'/>"));
    world.hears(juliet);
    world.leaves(romeo);
    assert_eq!(hears(&mut world, juliet), [""; 0]);
}

#[test]
fn a_contact_who_was_sent_presence_directly_too_hears_one_farewell() {
    let mut world = World::default();
    let (romeo, juliet) = lovers(&mut world);
    world.says(romeo, &format!("<presence to='{JULIET}'/>"));
    world.hears(juliet);
    world.leaves(romeo);
    assert_eq!(hears(&mut world, juliet), [format!("presence unavailable {ROMEO}")]);
}

#[test]
fn only_so_many_addresses_get_directed_presence() {
    let mut world = World::default();
    world.options.limits.directed_presence_max = 2;
    let romeo = world.enter(ROMEO);
    for name in ["a", "b", "a"] {
        world.says(romeo, &format!("<presence to='{name}@denmark.lit'/>"));
    }
    assert_eq!(hears(&mut world, romeo), [""; 0]);
    world.says(romeo, "<presence to='c@denmark.lit'/>");
    assert_eq!(refusal(&mut world, romeo), Condition::ResourceConstraint);
    world.outside.clear();
    world.leaves(romeo);
    assert_eq!(world.outside.len(), 2);
}

#[test]
fn a_room_is_left_by_the_newest_nickname() {
    let mut world = World::default();
    let romeo = world.enter(ROMEO);
    world.says(romeo, "<presence to='hall@conference.capulet.lit/a'/>");
    world.says(romeo, "<presence to='hall@conference.capulet.lit/b'/>");
    let session = world.session("romeo@montague.lit").unwrap();
    assert_eq!(session.resources[0].directed.len(), 1);
    assert_eq!(session.resources[0].directed[0].as_str(), "hall@conference.capulet.lit/b");
}

#[test]
fn contacts_whose_session_died_with_its_node_are_not_there_any_more() {
    let mut world = World::default();
    let (romeo, _) = lovers(&mut world);
    world.lose(std::sync::Arc::new(|account| account.as_str() == "juliet@capulet.lit"));
    assert_eq!(hears(&mut world, romeo), ["presence unavailable juliet@capulet.lit"]);
}
