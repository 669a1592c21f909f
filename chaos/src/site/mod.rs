//! A cluster of real processes on this machine, each with its own ports and folder, and every wire between them in our hands.

mod layout;
mod node;
mod process;
mod redis;
mod seen;
mod sentinels;
pub mod wires;
mod writes;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

pub use layout::{Layout, Store};
pub use node::{Node, Run};
pub use redis::Redis;
pub use seen::{Eye, Member};
pub use sentinels::Sentinels;
use wires::{Flow, Wires};
pub use writes::Written;

use crate::client::Accounts;

/// The domain of a run.
pub const DOMAIN: &str = "chaos.localhost";
/// How long a node may take until clients may be sent to it.
const READY_TIME_MAX: Duration = Duration::from_secs(90);

/// What a site is made from.
#[derive(Clone, Debug)]
pub struct Order {
    /// The program.
    pub muster: PathBuf,
    /// Everything is made in it.
    pub folder: PathBuf,
    /// Nodes that run from the beginning.
    pub nodes: usize,
    /// Nodes that may be added later.
    pub spare: usize,
    /// Where things are kept.
    pub store: Store,
    /// Environment of every node.
    pub environment: Vec<(String, String)>,
}

/// The cluster.
pub struct Site {
    /// What it was made from.
    pub order: Order,
    /// All its nodes, those that do not run included.
    pub nodes: Vec<Node>,
    /// What lies between them.
    pub wires: Wires,
    /// Its own store, if that is a process.
    pub redis: Option<Redis>,
    /// Its own store, if that is several.
    pub sentinels: Option<Sentinels>,
    layout: Layout,
}

impl Site {
    /// Writes everything, makes the accounts and starts the first nodes.
    ///
    /// # Errors
    /// A program is missing or does not start.
    pub fn start(order: Order, accounts: &Accounts, count: usize) -> anyhow::Result<Self> {
        let layout = Layout::write(&order)?;
        let (mut redis, mut sentinels) = (None, None);
        let storage = match order.store {
            Store::Sqlite => None,
            Store::Redis => Some(redis.insert(Redis::start(&layout.folder, "redis", "")?).storage()),
            Store::Sentinel => Some(sentinels.insert(Sentinels::start(&layout.folder)?).storage()),
        };
        layout.configure(storage.as_ref())?;
        let pids = Arc::new(Mutex::new(vec![None; layout.nodes()]));
        let wires = Wires::lay(&layout.ends(), pids.clone())?;
        let nodes = (0..layout.nodes()).map(|number| layout.node(number, &order, &pids)).collect();
        let mut site = Self { order, nodes, wires, redis, sentinels, layout };
        site.import(accounts, count)?;
        for number in 0..site.order.nodes {
            site.start_node(number)?;
        }
        let all: Vec<_> = (0..site.order.nodes).collect();
        site.wait_until_ready(&all)?;
        Ok(site)
    }

    fn import(&self, accounts: &Accounts, count: usize) -> anyhow::Result<()> {
        let file = self.layout.folder.join("chaos-accounts");
        std::fs::write(&file, accounts.file(0..count))?;
        let mut import = process::Command::new(&self.order.muster);
        import.args(["user", "import"]).arg(&file).arg("--config").arg(&self.nodes[0].config);
        let done = import.output().context("muster cannot be run")?;
        if !done.status.success() {
            bail!("the accounts could not be made: {}", String::from_utf8_lossy(&done.stderr));
        }
        Ok(())
    }

    /// Starts a node that does not run.
    ///
    /// # Errors
    /// The program does not start.
    pub fn start_node(&mut self, number: usize) -> anyhow::Result<()> {
        let pid = self.nodes[number].start()?;
        self.wires.process(number, Some(pid));
        Ok(())
    }

    /// Ends a node as a crash does.
    ///
    /// # Errors
    /// The system does not do it.
    pub fn kill_node(&mut self, number: usize) -> anyhow::Result<()> {
        self.wires.process(number, None);
        self.nodes[number].kill()
    }

    /// Asks a node to end, and waits for that.
    ///
    /// # Errors
    /// It does not end in time.
    pub fn stop_node(&mut self, number: usize, most: Duration) -> anyhow::Result<()> {
        let stopped = self.nodes[number].stop(most);
        self.wires.process(number, None);
        stopped
    }

