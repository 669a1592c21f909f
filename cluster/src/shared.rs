//! What the handle and the cluster's thread share.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::gossip::Facts;
use crate::link::Remotes;
use crate::tls::Tls;
use crate::{
    Config, Fate, Incarnation, LinkStatus, Load, MemberStatus, NodeId, StartError, State, Status, Table,
    clock,
};

/// Written by the cluster's thread, read by all.
pub(crate) struct Shared {
    pub(crate) node: NodeId,
    pub(crate) incarnation: AtomicU64,
    pub(crate) message_bytes_max: usize,
    pub(crate) table: ArcSwap<Table>,
    pub(crate) watch: watch::Sender<Arc<Table>>,
    pub(crate) fate: watch::Sender<Fate>,
    pub(crate) remotes: Arc<Remotes>,
    pub(crate) tls: Arc<ArcSwap<Option<Tls>>>,
    pub(crate) facts: ArcSwap<Facts>,
    pub(crate) load: Mutex<Load>,
    pub(crate) ready: AtomicBool,
    pub(crate) register: AtomicBool,
    /// Until when this node may act as an owner, in microseconds of [`crate::clock`]; the highest number: for ever.
    pub(crate) lease: AtomicU64,
    /// How many links this node lacks, as gossip tells others.
    pub(crate) missing: AtomicU16,
}

impl Shared {
    /// # Errors
    /// The certificates cannot be used.
    pub(crate) fn new(config: &Config) -> Result<Shared, StartError> {
        let tls = config.network.as_ref().map(|n| Tls::new(&n.tls, &config.node)).transpose()?;
        let nothing = Arc::new(Table::default());
        Ok(Shared {
            node: config.node.clone(),
            incarnation: AtomicU64::new(config.incarnation.unwrap_or_else(Incarnation::now).0),
            message_bytes_max: config.limits.message_bytes_max,
            table: ArcSwap::new(nothing.clone()),
            watch: watch::Sender::new(nothing),
            fate: watch::Sender::new(Fate::Member),
            remotes: Arc::default(),
            tls: Arc::new(ArcSwap::from_pointee(tls)),
            facts: ArcSwap::default(),
            load: Mutex::default(),
            ready: AtomicBool::new(false),
            register: AtomicBool::new(false),
            // A node alone has it for ever, and nobody to take it away.
            lease: AtomicU64::new(if config.network.is_none() { u64::MAX } else { 0 }),
            missing: AtomicU16::new(0),
        })
    }

    pub(crate) fn incarnation(&self) -> Incarnation {
        Incarnation(self.incarnation.load(Ordering::Acquire))
    }

    /// Whether the lease holds now. Costs one load for a node alone, and a look at the clock for others.
    pub(crate) fn holds_lease(&self) -> bool {
        let until = self.lease.load(Ordering::Acquire);
        until == u64::MAX || clock::now().as_micros() < u128::from(until)
    }

    pub(crate) fn set_lease(&self, until: Duration) {
        let until = u64::try_from(until.as_micros()).unwrap_or(u64::MAX);
        self.lease.store(until, Ordering::Release);
    }

    pub(crate) fn status(&self) -> Status {
        let table = self.table.load();
        let remotes = self.remotes.load();
        let facts = self.facts.load();
        let incarnation = self.incarnation();
        let members = table.view().members.iter().map(|member| {
            let remote = remotes.get(&member.incarnation);
            MemberStatus {
                member: member.clone(),
                link: match remote {
                    _ if member.incarnation == incarnation => LinkStatus::Own,
                    Some(remote) if remote.is_up() => LinkStatus::Up,
                    _ if member.state == State::Down => LinkStatus::Idle,
                    _ => LinkStatus::Lost,
                },
                rtt: remote.filter(|r| r.is_up()).and_then(|r| r.rtt()),
                outbox_bytes: remote.map(|r| r.outbox.bytes()).unwrap_or_default(),
                gossip: facts.get(&member.node).cloned(),
            }
        });
        Status {
            epoch: table.epoch(),
            me: self.node.clone(),
            incarnation,
            register: self.register.load(Ordering::Relaxed),
            members: members.collect(),
        }
    }
}

/// Where others reach this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// By gossip (UDP).
    pub gossip: SocketAddr,
    /// By links (TCP).
    pub link: SocketAddr,
}
