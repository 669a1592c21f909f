//! What the cluster does when nodes die, links break, and the store goes away.

use std::time::Duration;

use muster_cluster::{Fate, Incarnation, Role, Slot, State, ViewRegister};
use tokio::time::timeout;

use crate::stage::{PATIENCE, Stage};

#[tokio::test]
async fn a_node_that_dies_is_noticed_and_exactly_its_slots_go_to_their_backups() {
    let stage = Stage::new();
    let [a, b, c] = stage.form(["a", "b", "c"]).await;
    let before = a.cluster.table();
    b.cluster.stop();
    a.sees("b", State::Down).await;
    c.sees("b", State::Down).await;
    let after = a.cluster.table();
    for slot in Slot::all() {
        let was = before.owner(Role::Sessions, slot).unwrap();
        let expected =
            if was.node == *b.cluster.me() { before.backup(Role::Sessions, slot).unwrap() } else { was };
        assert_eq!(after.owner(Role::Sessions, slot).unwrap().node, expected.node);
    }
    assert!(a.cluster.send(b.cluster.incarnation(), 1).is_err());
}

#[tokio::test]
async fn of_two_nodes_the_survivor_goes_on_alone() {
    let stage = Stage::new();
    let [a, b] = stage.form(["a", "b"]).await;
    a.cluster.stop();
    b.sees("a", State::Down).await;
    assert!(b.cluster.is_ready());
}

#[tokio::test]
async fn a_node_that_returns_takes_exactly_its_own_slots_back() {
    let stage = Stage::new();
    let [a, b, _c] = stage.form(["a", "b", "c"]).await;
    let before = a.cluster.table();
    b.cluster.stop();
    a.sees("b", State::Down).await;
    let again = stage.start("b").await;
    again.join().await;
    a.sees("b", State::Up).await;
    assert!(again.cluster.incarnation() > b.cluster.incarnation());
    let after = a.cluster.table();
    for slot in Slot::all() {
        assert_eq!(
            before.owner(Role::Rooms, slot).map(|m| &m.node),
            after.owner(Role::Rooms, slot).map(|m| &m.node)
        );
    }
    a.send(&again, 9).await;
    assert_eq!(again.basket.of(1).await, [9]);
}

#[tokio::test]
async fn a_new_incarnation_replaces_the_old_one_without_any_suspicion() {
    let stage = Stage::new();
    let [a, b] = stage.form(["a", "b"]).await;
    let again = stage.start("b").await;
    again.join().await;
    let mut fate = b.cluster.fate();
    timeout(PATIENCE, fate.wait_for(|f| *f == Fate::Ousted)).await.unwrap().unwrap();
    a.until("the new incarnation", |t| t.member_of(again.cluster.incarnation()).is_some()).await;
    assert!(!b.cluster.is_ready());
}

#[tokio::test]
async fn a_link_that_breaks_loses_nothing_and_doubles_nothing() {
    let stage = Stage::new();
    let [a] = stage.form(["a"]).await;
    let (b, proxy) = stage.behind_a_wire("b").await;
    a.sees("b", State::Up).await;
    for n in 0..5_000u64 {
        a.send(&b, n).await;
        b.send(&a, n).await;
        if n % 1_000 == 500 {
            proxy.cut();
        }
        if n % 50 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    assert_eq!(b.basket.of(5_000).await, (0..5_000).collect::<Vec<_>>());
    assert_eq!(a.basket.of(5_000).await, (0..5_000).collect::<Vec<_>>());
    assert_eq!(a.cluster.table().member(b.cluster.me()).unwrap().state, State::Up);
}

#[tokio::test]
async fn a_lane_that_hangs_is_made_anew_and_parts_nobody() {
    let stage = Stage::new();
    let [a] = stage.form(["a"]).await;
    let (b, proxy) = stage.behind_a_wire("b").await;
    a.sees("b", State::Up).await;
    a.send(&b, 0).await;
    b.basket.of(1).await;
    let epoch = a.cluster.table().epoch();
    proxy.hang_youngest();
    for n in 1..100 {
        a.send(&b, n).await;
    }
    assert_eq!(b.basket.of(100).await, (0..100).collect::<Vec<_>>());
    assert_eq!(a.cluster.table().epoch(), epoch, "nobody was put down meanwhile");
    assert!(a.cluster.holds_lease() && b.cluster.holds_lease());
}

#[tokio::test]
async fn a_node_cut_off_is_put_down_by_the_majority_and_comes_back_as_a_new_incarnation() {
    let stage = Stage::new();
    let [a, b] = stage.form(["a", "b"]).await;
    let (z, proxy) = stage.behind_a_wire("z").await;
    a.sees("z", State::Up).await;
    b.sees("z", State::Up).await;
    // Both others dial z through the proxy. They stay linked with each other.
    proxy.block(true);
    let mut fate = z.cluster.fate();
    timeout(PATIENCE, fate.wait_for(|f| *f == Fate::Ousted)).await.expect("ousted").unwrap();
    assert!(!z.cluster.holds_lease() && a.cluster.holds_lease() && b.cluster.holds_lease());
    a.sees("z", State::Down).await;
    b.sees("z", State::Down).await;
    assert!(a.cluster.is_ready() && !z.cluster.is_ready());
    proxy.block(false);
    let next: Incarnation = z.cluster.rejoin().await.unwrap();
    assert!(a.cluster.table().member_of(next).is_none_or(|m| m.state != State::Down));
    z.join().await;
    a.sees("z", State::Up).await;
    a.send(&z, 3).await;
    assert_eq!(z.basket.of(1).await, [3]);
}

#[tokio::test]
async fn while_the_store_is_away_the_view_is_frozen_and_messages_go_on() {
    let stage = Stage::new();
    let [a, b] = stage.form(["a", "b"]).await;
    stage.register.set_away(true);
    let epoch = a.cluster.table().epoch();
    a.send(&b, 1).await;
    assert_eq!(b.basket.of(1).await, [1]);
    let c = stage.start("c").await;
    assert!(timeout(Duration::from_millis(800), c.cluster.join()).await.is_err());
    assert_eq!(a.cluster.table().epoch(), epoch);
    assert!(a.cluster.is_ready());
    stage.register.set_away(false);
    c.join().await;
}

#[tokio::test]
async fn a_store_that_rolled_back_is_given_the_highest_view_again() {
    let stage = Stage::new();
    let [a, _b] = stage.form(["a", "b"]).await;
    stage.register.roll_back(0, None);
    let restored = async {
        while stage.register.load().await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, restored).await.unwrap();
    a.sees("b", State::Up).await;
    let c = stage.start("c").await;
    c.join().await;
    a.sees("c", State::Up).await;
}
