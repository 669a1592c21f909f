//! Managed clients (XEP-0198): they lose their connection, and nothing else.

use super::*;
use crate::machine::{Machine, Resumption, SocketId, ToSocket};
use crate::session::{Input, Word};
use crate::store::collection::OFFLINE;
use crate::stream::StreamCondition;

const PHONE: &str = "juliet@capulet.lit/phone";

/// Romeo and Juliet, who may resume by this id.
fn managed_lovers(world: &mut World) -> (Client, Client, String) {
    let (romeo, juliet) = lovers(world);
    let (id, max) = world.enables(juliet, true, None);
    assert_eq!(max, 600);
    (romeo, juliet, id.expect("she may resume"))
}

fn write(world: &mut World, from: Client, to: &str, body: &str) {
    world.says(from, &format!("<message to='{to}' type='chat'><body>{body}</body></message>"));
}

fn bodies(world: &mut World, client: Client) -> Vec<String> {
    world.hears(client).iter().filter_map(|stanza| stanza.child_text("body")).collect()
}

fn resumption(world: &World, client: Client) -> Resumption {
    world.resumed(client).expect("it has asked").expect("it goes on")
}

#[test]
fn a_client_that_comes_back_has_missed_nothing_and_nobody_has_noticed() {
    let mut world = World::default();
    let (romeo, juliet, id) = managed_lovers(&mut world);
    write(&mut world, juliet, "romeo@montague.lit", "one");
    write(&mut world, romeo, JULIET, "two");
    world.hears(romeo);
    world.leaves(juliet);
    write(&mut world, romeo, JULIET, "three");
    write(&mut world, romeo, "juliet@capulet.lit", "four");
    world.wait(599);
    assert_eq!(hears(&mut world, romeo), [""; 0]);
    let again = world.resumes("juliet@capulet.lit", &id, 1);
    let how = resumption(&world, again);
    assert_eq!((how.jid.as_str(), how.heard, how.sent), (JULIET, 1, 1));
    let heard = world.hears(again);
    assert_eq!(heard.len(), 2);
    assert!(heard.iter().all(|stanza| stanza.child("delay", crate::ns::DELAY).is_some()));
    write(&mut world, romeo, JULIET, "five");
    write(&mut world, again, "romeo@montague.lit", "six");
    assert_eq!(
        (bodies(&mut world, again), bodies(&mut world, romeo)),
        (vec!["five".into()], vec!["six".into()])
    );
    assert_eq!(world.asks(again), Some(2));
    world.wait(10_000);
    assert!(world.session("juliet@capulet.lit").is_some(), "who is connected has no end");
}

#[test]
fn only_what_came_after_enable_is_counted() {
    let mut world = World::default();
    let (romeo, juliet) = lovers(&mut world);
    write(&mut world, juliet, "romeo@montague.lit", "before");
    world.enables(juliet, true, None);
    assert_eq!(world.asks(juliet), Some(0));
    for body in ["one", "two", "three"] {
        write(&mut world, juliet, "romeo@montague.lit", body);
    }
    write(&mut world, romeo, JULIET, "four");
    assert_eq!(bodies(&mut world, juliet), ["four"]);
    assert_eq!(world.asks(juliet), Some(3));
    let queue =
        |world: &World| world.session("juliet@capulet.lit").unwrap().resources[0].managed.clone().unwrap();
    assert_eq!(queue(&world).queue.len(), 1);
    world.acks(juliet, 1);
    world.acks(juliet, 0);
    assert_eq!((queue(&world).queue.len(), queue(&world).bytes), (0, 0));
}

#[test]
fn who_acknowledges_what_it_was_not_sent_is_sent_away() {
    let mut world = World::default();
    let (romeo, juliet, id) = managed_lovers(&mut world);
    write(&mut world, romeo, JULIET, "one");
    world.acks(juliet, 2);
    let error = world.ended(juliet).unwrap();
    assert_eq!(
        (error.condition, error.handled_too_high),
        (StreamCondition::UndefinedCondition, Some((2, 1)))
    );
    assert_eq!(hears(&mut world, romeo), [format!("presence unavailable {JULIET}")]);
    assert!(world.store.has(OFFLINE, "juliet@capulet.lit"));
    let again = world.resumes("juliet@capulet.lit", &id, 1);
    assert_eq!(world.resumed(again), Some(Err(None)));

    let phone = world.enter(PHONE);
    let id = world.enables(phone, true, None).0.unwrap();
    world.leaves(phone);
    let again = world.resumes("juliet@capulet.lit", &id, 77);
    assert_eq!(world.ended(again).unwrap().handled_too_high, Some((77, 0)));
    let again = world.resumes("juliet@capulet.lit", &id, 0);
    assert_eq!(world.resumed(again), Some(Err(None)), "and it does not try for ever");
}