    /// Sets both directions between two nodes.
    pub fn between(&self, one: usize, other: usize, flow: Flow) {
        self.wires.set(one, other, flow);
        self.wires.set(other, one, flow);
    }

    /// Sets all wires between a node and the others.
    pub fn around(&self, node: usize, flow: Flow) {
        for other in (0..self.nodes.len()).filter(|other| *other != node) {
            self.between(node, other, flow);
        }
    }

    /// The nodes whose process runs and is not stopped.
    #[must_use]
    pub fn running(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|number| self.nodes[*number].run() == Run::Running).collect()
    }

    /// Waits until nodes say that clients may be sent to them.
    ///
    /// # Errors
    /// One does not, or has ended.
    pub fn wait_until_ready(&mut self, which: &[usize]) -> anyhow::Result<()> {
        let deadline = Instant::now() + READY_TIME_MAX;
        for number in which {
            loop {
                let node = &mut self.nodes[*number];
                let why = match node.eye.readiness() {
                    Ok(()) => break,
                    Err(why) => why,
                };
                if let Some(status) = node.ended() {
                    bail!("{} ended ({status}): see {}", node.name, node.log().display());
                }
                if Instant::now() > deadline {
                    bail!("{} is not ready ({why}): see {}", node.name, node.log().display());
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(())
    }

    /// Withdraws everything that was done to it: wires are open, processes run.
    ///
    /// # Errors
    /// Something does not start.
    pub fn heal(&mut self) -> anyhow::Result<()> {
        self.wires.heal();
        if let Some(redis) = &mut self.redis {
            redis.heal()?;
        }
        if let Some(sentinels) = &mut self.sentinels {
            sentinels.heal()?;
        }
        for number in 0..self.nodes.len() {
            self.nodes[number].resume()?;
            if self.nodes[number].run() == Run::Ended && self.nodes[number].wanted {
                self.start_node(number)?;
            }
        }
        Ok(())
    }

    /// Why it is not whole, if it is not: each node ready, agreeing with all others, and nothing on its way.
    pub fn not_whole(&mut self) -> Option<String> {
        let wanted: Vec<_> = (0..self.nodes.len()).filter(|number| self.nodes[*number].wanted).collect();
        let names: Vec<_> = wanted.iter().map(|number| self.nodes[*number].name.clone()).collect();
        let mut views = Vec::new();
        for number in wanted {
            let node = &mut self.nodes[number];
            if let Some(status) = node.ended() {
                return Some(format!("{} ended ({status})", node.name));
            }
            if let Err(why) = node.eye.readiness() {
                return Some(format!("{} is not ready: {why}", node.name));
            }
            let status = match node.eye.status() {
                Ok(status) => status,
                Err(error) => return Some(format!("{} does not answer: {error}", node.name)),
            };
            let moving = status.slots_arriving + status.slots_leaving;
            if moving > 0 {
                return Some(format!("{moving} slots are on their way at {}", node.name));
            }
            let bare =
                node.eye.metrics().ok().and_then(|metrics| metrics.sum("muster_under_replicated_slots"));
            if bare.is_some_and(|bare| bare > 0.0) {
                return Some(format!("{} has slots with one copy", node.name));
            }
            let is_up = |name: &&String| {
                status.nodes.iter().any(|seen| seen.member.node == **name && seen.member.state == "up")
            };
            if let Some(name) = names.iter().find(|name| !is_up(name)) {
                return Some(format!("{name} is not up, as {} sees it", node.name));
            }
            views.push((status.epoch, status.view_epoch, status.nodes));
        }
        views.windows(2).any(|pair| pair[0] != pair[1]).then(|| "nodes act by different views".to_owned())
    }

    /// All that nodes say they wrote, by their logs, in the order in which they did.
    #[must_use]
    pub fn written(&self) -> Vec<Written> {
        let logs = self.nodes.iter().map(|node| std::fs::read_to_string(node.log()).unwrap_or_default());
        writes::read(logs.enumerate())
    }

    /// A look at each node, for other threads.
    #[must_use]
    pub fn eyes(&self) -> Vec<Eye> {
        self.nodes.iter().map(|node| node.eye.clone()).collect()
    }

    /// The folder of everything.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.layout.folder
    }
}
