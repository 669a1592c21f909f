//! The bytes of every frame, compared with those on file. A change here breaks clusters of mixed versions.

use std::fmt::Write;

use super::codec;
use super::frame::Kind;
use super::{Control, Hello, Refusal, Welcome};
use crate::{Incarnation, Member, NodeId, Roles, State, View};

fn hello() -> Hello {
    Hello {
        version_min: 1,
        version_max: 3,
        cluster: "muster".into(),
        node: NodeId::new("node-1").unwrap(),
        incarnation: Incarnation(1_700_000_000_000_001),
        expects: Incarnation(1_700_000_000_000_002),
        received: 300,
        epoch: 12,
    }
}

fn view() -> View {
    let member = Member {
        node: NodeId::new("node-1").unwrap(),
        incarnation: Incarnation(7),
        zone: "a".into(),
        weight: 100,
        roles: Roles::EDGE | Roles::ROOMS,
        state: State::Up,
        voter: true,
        link: Some("127.0.0.1:5269".parse().unwrap()),
    };
    View { epoch: 2, members: vec![member], trail: vec![] }
}

fn all() -> Vec<(&'static str, Vec<u8>)> {
    let control = |c: Control| codec::control(&c).unwrap();
    let suspect = Incarnation(9);
    let mut message = Vec::new();
    codec::put(&mut message, Kind::Message, &(1u64, "text", vec![1u8, 2, 3]), 100).unwrap();
    vec![
        ("hello", control(Control::Hello(hello()))),
        ("welcome", control(Control::Welcome(Welcome { version: 1, received: 4, epoch: 5 }))),
        ("refuse-version", control(Control::Refuse(Refusal::Version))),
        ("refuse-cluster", control(Control::Refuse(Refusal::Cluster))),
        ("refuse-name", control(Control::Refuse(Refusal::Name))),
        ("refuse-incarnation", control(Control::Refuse(Refusal::Incarnation))),
        ("refuse-stranger", control(Control::Refuse(Refusal::Stranger))),
        ("refuse-turn", control(Control::Refuse(Refusal::Turn))),
        ("ping", control(Control::Ping { sent: 1_000_000, received: 251 })),
        ("pong", control(Control::Pong { sent: 1_000_000, received: 250 })),
        ("ack", control(Control::Ack { received: 70_000 })),
        ("view-frame", control(Control::View { bytes: b"{}".to_vec() })),
        ("ask", control(Control::Ask { epoch: 3, suspect })),
        ("vote", control(Control::Vote { epoch: 3, suspect, agree: true })),
        ("known", control(Control::Known { epoch: 70_000 })),
        ("lane", control(Control::Lane { key: 70_000 })),
        ("message", message),
        ("view", view().to_bytes()),
        (
            "view-with-trail",
            view().with_state(Incarnation(7), State::Down).expect("it is a member").to_bytes(),
        ),
    ]
}

#[test]
fn the_bytes_of_every_frame_are_those_on_file() {
    let mut now = String::new();
    for (name, bytes) in all() {
        let hex = bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        writeln!(now, "{name} {hex}").unwrap();
    }
    assert_eq!(now, include_str!("golden/frames.txt"));
}