#[test]
fn an_id_is_of_no_use_to_others_nor_with_another_nonce() {
    let mut world = World::default();
    let (_, juliet, id) = managed_lovers(&mut world);
    world.leaves(juliet);
    let strangers = world.resumes("romeo@montague.lit", &id, 0);
    assert_eq!(world.resumed(strangers), Some(Err(None)));
    let (sid, nonce) = crate::session::managed::read_id(&id).unwrap();
    for guess in
        ["", "x", &crate::session::managed::id(sid, nonce ^ 1), &crate::session::managed::id(sid + 1, nonce)]
    {
        let client = world.resumes("juliet@capulet.lit", guess, 0);
        assert_eq!(world.resumed(client), Some(Err(None)), "{guess}");
    }
    let again = world.resumes("juliet@capulet.lit", &id, 0);
    assert!(world.resumed(again).unwrap().is_ok());
}

#[test]
fn the_last_to_resume_wins_and_late_words_of_the_others_are_not_heard() {
    let mut world = World::default();
    let (romeo, juliet, id) = managed_lovers(&mut world);
    let second = world.resumes("juliet@capulet.lit", &id, 0);
    assert_eq!(world.ended(juliet).unwrap().condition, StreamCondition::Conflict);
    let third = world.resumes("juliet@capulet.lit", &id, 0);
    assert_eq!(world.ended(second).unwrap().condition, StreamCondition::Conflict);
    world.hears(third);
    write(&mut world, juliet, "romeo@montague.lit", "late");
    world.acks(juliet, 55);
    world.leaves(juliet);
    world.closes(second);
    assert_eq!(hears(&mut world, romeo), [""; 0]);
    assert_eq!(world.asks(third), Some(0), "what is said again is not said twice");
    write(&mut world, romeo, JULIET, "one");
    assert_eq!(bodies(&mut world, third), ["one"]);
}

#[test]
fn a_client_that_forgot_what_it_had_goes_on_from_there() {
    let mut world = World::default();
    let (romeo, juliet, id) = managed_lovers(&mut world);
    for body in ["one", "two", "three"] {
        write(&mut world, romeo, JULIET, body);
    }
    world.acks(juliet, 2);
    world.leaves(juliet);
    let again = world.resumes("juliet@capulet.lit", &id, 1);
    assert_eq!(bodies(&mut world, again), ["three"]);
    assert_eq!(world.counted(again).unwrap().heard, 2);
    world.acks(again, 2);
    assert_eq!(world.ended(again), None);
}

#[test]
fn who_closes_its_stream_is_gone() {
    let mut world = World::default();
    let (romeo, juliet, id) = managed_lovers(&mut world);
    write(&mut world, romeo, JULIET, "one");
    world.acks(juliet, 1);
    world.closes(juliet);
    assert_eq!(hears(&mut world, romeo), [format!("presence unavailable {JULIET}")]);
    assert!(!world.store.has(OFFLINE, "juliet@capulet.lit"), "acknowledged is acknowledged");
    assert!(world.session("juliet@capulet.lit").is_none(), "nothing is left of it");
    let again = world.resumes("juliet@capulet.lit", &id, 0);
    assert_eq!(world.resumed(again), Some(Err(None)));
}

#[test]
fn when_the_time_is_over_each_stanza_goes_where_it_would_go_without_the_client() {
    let mut world = World::default();
    let (romeo, juliet, id) = managed_lovers(&mut world);
    world.leaves(juliet);
    write(&mut world, romeo, JULIET, "one");
    world
        .says(romeo, &format!("<iq to='{JULIET}' type='get' id='q'><query xmlns='jabber:iq:version'/></iq>"));
    world.says(romeo, &format!("<message to='{JULIET}' type='headline'><body>news</body></message>"));
    world.says(romeo, &format!("<message to='{JULIET}'><body>two</body></message>"));
    world.says(romeo, "<presence><show>away</show></presence>");
    world.hears(romeo);
    world.wait(661);
    assert_eq!(
        hears(&mut world, romeo),
        [format!("presence unavailable {JULIET}"), format!("iq error {JULIET}")],
    );
    let ended = world.resumes("juliet@capulet.lit", &id, 0);
    assert_eq!(world.resumed(ended), Some(Err(Some(0))), "it is known, but its time is over");
    let phone = world.bind(PHONE);
    world.says(phone, "<presence/>");
    assert_eq!(bodies(&mut world, phone), ["one", "two"], "the headline was for then");
    world.closes(phone);
    world.wait(661);
    assert!(world.session("juliet@capulet.lit").is_none(), "at last it is forgotten");
}

