//! Messages and requests to bare and full addresses, by RFC 6121 §8.5.

use super::*;
use crate::session::Resource;
use crate::session::delivery::{Fate, fate};
use crate::stanza::{IqType, MessageType, PresenceType};

fn resource(sid: u64, name: &str, priority: Option<i8>) -> Resource {
    Resource {
        sid,
        jid: format!("juliet@capulet.lit/{name}").parse().unwrap(),
        socket: crate::machine::SocketId { node: 1, number: sid },
        presence: priority.map(|_| Stanza::presence(PresenceType::Available)),
        priority: priority.unwrap_or(0),
        interested: false,
        carbons: false,
        directed: vec![],
        managed: None,
    }
}

fn message(kind: MessageType) -> Kind {
    Kind::Message(kind)
}

use MessageType::{Chat, Error, Groupchat, Headline, Normal};
const REFUSE: Fate = Fate::Refuse(Condition::ServiceUnavailable);

#[test]
fn without_an_account_messages_and_requests_are_refused() {
    for to in [None, Some("balcony")] {
        for kind in [Normal, Chat, Groupchat] {
            assert_eq!(fate(message(kind), false, to, &[]), REFUSE);
        }
        assert_eq!(fate(message(Error), false, to, &[]), Fate::Drop);
        // Features answer for the account, and say the same whether it exists or not.
        let request = if to.is_none() { Fate::Server } else { REFUSE };
        assert_eq!(fate(Kind::Iq(IqType::Get), false, to, &[]), request);
        assert_eq!(fate(Kind::Iq(IqType::Result), false, to, &[]), Fate::Drop);
        assert_eq!(fate(Kind::Presence(PresenceType::Subscribe), false, to, &[]), Fate::Drop);
        assert_eq!(fate(Kind::Presence(PresenceType::Available), false, to, &[]), Fate::Drop);
    }
}

#[test]
fn messages_to_the_account_follow_8_5_2() {
    let high = || resource(1, "balcony", Some(5));
    let low = || resource(2, "phone", Some(0));
    let negative = || resource(3, "bot", Some(-1));
    let silent = || resource(4, "silent", None);
    let nobody: [Vec<Resource>; 3] = [vec![], vec![silent()], vec![negative(), silent()]];
    for resources in nobody {
        let table = [
            (Normal, Fate::Keep),
            (Chat, Fate::Keep),
            (Groupchat, REFUSE),
            (Headline, Fate::Drop),
            (Error, Fate::Drop),
        ];
        for (kind, expected) in table {
            assert_eq!(fate(message(kind), true, None, &resources), expected, "{kind:?} with {resources:?}");
        }
    }
    let all = [high(), low(), negative(), silent()];
    let both = Fate::Deliver(vec![1, 2]);
    let table = [
        (Normal, both.clone()),
        (Chat, both.clone()),
        (Groupchat, REFUSE),
        (Headline, both),
        (Error, Fate::Drop),
    ];
    for (kind, expected) in table {
        assert_eq!(fate(message(kind), true, None, &all), expected, "{kind:?}");
    }
}

#[test]
fn messages_to_a_resource_follow_8_5_3() {
    let all = [resource(1, "balcony", Some(5)), resource(3, "bot", Some(-1)), resource(4, "silent", None)];
    for kind in [Normal, Chat, Groupchat, Headline, Error] {
        assert_eq!(fate(message(kind), true, Some("bot"), &all), Fate::Deliver(vec![3]), "{kind:?}");
        assert_eq!(fate(message(kind), true, Some("silent"), &all), Fate::Deliver(vec![4]), "{kind:?}");
    }
    let table = [
        (Normal, REFUSE),
        (Chat, Fate::Deliver(vec![1])),
        (Groupchat, REFUSE),
        (Headline, Fate::Drop),
        (Error, Fate::Drop),
    ];
    for (kind, expected) in table {
        assert_eq!(fate(message(kind), true, Some("gone"), &all), expected, "{kind:?}");
    }
    assert_eq!(fate(message(Chat), true, Some("gone"), &[]), Fate::Keep);
}

#[test]
fn requests_and_presence_to_a_resource_that_is_not_there_follow_8_5_3_2() {
    let all = [resource(1, "balcony", Some(5))];
    assert_eq!(fate(Kind::Iq(IqType::Get), true, Some("gone"), &all), REFUSE);
    assert_eq!(fate(Kind::Iq(IqType::Set), true, Some("gone"), &all), REFUSE);
    assert_eq!(fate(Kind::Iq(IqType::Error), true, Some("gone"), &all), Fate::Drop);
    assert_eq!(fate(Kind::Presence(PresenceType::Available), true, Some("gone"), &all), Fate::Drop);
    assert_eq!(fate(Kind::Presence(PresenceType::Probe), true, Some("gone"), &all), Fate::Server);
    assert_eq!(fate(Kind::Presence(PresenceType::Subscribe), true, Some("balcony"), &all), Fate::Server);
}

