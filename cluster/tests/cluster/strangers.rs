//! Who does not belong is refused, and nothing else happens.

use muster_cluster::{Cluster, NodeId, Secret, StartError, State};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::authority::Authority;
use crate::stage::{PATIENCE, Stage};

#[tokio::test]
async fn random_bytes_on_the_link_listener_are_refused_and_others_notice_nothing() {
    let stage = Stage::new();
    let [a, b] = stage.form(["a", "b"]).await;
    let address = b.cluster.addresses().unwrap().link;
    for junk in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 5000], &[0x16, 3, 1, 0, 5, 9, 9, 9, 9, 9]] {
        let mut tcp = TcpStream::connect(address).await.unwrap();
        tcp.write_all(junk).await.unwrap();
        tcp.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // Closed, perhaps after a TLS alert.
        let _ = timeout(PATIENCE, tcp.read_to_end(&mut answer)).await.expect("closed in time");
        assert!(answer.len() < 100);
    }
    a.send(&b, 1).await;
    assert_eq!(b.basket.of(1).await, [1]);
    assert_eq!(a.cluster.table().member(b.cluster.me()).unwrap().state, State::Up);
}

#[tokio::test]
async fn random_datagrams_are_dropped_and_gossip_goes_on() {
    let stage = Stage::new();
    let [a, b] = stage.form(["a", "b"]).await;
    let gossip = b.cluster.addresses().unwrap().gossip;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for length in [0, 1, 44, 45, 100, 60_000] {
        socket.send_to(&vec![1; length], gossip).await.unwrap();
    }
    b.cluster.report_load(muster_cluster::Load { rooms: 5, ..Default::default() });
    let heard = async {
        while !a.cluster.status().members.iter().any(|m| m.gossip.as_ref().is_some_and(|g| g.load.rooms == 5))
        {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, heard).await.unwrap();
}

#[tokio::test]
async fn a_node_of_another_authority_never_gets_up() {
    let stage = Stage::new();
    let [a, b] = stage.form(["a", "b"]).await;
    let mut config = stage.config("c");
    config.network.as_mut().unwrap().tls = Authority::new().issue("c");
    let c = stage.start_with(config).await;
    assert!(timeout(std::time::Duration::from_secs(1), c.cluster.join()).await.is_err());
    assert!(a.cluster.is_ready() && b.cluster.is_ready());
    a.send(&b, 1).await;
    assert_eq!(b.basket.of(1).await, [1]);
}

#[tokio::test]
async fn a_node_with_another_gossip_key_is_heard_by_nobody() {
    let stage = Stage::new();
    let [a, _b] = stage.form(["a", "b"]).await;
    let mut config = stage.config("c");
    config.network.as_mut().unwrap().gossip_key = Secret(vec![8; 32]);
    let c = stage.start_with(config).await;
    c.join().await;
    // Links and the register make it a member; gossip knows nothing of it, and it nothing of others.
    a.sees("c", State::Up).await;
    let known = |n: &crate::stage::Node, of: &NodeId| {
        n.cluster.status().members.iter().any(|m| m.member.node == *of && m.gossip.is_some())
    };
    assert!(!known(&a, c.cluster.me()) && !known(&c, a.cluster.me()));
}

#[tokio::test]
async fn what_cannot_work_is_said_at_the_start() {
    let stage = Stage::new();
    let start = async |change: &dyn Fn(&mut muster_cluster::Network)| {
        let mut config = stage.config("a");
        change(config.network.as_mut().unwrap());
        let inbox = std::sync::Arc::<crate::stage::Basket>::default();
        Cluster::<u64>::start(config, stage.register.clone(), inbox, Vec::new())
            .await
            .map(|_| ())
            .unwrap_err()
    };
    assert!(matches!(start(&|n| n.gossip_key = Secret(vec![1])).await, StartError::KeyTooShort(1)));
    assert!(matches!(start(&|n| n.tls = stage.authority.issue("b")).await, StartError::CertificateName(_)));
    let other = stage.authority.issue("a");
    assert!(matches!(start(&|n| n.tls.key = other.key.clone()).await, StartError::Tls { .. }));
    assert!(matches!(start(&|n| n.tls.ca.clear()).await, StartError::Tls { .. }));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    assert!(matches!(start(&|n| n.link.bind = address).await, StartError::Bind { purpose: "links", .. }));
    assert!(matches!(
        start(&|n| n.link.bind = "0.0.0.0:0".parse().unwrap()).await,
        StartError::Advertise { .. }
    ));
}
