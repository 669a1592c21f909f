//! Clusters of integers in one process, over loopback. Every wait is for an event, and bounded.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use muster_cluster::{
    Cluster, Config, Endpoint, Inbox, MemoryRegister, Network, NodeId, Peer, Secret, State, Table,
};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::authority::Authority;
use crate::proxy::Proxy;

/// The longest that anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What came in, in order.
#[derive(Default)]
pub(crate) struct Basket {
    held: Mutex<Vec<(NodeId, u64)>>,
    count: watch::Sender<usize>,
}

impl Inbox<u64> for Basket {
    fn receive(&self, from: &Peer, message: u64) {
        let mut held = self.held.lock().unwrap();
        held.push((from.node.clone(), message));
        self.count.send_replace(held.len());
    }
}

impl Basket {
    /// Waits for that many messages and returns all.
    pub(crate) async fn of(&self, count: usize) -> Vec<u64> {
        let mut counts = self.count.subscribe();
        timeout(PATIENCE, counts.wait_for(|n| *n >= count)).await.expect("messages in time").unwrap();
        self.held.lock().unwrap().iter().map(|(_, n)| *n).collect()
    }
}

pub(crate) struct Node {
    pub(crate) cluster: Cluster<u64>,
    pub(crate) basket: Arc<Basket>,
}

/// What all nodes of a test share.
pub(crate) struct Stage {
    pub(crate) authority: Authority,
    pub(crate) register: Arc<MemoryRegister>,
    seeds: Mutex<Vec<String>>,
}

impl Stage {
    pub(crate) fn new() -> Stage {
        Stage { authority: Authority::new(), register: Arc::default(), seeds: Mutex::default() }
    }

    pub(crate) fn config(&self, name: &str) -> Config {
        let node = NodeId::new(name).unwrap();
        let any = Endpoint::at("127.0.0.1:0".parse().unwrap());
        let network = Network {
            cluster_id: "test".into(),
            gossip: any,
            link: any,
            seeds: self.seeds.lock().unwrap().clone(),
            gossip_key: Secret(vec![7; 32]),
            tls: self.authority.issue(name),
        };
        Config { network: Some(network), ..Config::alone(node) }
    }

    pub(crate) async fn start(&self, name: &str) -> Node {
        self.start_with(self.config(name)).await
    }

    pub(crate) async fn start_with(&self, config: Config) -> Node {
        let basket = Arc::<Basket>::default();
        let cluster = Cluster::start(config, self.register.clone(), basket.clone(), vec![Handle::current()])
            .await
            .unwrap();
        self.seeds.lock().unwrap().extend(cluster.addresses().map(|a| a.gossip.to_string()));
        Node { cluster, basket }
    }

    /// Starts a node to which others link through a wire that can be cut, and waits until it is up.
    pub(crate) async fn behind_a_wire(&self, name: &str) -> (Node, Proxy) {
        let mut config = self.config(name);
        let proxy = Proxy::before(&mut config).await;
        let node = self.start_with(config).await;
        node.join().await;
        (node, proxy)
    }

    /// Starts nodes one after the other and waits until all are up in everyone's view.
    pub(crate) async fn form<const N: usize>(&self, names: [&str; N]) -> [Node; N] {
        let mut nodes = Vec::new();
        for name in names {
            let node = self.start(name).await;
            node.join().await;
            nodes.push(node);
        }
        for node in &nodes {
            for name in names {
                node.sees(name, State::Up).await;
            }
        }
        nodes.try_into().unwrap_or_else(|_| unreachable!("as many nodes as names"))
    }
}

impl Node {
    pub(crate) async fn join(&self) {
        timeout(PATIENCE, self.cluster.join()).await.expect("up in time").unwrap();
    }

    /// Waits until the view has that node in that state.
    pub(crate) async fn sees(&self, name: &str, state: State) {
        let name = NodeId::new(name).unwrap();
        self.until(&format!("{name} {state:?}"), |table| {
            table.member(&name).is_some_and(|m| m.state == state)
        })
        .await;
    }

    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Table) -> bool) {
        let mut watch = self.cluster.watch();
        if timeout(PATIENCE, watch.wait_for(|table| is_so(table))).await.is_err() {
            panic!("{} waited in vain for {what}: {:#?}", self.cluster.me(), self.cluster.status());
        }
    }

    /// Sends as soon as there is room.
    pub(crate) async fn send(&self, to: &Node, message: u64) {
        let patient = async {
            while self.cluster.send(to.cluster.incarnation(), message).is_err() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(PATIENCE, patient).await.expect("room in time");
    }
}