#[test]
fn a_message_says_which_client_sent_it_whatever_the_client_says() {
    let mut world = World::default();
    let (romeo, juliet) = (world.enter(ROMEO), world.enter(JULIET));
    world.says(
        romeo,
        "<message from='tybalt@capulet.lit' to='juliet@capulet.lit' type='chat'><body>Hist!</body></message>",
    );
    assert_eq!(hears(&mut world, juliet), [format!("message chat {ROMEO}: Hist!")]);
}

#[test]
fn a_message_to_the_account_reaches_every_client_that_wants_messages() {
    let mut world = World::default();
    let romeo = world.enter(ROMEO);
    let (balcony, phone, bot) =
        (world.enter(JULIET), world.enter("juliet@capulet.lit/phone"), world.bind("juliet@capulet.lit/bot"));
    world.says(bot, "<presence><priority>-5</priority></presence>");
    for client in [balcony, phone, bot] {
        world.hears(client);
    }
    world.says(romeo, "<message to='juliet@capulet.lit'><body>Hist!</body></message>");
    for client in [balcony, phone] {
        assert_eq!(hears(&mut world, client), [format!("message {ROMEO}: Hist!")]);
    }
    assert_eq!(hears(&mut world, bot), [""; 0]);
    world.says(romeo, "<message to='juliet@capulet.lit/bot'><body>You!</body></message>");
    assert_eq!(hears(&mut world, bot), [format!("message {ROMEO}: You!")]);
    assert_eq!(hears(&mut world, balcony), [""; 0]);
}

#[test]
fn a_message_to_nobody_goes_to_ones_own_account() {
    let mut world = World::default();
    let romeo = world.enter(ROMEO);
    world.says(romeo, "<message><body>Note</body></message>");
    assert_eq!(hears(&mut world, romeo), [format!("message {ROMEO}: Note")]);
}

#[test]
fn who_writes_to_no_account_is_told() {
    let mut world = World::default();
    let romeo = world.enter(ROMEO);
    world.says(romeo, "<message to='nobody@capulet.lit' type='chat'><body>Hm</body></message>");
    assert_eq!(refusal(&mut world, romeo), Condition::ServiceUnavailable);
    world.says(romeo, "<iq to='nobody@capulet.lit' type='get' id='1'><q xmlns='urn:x'/></iq>");
    assert_eq!(refusal(&mut world, romeo), Condition::ServiceUnavailable);
    world.says(romeo, "<message to='montague.lit' type='chat'><body>Hm</body></message>");
    assert_eq!(refusal(&mut world, romeo), Condition::ServiceUnavailable);
}

#[test]
fn requests_go_between_clients_and_so_do_their_answers() {
    let mut world = World::default();
    let (romeo, juliet) = (world.enter(ROMEO), world.enter(JULIET));
    world.says(romeo, &format!("<iq to='{JULIET}' type='get' id='1'><q xmlns='urn:x'/></iq>"));
    assert_eq!(hears(&mut world, juliet), [format!("iq get {ROMEO}")]);
    world.says(juliet, &format!("<iq to='{ROMEO}' type='result' id='1'/>"));
    assert_eq!(hears(&mut world, romeo), [format!("iq result {JULIET}")]);
}

#[test]
fn a_request_that_nobody_answers_is_refused_and_a_bad_one_too() {
    let mut world = World::default();
    let romeo = world.enter(ROMEO);
    world.says(romeo, "<iq to='juliet@capulet.lit/x' type='get'><q xmlns='urn:x'/></iq>");
    assert_eq!(refusal(&mut world, romeo), Condition::BadRequest);
    for to in ["", "to='montague.lit'", "to='romeo@montague.lit'", "to='conference.montague.lit'"] {
        world.says(romeo, &format!("<iq {to} type='get' id='1'><q xmlns='urn:x'/></iq>"));
        assert_eq!(refusal(&mut world, romeo), Condition::ServiceUnavailable, "{to}");
        world.says(romeo, &format!("<iq {to} type='set' id='1'/>"));
        assert_eq!(refusal(&mut world, romeo), Condition::BadRequest, "{to}");
        world.says(romeo, &format!("<iq {to} type='get' id='1'><q xmlns='urn:x'/><q xmlns='urn:x'/></iq>"));
        assert_eq!(refusal(&mut world, romeo), Condition::BadRequest, "{to}");
        world.says(romeo, &format!("<iq {to} type='result' id='1'/>"));
        world.says(romeo, &format!("<iq {to} type='error' id='1'><error type='cancel'/></iq>"));
        assert_eq!(hears(&mut world, romeo), [""; 0]);
    }
}

#[test]
fn what_is_for_other_domains_leaves_with_its_sender() {
    let mut world = World::default();
    let romeo = world.enter(ROMEO);
    world.says(romeo, "<message to='hamlet@denmark.lit'><body>Well met</body></message>");
    let heard = std::mem::take(&mut world.outside);
    assert_eq!(short(heard), [format!("message {ROMEO}: Well met")]);
}