#[test]
fn what_waited_is_read_by_the_next_client_with_the_time_it_was_sent() {
    let mut world = World::default();
    let (romeo, juliet, _) = managed_lovers(&mut world);
    world.leaves(juliet);
    let sent = world.now;
    for body in ["one", "two", "three"] {
        write(&mut world, romeo, JULIET, body);
    }
    world.wait(661);
    let phone = world.bind(PHONE);
    world.says(phone, "<presence/>");
    let heard = world.hears(phone);
    let messages: Vec<_> = heard.iter().filter(|stanza| stanza.child_text("body").is_some()).collect();
    let text: Vec<_> = messages.iter().filter_map(|stanza| stanza.child_text("body")).collect();
    assert_eq!(text, ["one", "two", "three"]);
    for message in messages {
        let delays = message.children().into_iter().filter(|child| child.is("delay", crate::ns::DELAY));
        let stamps: Vec<_> = delays.map(|delay| delay.attr("stamp").unwrap().to_owned()).collect();
        assert_eq!(stamps, [crate::datetime::stamp(sent)]);
    }
}

#[test]
fn another_client_that_is_there_gets_what_waited() {
    let mut world = World::default();
    let (romeo, juliet, _) = managed_lovers(&mut world);
    world.leaves(juliet);
    write(&mut world, romeo, JULIET, "one");
    write(&mut world, romeo, "juliet@capulet.lit", "two");
    let phone = world.enter(PHONE);
    write(&mut world, romeo, "juliet@capulet.lit", "three");
    assert_eq!(bodies(&mut world, phone), ["three"]);
    world.wait(661);
    assert_eq!(bodies(&mut world, phone), ["one", "two"], "but what it has had does not come again");
}

