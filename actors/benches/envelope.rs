//! What a stanza costs on its way over a link: into a frame, and out of it.

#![allow(clippy::unwrap_used)] // nobody depends on it
#![allow(missing_docs)] // what criterion's macros make

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use muster_cluster::bench;
use muster_proto::Stanza;

fn envelope(c: &mut Criterion) {
    let body = "x".repeat(160);
    let text = format!(
        "<message xmlns='jabber:client' from='romeo@montague.lit/orchard' to='juliet@capulet.lit/balcony' type='chat' \
         id='m1'><body>{body}</body></message>"
    );
    let stanza = Stanza::parse(text.as_bytes()).unwrap();
    let mut frame = Vec::with_capacity(1024);
    c.bench_function("envelope: into a frame", |b| {
        b.iter(|| {
            frame.clear();
            bench::put(black_box(&stanza), &mut frame)
        });
    });
    frame.clear();
    bench::put(&stanza, &mut frame);
    let begin =
        (0..frame.len()).find(|at| bench::take::<Stanza>(&frame[*at..]).as_ref() == Some(&stanza)).unwrap();
    c.bench_function("envelope: out of a frame", |b| {
        b.iter(|| bench::take::<Stanza>(black_box(&frame[begin..])));
    });
}

criterion_group!(benches, envelope);
criterion_main!(benches);
