use super::*;
use crate::testing::{Client, World, options, stanza};

const ON: &str = "<iq id='c' type='set'><enable xmlns='urn:xmpp:carbons:2'/></iq>";
const OFF: &str = "<iq id='c' type='set'><disable xmlns='urn:xmpp:carbons:2'/></iq>";

/// Juliet on her balcony and, wanting copies, on her phone; and Romeo.
struct Scene {
    world: World,
    balcony: Client,
    phone: Client,
    romeo: Client,
}

impl Scene {
    fn new() -> Self {
        let mut world = World::default();
        let balcony = world.enter("juliet@capulet.lit/balcony");
        let phone = world.bind("juliet@capulet.lit/phone");
        world.says(phone, "<presence><priority>-1</priority></presence>");
        let romeo = world.enter("romeo@montague.lit/orchard");
        world.hears(phone);
        world.says(phone, ON);
        assert!(world.hears_xml(phone)[0].contains("type='result'"));
        world.hears(balcony);
        Self { world, balcony, phone, romeo }
    }
}

#[test]
fn what_one_device_gets_the_other_sees() {
    let Scene { mut world, balcony, phone, romeo } = Scene::new();
    world.says(
        romeo,
        "<message id='m' to='juliet@capulet.lit/balcony' type='chat'><body>Hist!</body></message>",
    );
    assert_eq!(world.hears(balcony).len(), 1);
    let message = "<message xmlns='jabber:client' to='juliet@capulet.lit/balcony' from='romeo@montague.lit/orchard' \
                   id='m' type='chat'><body>Hist!</body></message>";
    let copy = format!(
        "<message to='juliet@capulet.lit/phone' from='juliet@capulet.lit' type='chat'>\
         <received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>{message}</forwarded></received></message>"
    );
    assert_eq!(world.hears_xml(phone), [copy]);
    assert!(world.hears(romeo).is_empty());
}

#[test]
fn what_one_device_says_the_other_sees() {
    let Scene { mut world, balcony, phone, romeo } = Scene::new();
    world.says(balcony, "<message to='romeo@montague.lit' type='chat'><body>Ay me!</body></message>");
    let [copy] = &world.hears_xml(phone)[..] else { panic!("one copy") };
    assert!(
        copy.contains("<sent xmlns='urn:xmpp:carbons:2'>")
            && copy.contains("from='juliet@capulet.lit/balcony'")
    );
    assert!(world.hears(balcony).is_empty());
    assert_eq!(world.hears(romeo).len(), 1);
}

#[test]
fn the_sender_gets_no_copy_of_its_own() {
    let Scene { mut world, balcony, phone, .. } = Scene::new();
    world.says(phone, "<message to='romeo@montague.lit' type='chat'><body>Ay me!</body></message>");
    assert!(world.hears(phone).is_empty());
    assert!(world.hears(balcony).is_empty(), "who did not ask for copies gets none");
}

#[test]
fn a_message_to_oneself_comes_once_to_each_device() {
    let Scene { mut world, balcony, phone, .. } = Scene::new();
    world.says(balcony, "<message to='juliet@capulet.lit/balcony' type='chat'><body>Note</body></message>");
    assert_eq!(world.hears(balcony).len(), 1);
    let [copy] = &world.hears_xml(phone)[..] else { panic!("one copy") };
    assert!(copy.contains("<sent "), "{copy}");
    world.says(balcony, "<message to='juliet@capulet.lit/phone' type='chat'><body>Note</body></message>");
    let [message] = &world.hears_xml(phone)[..] else { panic!("the message alone") };
    assert!(!message.contains("<sent "), "{message}");
}

#[test]
fn copies_can_be_switched_on_and_off_again_and_again() {
    let Scene { mut world, phone, romeo, .. } = Scene::new();
    for iq in [ON, OFF, OFF] {
        world.says(phone, iq);
        assert!(world.hears_xml(phone)[0].contains("type='result'"));
    }
    world.says(romeo, "<message to='juliet@capulet.lit/balcony' type='chat'><body>Hist!</body></message>");
    assert!(world.hears(phone).is_empty());
}

#[test]
fn nobody_switches_the_copies_of_another() {
    let Scene { mut world, romeo, .. } = Scene::new();
    world.says(romeo, &ON.replace("<iq", "<iq to='juliet@capulet.lit'"));
    assert!(world.hears_xml(romeo)[0].contains("<not-allowed"));
}

#[test]
fn a_message_that_was_refused_is_not_copied() {
    let Scene { mut world, phone, romeo, .. } = Scene::new();
    world.says(romeo, "<message to='juliet@capulet.lit/gone'><body>Hist!</body></message>");
    assert!(world.hears_xml(romeo)[0].contains("<service-unavailable"));
    assert!(world.hears(phone).is_empty());
    world.says(romeo, "<message to='juliet@capulet.lit/gone' type='chat'><body>Hist!</body></message>");
    assert_eq!(world.hears(phone).len(), 1, "a chat message goes to the account instead");
}

#[test]
fn the_rules_say_what_is_copied() {
    let options = options();
    let (sent, received) = (true, true);
    for (message, expected) in [
        ("<message type='chat'><body/></message>", (sent, received)),
        (
            "<message type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
            (sent, received),
        ),
        ("<message><body/></message>", (sent, received)),
        ("<message><subject/></message>", (false, false)),
        ("<message><received xmlns='urn:xmpp:receipts' id='1'/></message>", (sent, received)),
        ("<message><displayed xmlns='urn:xmpp:chat-markers:0' id='1'/></message>", (sent, received)),
        ("<message><x xmlns='jabber:x:conference' jid='r@c'/></message>", (sent, received)),
        ("<message type='headline'><body/></message>", (false, false)),
        ("<message type='groupchat'><body/></message>", (false, false)),
        ("<message type='error'><body/><error type='cancel'/></message>", (sent, received)),
        ("<message type='error'><error type='cancel'/></message>", (false, false)),
        ("<message type='chat'><body/><private xmlns='urn:xmpp:carbons:2'/></message>", (false, false)),
        ("<message type='chat'><body/><no-copy xmlns='urn:xmpp:hints'/></message>", (false, false)),
        ("<message type='chat'><received xmlns='urn:xmpp:carbons:2'/></message>", (false, false)),
        // A private message in a room, here or elsewhere.
        (
            "<message type='chat' from='r@other/n'><body/><x xmlns='http://jabber.org/protocol/muc#user'/></message>",
            (sent, false),
        ),
        ("<message type='chat' from='r@conference.capulet.lit/n'><body/></message>", (sent, false)),
        // An invitation that the room passes on.
        (
            "<message from='r@other'><x xmlns='http://jabber.org/protocol/muc#user'><invite/></x></message>",
            (sent, received),
        ),
    ] {
        let stanza = stanza(message);
        let is = (is_eligible(&stanza, Side::Sent, &options), is_eligible(&stanza, Side::Received, &options));
        assert_eq!(is, expected, "{message}");
    }
}
