//! What each message asks of the ring and of its slot's log, and what each change of the view asks of a node.

#![allow(clippy::unwrap_used)] // nobody depends on it
#![allow(missing_docs)] // what criterion's macros make

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use muster_cluster::{Incarnation, Member, NodeId, Role, Roles, Slot, SlotLog, State, Table, View};

fn view(nodes: u64) -> View {
    let member = |n: u64| Member {
        node: NodeId::new(&format!("node-{n}")).unwrap(),
        incarnation: Incarnation(n + 1),
        zone: "default".into(),
        weight: 100,
        roles: Roles::all(),
        state: State::Up,
        voter: true,
        link: None,
    };
    (0..nodes).fold(View::default(), |view, n| view.with(member(n)))
}

fn look_up(c: &mut Criterion) {
    let table = Table::new(view(5));
    c.bench_function("ring: from an address to its owner", |b| {
        b.iter(|| {
            table.owner(Role::Sessions, Slot::of(black_box(b"juliet@capulet.lit"))).map(|m| m.incarnation)
        });
    });
    for nodes in [3, 54] {
        let view = view(nodes);
        c.bench_function(&format!("ring: all owners of a view of {nodes}"), |b| {
            b.iter(|| Table::new(black_box(view.clone())));
        });
    }
}

fn append(c: &mut Criterion) {
    let mut log = SlotLog::new(1);
    log.append(1);
    log.add_backup(log.appended());
    c.bench_function("slot: append, and hear from the backup", |b| {
        b.iter(|| {
            let lsn = log.append(black_box(1));
            log.backed(lsn)
        });
    });
}

criterion_group!(benches, look_up, append);
criterion_main!(benches);
