//! A cluster of Muster on this machine, started with `muster up` in a folder of its own, and stopped when it is dropped.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::client::{Accounts, scram_keys};

/// Node k has its clients' ports at 10k from the first port: clear one before it, STARTTLS at it, TLS one after it.
const PORTS_PER_NODE: u16 = 10;
/// Its other ports follow within these.
const PORTS: u16 = 60;
/// What Muster itself derives with.
const SCRAM_ROUNDS: u32 = 10_000;

/// The nodes that run.
pub(crate) struct Nodes {
    program: PathBuf,
    folder: PathBuf,
    /// Where clients connect in the clear.
    pub(crate) plain: Vec<SocketAddr>,
    /// Where they connect with TLS.
    pub(crate) direct: Vec<SocketAddr>,
    /// Their processes.
    pub(crate) pids: Vec<u32>,
}

impl Nodes {
    /// Starts `count` nodes with these settings over the default ones, and waits until they are ready.
    pub(crate) fn start(
        program: &Path,
        folder: &Path,
        count: u16,
        domain: &str,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let port = free_range(count)?;
        let mut up = Command::new(program);
        up.args(["up", "--plaintext", "--detach", "--domain", domain, "--nodes", &count.to_string()])
            .args(["--port", &port.to_string(), "--dir"])
            .arg(folder)
            .envs(settings.iter().copied())
            .stdout(Stdio::null());
        let at = |offset: i32| {
            let address = move |node: u16| {
                let port = i32::from(port + node * PORTS_PER_NODE) + offset;
                SocketAddr::from((Ipv4Addr::LOCALHOST, u16::try_from(port).unwrap_or_default()))
            };
            (0..count).map(address).collect()
        };
        let mut nodes = Self {
            program: program.to_owned(),
            folder: folder.to_owned(),
            plain: at(-1),
            direct: at(1),
            pids: Vec::new(),
        };
        // Dropped, and so stopped, also if only some of them came up.
        if !up.status().with_context(|| format!("{} cannot be run", program.display()))?.success() {
            bail!("`muster up` failed");
        }
        for node in 0..count {
            let pid = std::fs::read_to_string(folder.join(format!("node-{node}")).join("pid"))?;
            nodes.pids.push(pid.trim().parse()?);
        }
        Ok(nodes)
    }

    /// Makes accounts: through the first node if it runs, else straight in the store, which takes any number of them.
    pub(crate) fn import(
        program: &Path,
        folder: &Path,
        accounts: &Accounts,
        count: usize,
    ) -> anyhow::Result<()> {
        let file = folder.join("bench-accounts");
        accounts.write(&file, count, &scram_keys(&accounts.password, SCRAM_ROUNDS)?)?;
        let mut import = Command::new(program);
        import.args(["user", "import"]).arg(&file).arg("--config").arg(folder.join("node-0/muster.toml"));
        if !import.stdout(Stdio::null()).status()?.success() {
            bail!("`muster user import` failed");
        }
        Ok(())
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        let mut down = Command::new(&self.program);
        let down = down.arg("down").arg("--dir").arg(&self.folder).stdout(Stdio::null()).status();
        if let Err(error) = down {
            eprintln!("muster could not be stopped: {error}");
        }
    }
}

/// A first port from which on all that the nodes need are free.
fn free_range(nodes: u16) -> anyhow::Result<u16> {
    let free = |first: u16| {
        let mut ports = first - 1..first + nodes * PORTS_PER_NODE + PORTS;
        ports.all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
    };
    (11_000u16..30_000).step_by(200).find(|first| free(*first)).context("no range of ports is free")
}
