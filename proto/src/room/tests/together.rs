//! A room among the sessions of its occupants.

use super::*;
use crate::testing::Client;

const HALL: &str = "hall@conference.montague.lit";

fn heard(world: &mut World, client: Client) -> Vec<String> {
    world.hears(client).iter().map(brief).collect()
}

/// Romeo's open room, with Juliet in it.
fn hall() -> (World, Client, Client) {
    let mut world = World::default();
    let romeo = world.enter("romeo@montague.lit/orchard");
    let juliet = world.enter("juliet@capulet.lit/balcony");
    let join = |nick: &str| format!("<presence to='{HALL}/{nick}'><x xmlns='{}'/></presence>", ns::MUC);
    world.says(romeo, &join("Romeo"));
    let instant = "<x xmlns='jabber:x:data' type='submit'/>";
    let instant =
        format!("<iq to='{HALL}' id='i' type='set'><query xmlns='{}'>{instant}</query></iq>", ns::MUC_OWNER);
    world.says(romeo, &instant);
    let said = heard(&mut world, romeo);
    assert_eq!(
        said,
        ["+Romeo owner/moderator romeo@montague.lit/orchard 110 201", "room sets \"\"", "result i"]
    );
    world.says(juliet, &join("Juliet"));
    let said = heard(&mut world, juliet);
    assert_eq!(said, ["+Romeo owner/moderator", "+Juliet none/participant 110", "room sets \"\""]);
    world.hears(romeo);
    (world, romeo, juliet)
}

#[test]
fn two_accounts_talk_in_a_room() {
    let (mut world, romeo, juliet) = hall();
    world.says(juliet, &format!("<message to='{HALL}' type='groupchat'><body>Ay me!</body></message>"));
    assert_eq!(heard(&mut world, romeo), ["Juliet: Ay me!"]);
    assert_eq!(heard(&mut world, juliet), ["Juliet: Ay me!"]);
    world.says(
        romeo,
        &format!("<message to='{HALL}/Juliet' type='chat'><body>Shall I hear more?</body></message>"),
    );
    assert_eq!(heard(&mut world, juliet), ["Romeo: Shall I hear more?"]);
}

#[test]
fn who_loses_the_connection_leaves_the_room() {
    let (mut world, romeo, juliet) = hall();
    world.leaves(juliet);
    assert_eq!(heard(&mut world, romeo), ["-Juliet none/none juliet@capulet.lit/balcony"]);
    world.says(romeo, "<presence type='unavailable'/>");
    assert!(world.room(HALL).is_none(), "it was temporary, and the last has left");
}

#[test]
fn who_dies_with_its_node_leaves_the_room() {
    let (mut world, romeo, _) = hall();
    world.lose(std::sync::Arc::new(|user| user.as_str() == "juliet@capulet.lit"));
    assert_eq!(heard(&mut world, romeo), ["-Juliet none/none juliet@capulet.lit/balcony 333"]);
}

#[test]
fn who_was_in_a_room_that_died_with_its_node_is_told_and_can_enter_again() {
    let (mut world, romeo, juliet) = hall();
    world.lose(std::sync::Arc::new(|address| address.as_str() == HALL));
    for who in [romeo, juliet] {
        let heard = heard(&mut world, who);
        assert!(heard.len() == 1 && heard[0].ends_with(" none/none 110 333"), "{heard:?}");
        world.lose(std::sync::Arc::new(|address| address.as_str() == HALL));
        assert!(world.hears(who).is_empty(), "it is told once");
    }
    assert!(world.room(HALL).is_none());
    world.says(romeo, &format!("<presence to='{HALL}/Romeo'><x xmlns='{}'/></presence>", ns::MUC));
    assert!(world.room(HALL).is_some());
}

#[test]
fn a_ghost_leaves_at_the_first_word() {
    let (mut world, romeo, juliet) = hall();
    // No connection has this resource: the account's server says so when the subject comes.
    world.arrives(&format!(
        "<presence from='juliet@capulet.lit/ghost' to='{HALL}/Ghost'><x xmlns='{}'/></presence>",
        ns::MUC
    ));
    let ghost = "juliet@capulet.lit/ghost";
    let seen = [format!("+Ghost none/participant {ghost}"), format!("-Ghost none/none {ghost} 333")];
    assert_eq!(heard(&mut world, romeo), seen);
    assert_eq!(heard(&mut world, juliet), ["+Ghost none/participant", "-Ghost none/none 333"]);
}

#[test]
fn an_occupant_s_vcard_is_found_through_the_room() {
    let (mut world, romeo, juliet) = hall();
    world.says(juliet, "<iq id='s' type='set'><vCard xmlns='vcard-temp'><FN>Juliet</FN></vCard></iq>");
    world.hears(juliet);
    world.says(romeo, &format!("<iq to='{HALL}/Juliet' id='v' type='get'><vCard xmlns='vcard-temp'/></iq>"));
    let answer = world.hears(romeo).pop().unwrap();
    assert_eq!(answer.from.as_ref().unwrap().to_string(), format!("{HALL}/Juliet"));
    assert!(brief(&answer).contains("<FN>Juliet</FN>"), "{}", brief(&answer));
    assert!(world.hears(juliet).is_empty(), "her client was not asked");
}

#[test]
fn the_service_lists_the_room() {
    let (mut world, romeo, _) = hall();
    let items = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
    world.says(romeo, &format!("<iq to='conference.montague.lit' id='d' type='get'>{items}</iq>"));
    let answer = heard(&mut world, romeo);
    assert!(answer[0].contains(HALL), "{answer:?}");
}

#[test]
fn an_invitation_to_an_account_that_is_not_there_comes_back() {
    let (mut world, romeo, _) = hall();
    let invite = "<invite to='nobody@montague.lit'/>";
    world.says(
        romeo,
        &format!("<message to='{HALL}' id='i'><x xmlns='{}'>{invite}</x></message>", ns::MUC_USER),
    );
    assert_eq!(heard(&mut world, romeo), ["message error item-not-found"]);
}

#[test]
fn the_administrator_of_the_domain_owns_the_room() {
    let (mut world, _, juliet) = hall();
    let admin = world.enter("admin@montague.lit/desk");
    let item = "<item nick='Juliet' role='none'/>";
    world.says(
        admin,
        &format!("<iq to='{HALL}' id='k' type='set'><query xmlns='{}'>{item}</query></iq>", ns::MUC_ADMIN),
    );
    assert_eq!(heard(&mut world, admin), ["result k"], "without being there");
    assert_eq!(heard(&mut world, juliet), ["-Juliet none/none 110 307"]);
}
