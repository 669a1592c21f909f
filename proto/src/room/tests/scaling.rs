//! What a large room costs: one effect per message, whatever the number of occupants.

use super::*;
use crate::feature::Features;
use crate::machine::{Effect, Env, Machine, Out, Timestamp};
use crate::room::{Input, Room};
use crate::stanza::Trace;

const CROWD: usize = 500;

/// A step of a room outside the world.
fn step(room: &mut Room, xml: &str) -> Out<Room> {
    take(room, crate::testing::stanza(xml))
}

fn take(room: &mut Room, stanza: Stanza) -> Out<Room> {
    let options = crate::testing::options();
    let features = Features::new(vec![]);
    let env = Env { now: Timestamp(1_700_000_000_000), random: 7, options: &options, features: &features };
    let mut out = Out::default();
    room.handle(Input::Stanza(stanza), &env, &mut out);
    out
}

fn crowd() -> Room {
    let mut room = Room::new(ROOM.parse().unwrap(), vec![]);
    for number in 0..CROWD {
        step(&mut room, &join(&format!("u{number}"), &format!("n{number}")));
        if number == 0 {
            let unlock = "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query>";
            step(
                &mut room,
                &format!("<iq type='set' id='u' from='u0@shakespeare.lit/r' to='{ROOM}'>{unlock}</iq>"),
            );
        }
    }
    room
}

fn join(user: &str, nick: &str) -> String {
    format!(
        "<presence from='{user}@shakespeare.lit/r' to='{ROOM}/{nick}'><x xmlns='{}'/></presence>",
        ns::MUC
    )
}

#[test]
fn a_message_is_one_payload_to_many_receivers() {
    let mut room = crowd();
    let out = step(
        &mut room,
        &format!(
            "<message type='groupchat' from='u7@shakespeare.lit/r' to='{ROOM}'><body>hi</body></message>"
        ),
    );
    let [Effect::Fanout { stanza, to }] = out.effects.as_slice() else {
        panic!("{} effects", out.effects.len())
    };
    assert_eq!((brief(stanza).as_str(), to.len()), ("n7: hi", CROWD));
    assert_eq!(out.changes.len(), 1);
}

#[test]
fn entering_costs_one_presence_for_each_who_is_there() {
    let mut room = crowd();
    let out = step(&mut room, &join("late", "late"));
    // Each occupant's presence; the newcomer's to the moderator, to the others, and to itself; the subject.
    assert_eq!(out.effects.len(), CROWD + 4);
}

#[test]
fn a_snapshot_and_the_changes_after_it_make_the_same_room() {
    let mut room = crowd();
    let mut copy: Room = serde_json::from_slice(&serde_json::to_vec(&room).unwrap()).unwrap();
    for xml in [
        format!(
            "<message type='groupchat' from='u0@shakespeare.lit/r' to='{ROOM}'><subject>Fire</subject></message>"
        ),
        format!(
            "<message type='groupchat' from='u7@shakespeare.lit/r' to='{ROOM}'><body>hi</body></message>"
        ),
        format!("<presence from='u7@shakespeare.lit/r' to='{ROOM}/other'/>"),
        format!("<presence from='u8@shakespeare.lit/r' to='{ROOM}/n8' type='unavailable'/>"),
        format!(
            "<iq type='set' id='k' from='u0@shakespeare.lit/r' to='{ROOM}'><query xmlns='{}'><item nick='n9' role='none'/></query></iq>",
            ns::MUC_ADMIN
        ),
    ] {
        for change in step(&mut room, &xml).changes {
            copy.apply(change);
        }
    }
    assert_eq!(serde_json::to_value(&copy).unwrap(), serde_json::to_value(&room).unwrap());
    assert_eq!(
        step(
            &mut copy,
            &format!(
                "<message type='groupchat' from='u9@shakespeare.lit/r' to='{ROOM}'><body>hi</body></message>"
            )
        )
        .changes,
        []
    );
}

#[test]
fn what_a_stanza_leads_to_carries_its_number() {
    let mut room = crowd();
    let mut stanza =
        crate::testing::stanza(&format!("<presence from='late@shakespeare.lit/r' to='{ROOM}/late'/>"));
    stanza.trace = Trace(42);
    for effect in take(&mut room, stanza).effects {
        let (Effect::Route(stanza) | Effect::Fanout { stanza, .. }) = effect else {
            panic!("another effect")
        };
        assert_eq!(stanza.trace.0, 42);
    }
}
