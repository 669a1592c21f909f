//! Gossip: who else is there, what it carries, and whether it seems alive. It proposes, and never decides. The only file,
//! with its transport, that knows chitchat.

mod sealed;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chitchat::{
    ChitchatConfig, ChitchatHandle, ChitchatId, FailureDetectorConfig, NodeState, spawn_chitchat,
};
use tokio::net::UdpSocket;

pub(crate) use sealed::Seal;

use crate::map::{HashMap, HashSet};
use crate::quiet::Quiet;
use crate::{GossipFacts, Incarnation, Load, Member, NodeId};

/// How often a node gossips, each time with three others.
const INTERVAL: Duration = Duration::from_millis(250);
/// A phi above which a node is believed dead. With heartbeats of 250 ms: after one to two seconds.
const PHI_MAX: f64 = 8.0;
/// How long a dead node is remembered.
const DEAD_KEPT: Duration = Duration::from_secs(3600);

const ZONE: &str = "zone";
const ROLES: &str = "roles";
const LINK: &str = "link";
const VERSION: &str = "version";
const EPOCH: &str = "epoch";
const LOAD: &str = "load";
const MISSING: &str = "missing";

/// The gossip of one incarnation. Ends when dropped.
pub(crate) struct Gossip {
    handle: ChitchatHandle,
}

/// What gossip needs.
pub(crate) struct Setting<'a> {
    /// This node.
    pub(crate) me: &'a Member,
    /// Its software's version.
    pub(crate) version: &'a str,
    /// The cluster's name.
    pub(crate) cluster: &'a str,
    /// Where others reach it.
    pub(crate) advertise: SocketAddr,
    /// Whom to ask first.
    pub(crate) seeds: &'a [String],
    /// The socket, which is bound once.
    pub(crate) socket: Arc<UdpSocket>,
    /// Seals and opens datagrams.
    pub(crate) seal: Seal,
    /// Log lines of what is dropped.
    pub(crate) quiet: Arc<Quiet>,
}

/// What a gossiping node said last, of its highest incarnation.
pub(crate) type Facts = HashMap<NodeId, GossipFacts>;

impl Gossip {
    /// Begins to gossip. Resolves the seeds first; a name that cannot be resolved is tried again each minute.
    ///
    /// # Errors
    /// The transport failed to open.
    pub(crate) async fn start(setting: Setting<'_>) -> std::io::Result<Gossip> {
        let me = setting.me;
        let config = ChitchatConfig {
            chitchat_id: ChitchatId::new(me.node.as_str(), me.incarnation.0, setting.advertise),
            cluster_id: setting.cluster.to_owned(),
            gossip_interval: INTERVAL,
            listen_addr: setting.advertise,
            seed_nodes: setting.seeds.to_vec(),
            failure_detector_config: FailureDetectorConfig {
                phi_threshold: PHI_MAX,
                // The default prior of five seconds would make young pairs slow to judge.
                initial_interval: INTERVAL,
                dead_node_grace_period: DEAD_KEPT,
                ..FailureDetectorConfig::default()
            },
            marked_for_deletion_grace_period: DEAD_KEPT,
            catchup_callback: None,
            extra_liveness_predicate: None,
        };
        let mut keys = vec![
            (ZONE.to_owned(), me.zone.clone()),
            (ROLES.to_owned(), me.roles.bits().to_string()),
            (VERSION.to_owned(), setting.version.to_owned()),
        ];
        keys.extend(me.link.map(|link| (LINK.to_owned(), link.to_string())));
        let transport = sealed::Sealed::new(setting.socket, setting.seal, setting.quiet);
        let handle = spawn_chitchat(config, keys, &transport).await.map_err(std::io::Error::other)?;
        Ok(Gossip { handle })
    }

    /// Tells others what this node knows and carries.
    pub(crate) async fn tell(&self, epoch: u64, load: Load, missing: u16) {
        let load = serde_json::to_string(&load).expect("a load is numbers and a word");
        self.handle
            .with_chitchat(|chitchat| {
                let state = chitchat.self_node_state();
                state.set(EPOCH, epoch);
                state.set(LOAD, &load);
                state.set(MISSING, missing);
            })
            .await;
    }

    /// What all nodes said, this one included.
    pub(crate) async fn facts(&self) -> Facts {
        self.handle
            .with_chitchat(|chitchat| {
                let mut facts = Facts::default();
                let alive: HashSet<&ChitchatId> = chitchat.live_nodes().collect();
                for (id, state) in chitchat.node_states() {
                    let Ok(node) = NodeId::new(&id.node_id) else { continue };
                    let incarnation = Incarnation(id.generation_id);
                    // Older incarnations linger under the same name.
                    if facts.get(&node).is_none_or(|f: &GossipFacts| f.incarnation < incarnation) {
                        facts.insert(node, read(state, incarnation, alive.contains(id)));
                    }
                }
                facts
            })
            .await
    }
}

impl Drop for Gossip {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

fn read(state: &NodeState, incarnation: Incarnation, alive: bool) -> GossipFacts {
    GossipFacts {
        alive,
        incarnation,
        version: state.get(VERSION).unwrap_or_default().to_owned(),
        epoch: state.get(EPOCH).and_then(|e| e.parse().ok()).unwrap_or_default(),
        link: state.get(LINK).and_then(|l| l.parse().ok()),
        load: state.get(LOAD).and_then(|l| serde_json::from_str(l).ok()).unwrap_or_default(),
        missing: state.get(MISSING).and_then(|m| m.parse().ok()).unwrap_or_default(),
    }
}
