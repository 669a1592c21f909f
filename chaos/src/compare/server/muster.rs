//! Muster, started with `muster up`, its accounts imported.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use super::super::DOMAIN;
use super::{Kind, Server, Site, Stop, version, write};
use crate::measure::Processes;

/// Node k has its clients' ports at 10k from the first port: clear one before it, STARTTLS at it, TLS one after it.
const PORTS_PER_NODE: u16 = 10;
/// Its other ports follow within these.
const PORTS: u16 = 60;

pub(super) fn start(
    kind: Kind,
    nodes: u16,
    folder: &Path,
    site: &Site,
    fresh: bool,
) -> anyhow::Result<Server> {
    let port = free_range(nodes)?;
    let up = Command::new(&site.muster)
        .args(["up", "--plaintext", "--detach", "--domain", DOMAIN, "--nodes", &nodes.to_string()])
        .args(["--port", &port.to_string(), "--dir"])
        .arg(folder)
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("{} cannot be run", site.muster.display()))?;
    if !up.success() {
        bail!("`muster up` failed");
    }
    let stop = Stop::Muster { program: site.muster.clone(), folder: folder.to_owned() };
    let mut pids = Vec::new();
    for node in 0..nodes {
        let pid = std::fs::read_to_string(folder.join(format!("node-{node}")).join("pid"))?;
        pids.push(pid.trim().parse()?);
    }
    let at = |offset: i32| {
        let port = move |node: u16| i32::from(port + node * PORTS_PER_NODE) + offset;
        let address = move |node| {
            SocketAddr::from((Ipv4Addr::LOCALHOST, u16::try_from(port(node)).unwrap_or_default()))
        };
        (0..nodes).map(address).collect()
    };
    let version = version(&site.muster.to_string_lossy(), &["--version"]);
    let server =
        Server { kind, version, plain: at(-1), direct: at(1), processes: Processes::new(pids), stop };
    if fresh {
        eprintln!("{}: making {} accounts", kind.name(), site.accounts_count);
        let file = folder.join("bench-accounts");
        write(&file, &site.accounts.file(0..site.accounts_count))?;
        let mut import = Command::new(&site.muster);
        import
            .args(["user", "import"])
            .arg(&file)
            .arg("--config")
            .arg(folder.join("node-0").join("muster.toml"));
        if !import.stdout(Stdio::null()).status()?.success() {
            server.stop();
            bail!("`muster user import` failed");
        }
    }
    Ok(server)
}

/// A first port from which on all that the nodes need are free.
fn free_range(nodes: u16) -> anyhow::Result<u16> {
    let free = |first: u16| {
        let mut ports = first - 1..first + nodes * PORTS_PER_NODE + PORTS;
        ports.all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
    };
    (11_000u16..30_000).step_by(200).find(|first| free(*first)).context("no range of ports is free")
}
