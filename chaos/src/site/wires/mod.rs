//! What lies between nodes: each link and each gossip datagram passes through here, and can be held, slowed or let through
//! for each direction of each pair by itself. A held wire is a black hole: nothing is refused, nothing arrives.

mod dialer;
mod gossip;
mod links;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::watch;

/// How one direction between two nodes is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// As it should be.
    #[default]
    Open,
    /// Nothing passes. What a link has accepted comes late, datagrams never.
    Held,
    /// All that passes is late by this much.
    Slow(Duration),
}

/// Where a node is, and where others believe it to be.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// Its link listener.
    pub link: SocketAddr,
    /// What it says that it is.
    pub link_shown: SocketAddr,
    /// Its gossip socket.
    pub gossip: SocketAddr,
    /// What it says that it is.
    pub gossip_shown: SocketAddr,
}

/// How all wires are now.
#[derive(Clone, Debug)]
pub(super) struct State {
    /// From the first to the second.
    flows: Vec<Vec<Flow>>,
    /// Whether there is a process that could accept a link.
    listening: Vec<bool>,
}

impl State {
    fn flow(&self, from: usize, to: usize) -> Flow {
        self.flows[from][to]
    }
}

/// The processes of all nodes, for whoever has to know which of them dials.
pub(in crate::site) type Pids = Arc<Mutex<Vec<Option<u32>>>>;

/// All wires, moved by a thread of their own.
pub struct Wires {
    state: Arc<watch::Sender<State>>,
    pids: Pids,
    thread: Option<JoinHandle<()>>,
    end: Option<tokio::sync::oneshot::Sender<()>>,
}

impl Wires {
    /// Lays wires between nodes.
    ///
    /// # Errors
    /// An address cannot be used.
    pub(super) fn lay(ends: &[Ends], pids: Pids) -> anyhow::Result<Self> {
        let count = ends.len();
        let state = State { flows: vec![vec![Flow::Open; count]; count], listening: vec![false; count] };
        let (state, _) = watch::channel(state);
        let state = Arc::new(state);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (end, ended) = tokio::sync::oneshot::channel();
        {
            let _inside = runtime.enter();
            let exchange = gossip::Exchange::bind(ends).context("the gossip wires")?;
            for (node, ends) in ends.iter().enumerate() {
                runtime.spawn(exchange.clone().serve(node, state.subscribe()));
                let front = links::Front { node, ends: *ends, pids: pids.clone() };
                runtime.spawn(front.serve(state.subscribe()));
            }
        }
        let thread = std::thread::Builder::new().name("wires".into()).spawn(move || {
            // An end that is dropped is an end, too.
            let _ = runtime.block_on(ended);
        })?;
        Ok(Self { state, pids, thread: Some(thread), end: Some(end) })
    }

    /// Changes one direction.
    pub fn set(&self, from: usize, to: usize, flow: Flow) {
        self.state.send_modify(|state| state.flows[from][to] = flow);
    }

    /// Opens everything.
    pub fn heal(&self) {
        self.state.send_modify(|state| state.flows.iter_mut().flatten().for_each(|flow| *flow = Flow::Open));
    }

    /// A node's process began or ended. Without one its link address refuses connections, as that of a dead process does.
    pub fn process(&self, node: usize, pid: Option<u32>) {
        self.pids.lock().expect("nobody panics with it")[node] = pid;
        self.state.send_modify(|state| state.listening[node] = pid.is_some());
    }
}

impl Drop for Wires {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Waits until a direction is not held, and says by how much it is late.
async fn passage(state: &mut watch::Receiver<State>, from: usize, to: usize) -> Option<Duration> {
    let state = state.wait_for(|state| state.flow(from, to) != Flow::Held).await.ok()?;
    match state.flow(from, to) {
        Flow::Slow(late) => Some(late),
        Flow::Open | Flow::Held => Some(Duration::ZERO),
    }
}
