//! Wires that lose what is said, one way or both: a majority goes on, the rest is fenced, and all heals by itself.

use muster_cluster::{Fate, State};
use tokio::time::timeout;

use crate::stage::{Node, PATIENCE, Stage};

impl Node {
    async fn is_ousted(&self) {
        let mut fate = self.cluster.fate();
        timeout(PATIENCE, fate.wait_for(|f| *f == Fate::Ousted)).await.expect("ousted in time").unwrap();
        assert!(!self.cluster.holds_lease() && !self.cluster.is_ready());
    }

    async fn comes_back(&self) {
        self.cluster.rejoin().await.unwrap();
        self.join().await;
        self.holds_its_lease().await;
    }

    pub(crate) async fn holds_its_lease(&self) {
        let held = async {
            while !(self.cluster.holds_lease() && self.cluster.is_ready()) {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, held).await.expect("a lease in time");
    }

    async fn is_fenced(&self) {
        let fenced = async {
            while self.cluster.holds_lease() {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, fenced).await.expect("fenced in time");
    }
}

#[tokio::test]
async fn of_two_that_lose_each_other_one_goes_on_by_the_store_and_the_other_comes_back() {
    let stage = Stage::new();
    let [a] = stage.form(["a"]).await;
    let (b, wire) = stage.behind_a_wire("b").await;
    a.sees("b", State::Up).await;
    a.holds_its_lease().await;
    b.holds_its_lease().await;
    wire.lose(true, true);
    let (stays, goes) = {
        let (mut one, mut other) = (a.cluster.fate(), b.cluster.fate());
        let lost = async {
            tokio::select! {
                _ = one.wait_for(|f| *f == Fate::Ousted) => (&b, &a),
                _ = other.wait_for(|f| *f == Fate::Ousted) => (&a, &b),
            }
        };
        timeout(PATIENCE, lost).await.expect("one of them goes")
    };
    goes.is_ousted().await;
    stays.holds_its_lease().await;
    wire.lose(false, false);
    goes.comes_back().await;
    stays.sees(goes.cluster.me().as_str(), State::Up).await;
    a.send(&b, 1).await;
    assert_eq!(b.basket.of(1).await, [1]);
}

#[tokio::test]
async fn two_that_lose_each_other_and_the_store_wait_and_go_on_when_they_have_each_other_again() {
    let stage = Stage::new();
    let [a] = stage.form(["a"]).await;
    let (b, wire) = stage.behind_a_wire("b").await;
    a.sees("b", State::Up).await;
    stage.register.set_away(true);
    a.holds_its_lease().await;
    b.holds_its_lease().await;
    wire.lose(true, true);
    a.is_fenced().await;
    b.is_fenced().await;
    wire.lose(false, false);
    a.holds_its_lease().await;
    b.holds_its_lease().await;
    assert_eq!([&a, &b].map(|node| *node.cluster.fate().borrow()), [Fate::Member; 2]);
}

#[tokio::test]
async fn a_node_that_hears_and_is_not_heard_is_put_down_and_comes_back() {
    let stage = Stage::new();
    let [a, b] = stage.form(["a", "b"]).await;
    let (z, wire) = stage.behind_a_wire("z").await;
    a.sees("z", State::Up).await;
    b.sees("z", State::Up).await;
    wire.lose(false, true);
    z.is_ousted().await;
    a.sees("z", State::Down).await;
    assert!(a.cluster.is_ready() && b.cluster.is_ready());
    wire.lose(false, false);
    z.comes_back().await;
    a.sees("z", State::Up).await;
    assert_eq!([&a, &b].map(|node| *node.cluster.fate().borrow()), [Fate::Member; 2]);
}

#[tokio::test]
async fn of_two_whose_wire_alone_is_cut_one_makes_way_once_and_comes_back_when_it_is_mended() {
    let stage = Stage::new();
    let [a] = stage.form(["a"]).await;
    let (b, wire) = stage.behind_a_wire("b").await;
    a.sees("b", State::Up).await;
    // The third dials neither: only what the first says to the second passes the wire.
    let c = stage.start("c").await;
    c.join().await;
    for node in [&a, &b] {
        node.sees("c", State::Up).await;
    }
    wire.lose(true, true);
    b.is_ousted().await;
    a.sees("b", State::Down).await;
    b.cluster.rejoin().await.unwrap();
    a.sees("b", State::Joining).await;
    assert_eq!([&a, &c].map(|node| *node.cluster.fate().borrow()), [Fate::Member; 2]);
    assert!(a.cluster.is_ready() && c.cluster.is_ready());
    wire.lose(false, false);
    b.join().await;
    a.sees("b", State::Up).await;
    assert_eq!([&a, &c].map(|node| *node.cluster.fate().borrow()), [Fate::Member; 2]);
}
