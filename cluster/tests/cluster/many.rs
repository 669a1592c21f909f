//! More nodes than those that are pinged often and answered at once.

use std::time::Duration;

use muster_cluster::State;
use tokio::time::{sleep, timeout};

use crate::stage::{Node, PATIENCE, Stage};

const NODES: usize = 18;
/// Longer than a lease lasts that is not renewed.
const WHILE: Duration = Duration::from_secs(3);
/// Less than the time for which an answer may be held.
const ROUND_TRIP_MAX: Duration = Duration::from_millis(400);

impl Node {
    /// The round trips to all peers, or nothing if one is not known yet.
    fn round_trips(&self) -> Option<Vec<Duration>> {
        let status = self.cluster.status();
        let peers = status.members.iter().filter(|seen| seen.member.node != status.me);
        peers.map(|seen| seen.rtt).collect()
    }
}

#[tokio::test]
async fn many_keep_their_leases_and_know_their_round_trips_and_put_down_who_dies() {
    let stage = Stage::new();
    let mut nodes = Vec::new();
    for number in 0..NODES {
        nodes.push(stage.start(&format!("n{number}")).await);
    }
    for node in &nodes {
        node.join().await;
    }
    for node in &nodes {
        node.until("all up", |table| {
            table.view().members.iter().filter(|m| m.state == State::Up).count() == NODES
        })
        .await;
        node.holds_its_lease().await;
    }
    sleep(WHILE).await;
    for node in &nodes {
        node.holds_its_lease().await;
    }
    let told = async {
        while !nodes[0].round_trips().is_some_and(|all| all.iter().all(|rtt| *rtt < ROUND_TRIP_MAX)) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, told).await.expect("round trips without the time for which answers are held");

    let dead = nodes.pop().unwrap();
    dead.cluster.stop();
    for node in &nodes {
        node.sees(dead.cluster.me().as_str(), State::Down).await;
        node.holds_its_lease().await;
    }
}
