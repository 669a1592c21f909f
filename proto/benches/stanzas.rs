//! What each message costs before and after the network: parse, splice, write, and the decision who hears it.

#![allow(clippy::unwrap_used)] // nobody depends on it
#![allow(missing_docs)] // what criterion's macros make

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use muster_proto::Jid;
use muster_proto::machine::SocketId;
use muster_proto::options::Limits;
use muster_proto::session::Resource;
use muster_proto::session::delivery::fate;
use muster_proto::stanza::{Kind, MessageType, Stanza};
use muster_proto::xml::reader::{Event, Reader};

const HEADER: &str = "<stream:stream to='capulet.lit' version='1.0' xmlns='jabber:client' \
                      xmlns:stream='http://etherx.jabber.org/streams'>";

/// A chat message of 260 bytes.
fn message() -> String {
    let (head, tail) =
        ("<message to='juliet@capulet.lit/balcony' type='chat' id='m1'><body>", "</body></message>");
    format!("{head}{}{tail}", "x".repeat(260 - head.len() - tail.len()))
}

fn open() -> Reader {
    let mut reader = Reader::new(&Limits::default());
    reader.read(&mut HEADER.as_bytes()).unwrap();
    reader
}

fn read(reader: &mut Reader, mut bytes: &[u8]) -> Stanza {
    match reader.read(&mut bytes).unwrap() {
        Some(Event::Stanza(stanza)) => stanza,
        other => panic!("{other:?}"),
    }
}

fn parse(c: &mut Criterion) {
    let (mut reader, message) = (open(), message());
    let mut group = c.benchmark_group("parse");
    group.throughput(Throughput::Bytes(message.len() as u64));
    group.bench_function("message of 260 bytes", |b| {
        b.iter(|| read(&mut reader, black_box(message.as_bytes())))
    });
    let presence = "<presence><show>away</show><status>asleep</status></presence>";
    group.throughput(Throughput::Bytes(presence.len() as u64));
    group.bench_function("presence", |b| b.iter(|| read(&mut reader, black_box(presence.as_bytes()))));
    group.finish();
}

fn write(c: &mut Criterion) {
    let stanza = read(&mut open(), message().as_bytes());
    let from = Jid::new("romeo@montague.lit/orchard").unwrap();
    let mut out = Vec::with_capacity(1024);
    c.bench_function("splice: stamp the sender and keep the bytes", |b| {
        b.iter(|| black_box(stanza.clone()).with_from(from.clone()));
    });
    let stamped = stanza.with_from(from);
    c.bench_function("write: a new head and the same bytes", |b| {
        b.iter(|| {
            out.clear();
            stamped.write_to(None, black_box(&mut out));
        });
    });
}

fn decide(c: &mut Criterion) {
    let resource = |n: u64| Resource {
        sid: n,
        jid: format!("juliet@capulet.lit/{n}").parse().unwrap(),
        socket: SocketId { node: 1, number: n },
        presence: Some(Stanza::presence(muster_proto::stanza::PresenceType::Available)),
        priority: 0,
        interested: true,
        carbons: false,
        directed: vec![],
        managed: None,
    };
    let resources: Vec<Resource> = (0..3).map(resource).collect();
    let kind = Kind::Message(MessageType::Chat);
    c.bench_function("decide: a message to one of three resources", |b| {
        b.iter(|| fate(kind, true, black_box(Some("2")), &resources));
    });
    c.bench_function("decide: a message to an account with three", |b| {
        b.iter(|| fate(kind, true, black_box(None), &resources));
    });
}

criterion_group!(benches, parse, write, decide);
criterion_main!(benches);
