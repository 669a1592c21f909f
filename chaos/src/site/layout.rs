//! Files and ports of a run: written by `muster up --prepare`, then turned so that nodes know each other by our wires.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;

use anyhow::{Context, bail};
use toml::{Table, Value};

use super::node::Node;
use super::process::Command;
use super::wires::{Ends, Pids};
use super::{DOMAIN, Eye, Order};

/// Where `muster up` puts node k's ports: clear ones for clients at first - 1 + 10 k, the others as written here.
const PORTS_PER_NODE: usize = 10;
const LINK: usize = 52;
const GOSSIP: usize = 53;
const HTTP: usize = 58;
/// A range of ports that no default of ours lies in.
const PORTS: std::ops::Range<usize> = 24_001..26_000;
/// A node that is asked to end may take so long to hand over.
const DRAIN_SECONDS_MAX: i64 = 20;

/// Where things are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Store {
    /// One file.
    Sqlite,
    /// A redis-server of our own.
    Redis,
    /// A redis-server, its replica, and three sentinels.
    Sentinel,
}

/// Files and ports.
pub struct Layout {
    pub(super) folder: PathBuf,
    first: usize,
    count: usize,
}

impl Layout {
    /// Has everything written, for all nodes that there may ever be.
    pub(super) fn write(order: &Order) -> anyhow::Result<Self> {
        let count = order.nodes + order.spare;
        fs::create_dir_all(&order.folder)?;
        let folder = fs::canonicalize(&order.folder)?;
        let first = free_range(count)?;
        let mut up = Command::new(&order.muster);
        up.args(["up", "--prepare", "--plaintext", "--domain", DOMAIN, "--nodes", &count.to_string()]);
        up.args(["--port", &first.to_string(), "--dir"]).arg(&folder);
        let done = up.output().with_context(|| format!("{} cannot be run", order.muster.display()))?;
        if !done.status.success() {
            bail!("`muster up --prepare` failed: {}", String::from_utf8_lossy(&done.stderr));
        }
        Ok(Self { folder, first, count })
    }

    pub(super) fn nodes(&self) -> usize {
        self.count
    }

    /// Turns each configuration to our wires and our store.
    pub(super) fn configure(&self, storage: Option<&Table>) -> anyhow::Result<()> {
        let seeds: Vec<_> =
            self.ends().iter().map(|ends| Value::String(ends.gossip_shown.to_string())).collect();
        for number in 0..self.count {
            let config = self.folder.join(format!("node-{number}")).join("muster.toml");
            let mut file: Table = fs::read_to_string(&config)?.parse()?;
            let shown = self.ends()[number].link_shown.ip().to_string();
            set(&mut file, "cluster", "advertise", Value::String(shown));
            set(&mut file, "cluster", "seeds", Value::Array(seeds.clone()));
            set(&mut file, "node", "drain_seconds_max", Value::Integer(DRAIN_SECONDS_MAX));
            let level = "info,muster_actors::writes=trace";
            set(&mut file, "log", "level", Value::String(level.to_owned()));
            if let Some(storage) = storage {
                file.insert("storage".into(), Value::Table(storage.clone()));
            }
            fs::write(&config, toml::to_string(&file)?)?;
        }
        Ok(())
    }

    pub(super) fn ends(&self) -> Vec<Ends> {
        let ends = |number: usize| {
            let shown = Ipv4Addr::new(127, 0, 2, u8::try_from(number + 1).unwrap_or(u8::MAX));
            let own = |offset| self.address(number, offset);
            let shown = |offset| SocketAddr::from((shown, self.address(number, offset).port()));
            Ends {
                link: own(LINK),
                link_shown: shown(LINK),
                gossip: own(GOSSIP),
                gossip_shown: shown(GOSSIP),
            }
        };
        (0..self.count).map(ends).collect()
    }

    pub(super) fn node(&self, number: usize, order: &Order, pids: &Pids) -> Node {
        let name = format!("node-{number}");
        let folder = self.folder.join(&name);
        let mut clients = self.address(number, 0);
        clients.set_port(clients.port() - 1);
        Node {
            config: folder.join("muster.toml"),
            eye: Eye {
                node: number,
                http: self.address(number, HTTP),
                token: folder.join("data").join("admin-token"),
                pids: pids.clone(),
            },
            name,
            folder,
            clients,
            wanted: false,
            program: order.muster.clone(),
            environment: order.environment.clone(),
            process: None,
            paused: false,
        }
    }

    fn address(&self, number: usize, offset: usize) -> SocketAddr {
        let port = self.first + number * PORTS_PER_NODE + offset;
        SocketAddr::from((Ipv4Addr::LOCALHOST, u16::try_from(port).expect("the range ends below 26 000")))
    }
}

fn set(file: &mut Table, section: &str, key: &str, value: Value) {
    let section = file.entry(section).or_insert_with(|| Value::Table(Table::new()));
    if let Some(section) = section.as_table_mut() {
        section.insert(key.to_owned(), value);
    }
}

/// A first port from which on all that the nodes need are free. Where it is looked for first differs from process to process,
/// so that two that begin at once do not take the same.
fn free_range(nodes: usize) -> anyhow::Result<usize> {
    const STEP: usize = 150;
    let span = nodes * PORTS_PER_NODE + 60;
    let is_free = |port: usize| {
        let Ok(port) = u16::try_from(port) else { return false };
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
            && UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
    };
    let count = PORTS.len().div_ceil(STEP);
    let first = |turn| PORTS.start + (std::process::id() as usize + turn) % count * STEP;
    let found = (0..count).map(first).find(|first| (first - 1..first + span).all(is_free));
    found.context("no range of ports is free between 24000 and 26000")
}
