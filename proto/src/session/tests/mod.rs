//! Scenes: accounts talk in a tiny world, which also checks that the changes alone lead to the same state.

mod binding;
mod managed;
mod messages;
mod offline;
mod presence;
mod removal;
mod roster;
mod safe;
mod subscriptions;

use crate::stanza::{Condition, Kind, Stanza};
use crate::testing::{Client, World};

const ROMEO: &str = "romeo@montague.lit/orchard";
const JULIET: &str = "juliet@capulet.lit/balcony";

/// Romeo and Juliet, each subscribed to the other, both present.
fn lovers(world: &mut World) -> (Client, Client) {
    let (romeo, juliet) = (world.enter(ROMEO), world.enter(JULIET));
    befriend(world, romeo, "juliet@capulet.lit", juliet, "romeo@montague.lit");
    (romeo, juliet)
}

/// Makes a subscription both ways, and forgets what was heard of it.
fn befriend(world: &mut World, one: Client, to_other: &str, other: Client, to_one: &str) {
    world.says(one, &format!("<presence type='subscribe' to='{to_other}'/>"));
    world.says(other, &format!("<presence type='subscribed' to='{to_one}'/>"));
    world.says(other, &format!("<presence type='subscribe' to='{to_one}'/>"));
    world.says(one, &format!("<presence type='subscribed' to='{to_other}'/>"));
    world.hears(one);
    world.hears(other);
}

/// What was heard, in short: `presence unavailable from`, `message chat from: body`, `iq result from`.
fn short(heard: Vec<Stanza>) -> Vec<String> {
    let line = |stanza: Stanza| {
        let kind = stanza.kind.type_name().map(|kind| format!(" {kind}")).unwrap_or_default();
        let from = stanza.from.as_ref().map(|from| format!(" {from}")).unwrap_or_default();
        let body = stanza.child_text("body").map(|body| format!(": {body}")).unwrap_or_default();
        let body = if stanza.is_answer() { String::new() } else { body };
        format!("{}{kind}{from}{body}", stanza.kind.name())
    };
    heard.into_iter().map(line).collect()
}

/// What the client has heard, in short.
fn hears(world: &mut World, client: Client) -> Vec<String> {
    short(world.hears(client))
}

/// The condition of an error.
fn condition(stanza: &Stanza) -> Condition {
    assert_eq!(stanza.kind.type_name(), Some("error"), "{stanza:?}");
    let error = stanza.child("error", crate::ns::CLIENT).expect("an error has an <error/>");
    let name = error.children().next().expect("it has a condition").name().to_owned();
    Condition::parse(&name).expect("it is one of the RFC's")
}

/// The only stanza heard, an error, as its condition.
fn refusal(world: &mut World, client: Client) -> Condition {
    let heard = world.hears(client);
    let [error] = heard.as_slice() else { panic!("one error: {heard:?}") };
    condition(error)
}

fn is_iq(stanza: &Stanza) -> bool {
    matches!(stanza.kind, Kind::Iq(_))
}