#[test]
fn copies_are_not_doubled_and_the_last_one_is_not_lost() {
    let mut world = World::default();
    let (romeo, juliet, _) = managed_lovers(&mut world);
    let phone = world.enter(PHONE);
    world.says(phone, "<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
    world.enables(phone, true, Some(900));
    world.leaves(juliet);
    write(&mut world, romeo, JULIET, "one");
    write(&mut world, romeo, "juliet@capulet.lit", "two");
    assert_eq!(world.hears(phone).len(), 2);
    world.acks(phone, 1);
    world.leaves(phone);
    world.options.limits.resume_seconds_max = 900;
    world.wait(300);
    // The phone's connection ends for ever first, then the balcony's.
    world.session_input(
        "juliet@capulet.lit",
        Input::Order(crate::session::Order::EndResource("phone".into())),
    );
    assert!(!world.store.has(OFFLINE, "juliet@capulet.lit"), "the balcony may still come back");
    world.wait(661);
    let chamber = world.bind("juliet@capulet.lit/chamber");
    world.says(chamber, "<presence/>");
    assert_eq!(bodies(&mut world, chamber), ["two"], "the phone has acknowledged its copy of the first");
}

#[test]
fn a_copy_that_nobody_acknowledged_becomes_the_message_again() {
    let mut world = World::default();
    let (romeo, juliet, _) = managed_lovers(&mut world);
    let phone = world.enter(PHONE);
    world.says(phone, "<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
    world.enables(phone, true, None);
    write(&mut world, romeo, JULIET, "one");
    world.closes(juliet);
    assert!(!world.store.has(OFFLINE, "juliet@capulet.lit"), "the phone may have it");
    world.leaves(phone);
    world.wait(661);
    let chamber = world.bind("juliet@capulet.lit/chamber");
    world.says(chamber, "<presence/>");
    assert_eq!(bodies(&mut world, chamber), ["one"]);
}

#[test]
fn only_so_much_waits_for_a_client_that_is_not_there() {
    let mut world = World::default();
    world.options.limits.resume_queue_max = 3;
    let (romeo, juliet, id) = managed_lovers(&mut world);
    for body in ["a", "b", "c", "d", "e"] {
        write(&mut world, romeo, JULIET, body);
    }
    world.leaves(juliet);
    for body in ["f", "g", "h"] {
        write(&mut world, romeo, JULIET, body);
    }
    assert_eq!(hears(&mut world, romeo), [""; 0]);
    write(&mut world, romeo, JULIET, "i");
    assert_eq!(hears(&mut world, romeo), [format!("presence unavailable {JULIET}")]);
    let again = world.resumes("juliet@capulet.lit", &id, 5);
    assert_eq!(world.resumed(again), Some(Err(Some(0))));
    let juliet = world.bind(JULIET);
    world.says(juliet, "<presence/>");
    assert_eq!(bodies(&mut world, juliet).concat(), "abcdefghi");
}

#[test]
fn a_client_that_never_acknowledges_is_sent_away_and_so_is_one_for_whom_too_many_bytes_wait() {
    let mut world = World::default();
    world.options.limits.resume_queue_max = 1;
    let (romeo, juliet, _) = managed_lovers(&mut world);
    for _ in 0..8 {
        write(&mut world, romeo, JULIET, "x");
    }
    assert_eq!(world.ended(juliet), None);
    write(&mut world, romeo, JULIET, "x");
    assert_eq!(world.ended(juliet).unwrap().condition, StreamCondition::PolicyViolation);

    let mut world = World::default();
    world.options.limits.resume_queue_bytes_max = 2_000;
    let (romeo, juliet, _) = managed_lovers(&mut world);
    world.leaves(juliet);
    write(&mut world, romeo, JULIET, &"x".repeat(2_000));
    assert_eq!(hears(&mut world, romeo), [format!("presence unavailable {JULIET}")]);
}

#[test]
fn a_gap_is_not_acknowledged_and_its_socket_must_say_it_again() {
    let mut world = World::default();
    let (romeo, juliet, id) = managed_lovers(&mut world);
    let message = |number: u32| {
        let xml = format!("<message to='romeo@montague.lit' type='chat'><body>{number}</body></message>");
        Word::Stanza(number, crate::testing::stanza(&xml))
    };
    world.word(juliet, message(1));
    world.word(juliet, message(1));
    world.word(juliet, message(3));
    world.word(juliet, message(4));
    assert_eq!(bodies(&mut world, romeo), ["1"]);
    assert_eq!(world.takes(juliet), [ToSocket::Repeat(2)], "asked once");
    for number in 1..=4 {
        world.word(juliet, message(number));
    }
    assert_eq!(bodies(&mut world, romeo), ["2", "3", "4"]);
    world.word(juliet, Word::AckRequested(9));
    let missing = [ToSocket::Ack(4), ToSocket::Repeat(5)];
    assert_eq!(world.takes(juliet), missing, "what it has said has not come");
    world.word(juliet, Word::AckRequested(9));
    assert_eq!(world.takes(juliet), missing, "the question may have been lost");
    world.leaves(juliet);
    let again = world.resumes("juliet@capulet.lit", &id, 0);
    assert_eq!(resumption(&world, again).heard, 4);
}

#[test]
fn numbers_go_round_in_a_session_too() {
    let mut world = World::default();
    let (romeo, juliet, id) = managed_lovers(&mut world);
    world.leaves(juliet);
    // As if 2^32 - 1 stanzas had gone each way.
    let again = world.resumes("juliet@capulet.lit", &id, u32::MAX);
    assert_eq!(resumption(&world, again).sent, u32::MAX);
    write(&mut world, romeo, JULIET, "one");
    write(&mut world, romeo, JULIET, "two");
    assert_eq!(world.counted(again).unwrap().heard, 1);
    world.acks(again, 0);
    world.leaves(again);
    let third = world.resumes("juliet@capulet.lit", &id, 0);
    assert_eq!(bodies(&mut world, third), ["two"]);
    world.acks(third, 1);
    assert_eq!(world.ended(third), None);
}

#[test]
fn a_lost_node_detaches_its_managed_clients_and_closes_the_others() {
    let mut world = World::default();
    let (romeo, juliet, id) = managed_lovers(&mut world);
    world.enter(PHONE);
    world.hears(romeo);
    world.session_input("juliet@capulet.lit", Input::NodeLost(1));
    assert_eq!(hears(&mut world, romeo), [format!("presence unavailable {PHONE}")]);
    world.leaves(juliet);
    let again = world.resumes("juliet@capulet.lit", &id, 0);
    assert_eq!(resumption(&world, again).jid.as_str(), JULIET);
}

#[test]
fn a_client_may_be_managed_and_not_resume() {
    let mut world = World::default();
    let (romeo, juliet) = lovers(&mut world);
    assert_eq!(world.enables(juliet, false, None), (None, 0));
    write(&mut world, romeo, JULIET, "one");
    world.leaves(juliet);
    assert_eq!(hears(&mut world, romeo), [format!("presence unavailable {JULIET}")]);
    assert!(world.store.has(OFFLINE, "juliet@capulet.lit"), "what it did not acknowledge waits");
    world.takes(romeo);
    world.word(romeo, Word::Enable { resume: true, max: Some(60) });
    world.word(romeo, Word::Enable { resume: true, max: None });
    let told = world.takes(romeo);
    assert!(matches!(
        &told[..],
        [ToSocket::Enabled { max: 60, id: Some(one) }, ToSocket::Enabled { max: 60, id: Some(two) }] if one == two
    ));
    let nobody = world.connect(&"x@montague.lit".parse().unwrap(), None, true);
    assert_eq!(world.enables(nobody, true, None), (None, 0), "who has no account has no other connection");
}

#[test]
fn the_same_resource_bound_anew_ends_the_one_that_waits_and_hears_what_it_did_not() {
    let mut world = World::default();
    let (romeo, juliet, id) = managed_lovers(&mut world);
    world.leaves(juliet);
    write(&mut world, romeo, JULIET, "one");
    let anew = world.bind(JULIET);
    world.says(anew, "<presence/>");
    assert_eq!(bodies(&mut world, anew), ["one"]);
    let late = world.resumes("juliet@capulet.lit", &id, 0);
    assert_eq!(world.resumed(late), Some(Err(None)));
}

#[test]
fn who_waits_makes_room_for_who_comes() {
    let mut world = World::default();
    world.options.limits.resources_max = 2;
    let (_, juliet, _) = managed_lovers(&mut world);
    world.enter(PHONE);
    world.leaves(juliet);
    let chamber = world.bind("juliet@capulet.lit/chamber");
    assert_eq!(world.refused(chamber), None);
    assert_eq!(world.session("juliet@capulet.lit").unwrap().resources.len(), 2);
}

#[test]
fn its_own_answers_and_errors_are_counted_too() {
    let mut world = World::default();
    let (_, juliet, id) = managed_lovers(&mut world);
    world.word(juliet, Word::Answered(1, None));
    let answer = crate::testing::stanza(&format!("<iq type='result' id='s' to='{JULIET}'/>"));
    world.word(juliet, Word::Answered(2, Some(answer)));
    assert_eq!(world.hears(juliet).len(), 1);
    world.leaves(juliet);
    let again = world.resumes("juliet@capulet.lit", &id, 0);
    assert_eq!((resumption(&world, again).heard, world.hears(again).len()), (2, 1));
}

#[test]
fn a_connection_that_was_never_managed_costs_a_pointer() {
    assert_eq!(size_of::<Option<Box<crate::session::Managed>>>(), size_of::<usize>());
    let mut world = World::default();
    lovers(&mut world);
    assert_eq!(world.session("juliet@capulet.lit").unwrap().alarm(), None);
    assert_eq!(
        world.session("juliet@capulet.lit").unwrap().resources[0].socket,
        SocketId { node: 1, number: 1 }
    );
}

#[test]
fn those_who_are_lost_at_once_do_not_end_at_once() {
    let mut world = World::default();
    let all: Vec<String> = (0..10).map(|number| format!("guest{number}@capulet.lit")).collect();
    for account in &all {
        let guest = world.enter(&format!("{account}/hall"));
        world.enables(guest, true, None);
        world.leaves(guest);
    }
    let mut left = |seconds| {
        world.wait(seconds);
        all.iter()
            .filter(|account| world.session(account).is_some_and(|session| !session.resources.is_empty()))
            .count()
    };
    assert_eq!(left(599), 10);
    let halfway = left(31);
    assert!((1..10).contains(&halfway), "{halfway}");
    assert_eq!(left(31), 0);
}
