//! How a cluster comes to be, speaks, and how its members leave.

use std::time::Duration;

use muster_cluster::{Cluster, Config, Fate, MemoryRegister, NodeId, Role, SendError, Slot, State};

use crate::stage::{Basket, PATIENCE, Stage};

#[tokio::test]
async fn a_node_alone_is_up_at_once_without_any_listener() {
    let register = std::sync::Arc::<MemoryRegister>::default();
    let config = Config::alone(NodeId::new("only").unwrap());
    let inbox = std::sync::Arc::<Basket>::default();
    let cluster = Cluster::<u64>::start(config, register, inbox, Vec::new()).await.unwrap();
    cluster.join().await.unwrap();
    assert_eq!(cluster.addresses(), None);
    assert_eq!(cluster.table().owner(Role::Rooms, Slot(5)).unwrap().node, *cluster.me());
    assert!(cluster.table().backup(Role::Rooms, Slot(5)).is_none());
    assert!(cluster.is_ready());
    cluster.leave().await.unwrap();
    assert_eq!(*cluster.fate().borrow(), Fate::Stopped);
}

#[tokio::test]
async fn three_nodes_form_one_cluster_and_agree_who_owns_what() {
    let stage = Stage::new();
    let [a, b, c] = stage.form(["a", "b", "c"]).await;
    let epoch = [&a, &b, &c].iter().map(|n| n.cluster.table().epoch()).max().unwrap();
    for node in [&a, &b, &c] {
        node.until("the last epoch", |t| t.epoch() >= epoch).await;
    }
    for slot in Slot::all().step_by(97) {
        let owners = [&a, &b, &c]
            .map(|n| n.cluster.table().owner(Role::Sessions, slot).map(|m| m.node.clone()).unwrap());
        assert!(owners[0] == owners[1] && owners[1] == owners[2]);
    }
}

#[tokio::test]
async fn messages_arrive_once_and_in_order_from_many_senders() {
    let stage = Stage::new();
    let [a, b] = stage.form(["a", "b"]).await;
    for n in 0..20_000 {
        a.send(&b, n).await;
        if n % 10 == 0 {
            b.send(&a, n).await;
        }
    }
    assert_eq!(b.basket.of(20_000).await, (0..20_000).collect::<Vec<_>>());
    assert_eq!(a.basket.of(2_000).await, (0..20_000).step_by(10).collect::<Vec<_>>());
    let me = a.cluster.incarnation();
    assert!(matches!(a.cluster.send(me, 1), Err(SendError::Unreachable(1))));
}

#[tokio::test]
async fn a_draining_node_owns_nothing_and_then_leaves_in_order() {
    let stage = Stage::new();
    let [a, b] = stage.form(["a", "b"]).await;
    b.cluster.drain().await.unwrap();
    a.sees("b", State::Draining).await;
    let table = a.cluster.table();
    assert!(Slot::all().all(|s| table.owner(Role::Sessions, s).unwrap().node == *a.cluster.me()));
    b.send(&a, 42).await;
    b.cluster.leave().await.unwrap();
    a.sees("b", State::Down).await;
    assert_eq!(a.basket.of(1).await, [42]);
    assert!(a.cluster.is_ready());

    a.cluster.forget(b.cluster.me()).await.unwrap();
    assert!(a.cluster.table().member(b.cluster.me()).is_none());
    assert!(a.cluster.forget(a.cluster.me()).await.is_err());
}

#[tokio::test]
async fn a_cluster_that_was_stopped_in_order_starts_again_node_by_node() {
    let stage = Stage::new();
    let [a, b] = stage.form(["a", "b"]).await;
    a.cluster.leave().await.unwrap();
    b.sees("a", State::Down).await;
    b.cluster.leave().await.unwrap();
    let again = stage.start("b").await;
    again.join().await;
    assert_eq!(again.cluster.table().member(a.cluster.me()).unwrap().state, State::Down);
}

#[tokio::test]
async fn gossip_tells_what_each_node_carries() {
    let stage = Stage::new();
    let [a, b] = stage.form(["a", "b"]).await;
    b.cluster.report_load(muster_cluster::Load { connections: 17, ..Default::default() });
    let told = async {
        loop {
            let status = a.cluster.status();
            let of_b = status.members.iter().find(|m| m.member.node == *b.cluster.me()).unwrap();
            if of_b.gossip.as_ref().is_some_and(|g| g.alive && g.load.connections == 17) && of_b.rtt.is_some()
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, told).await.unwrap();
}
