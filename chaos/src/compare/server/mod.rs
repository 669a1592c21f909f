//! The servers that are compared: each started by us in a scratch folder on free loopback ports, and ended by its pid.

mod ejabberd;
mod floor;
mod muster;
mod prosody;

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::DOMAIN;
use crate::client::{Accounts, Engine, Manners, Mechanism, Purpose, Security, Targets};
use crate::load::{Register, Scene};
use crate::measure::Processes;
use crate::nodes::Nodes;

const READY_TIME_MAX: Duration = Duration::from_secs(60);
const STOP_TIME_MAX: Duration = Duration::from_secs(20);

/// Which servers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Kind {
    /// Muster, one node
    Muster,
    /// Muster, two nodes
    #[value(name = "muster-2")]
    Muster2,
    /// Muster, three nodes
    #[value(name = "muster-3")]
    Muster3,
    /// Muster, five nodes
    #[value(name = "muster-5")]
    Muster5,
    /// A relay without XMPP
    Floor,
    /// ejabberd as Debian has it
    Ejabberd,
    /// Prosody as Debian has it
    Prosody,
}

impl Kind {
    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Muster => "muster",
            Self::Muster2 => "muster-2",
            Self::Muster3 => "muster-3",
            Self::Muster5 => "muster-5",
            Self::Floor => "floor",
            Self::Ejabberd => "ejabberd",
            Self::Prosody => "prosody",
        }
    }
}

/// What servers are made from.
pub(super) struct Site {
    pub(super) folder: PathBuf,
    pub(super) muster: PathBuf,
    pub(super) accounts: Accounts,
    pub(super) accounts_count: usize,
}

/// A server that runs.
pub(super) struct Server {
    pub(super) kind: Kind,
    pub(super) version: String,
    plain: Vec<SocketAddr>,
    direct: Vec<SocketAddr>,
    pub(super) processes: Processes,
    stop: Stop,
}

enum Stop {
    Child(Child),
    /// Stopped when it is dropped.
    Muster(Nodes),
}

impl Server {
    /// Starts one on the cores that this thread is bound to, and waits until it answers.
    pub(super) fn start(kind: Kind, site: &Site) -> anyhow::Result<Self> {
        let folder = site.folder.join(kind.name());
        let fresh = !folder.exists();
        std::fs::create_dir_all(&folder)?;
        let started = match kind {
            Kind::Muster => muster::start(kind, 1, &folder, site, fresh),
            Kind::Muster2 => muster::start(kind, 2, &folder, site, fresh),
            Kind::Muster3 => muster::start(kind, 3, &folder, site, fresh),
            Kind::Muster5 => muster::start(kind, 5, &folder, site, fresh),
            Kind::Floor => floor::start(&folder),
            Kind::Ejabberd => ejabberd::start(&folder),
            Kind::Prosody => prosody::start(&folder),
        };
        let server = started.with_context(|| format!("{} could not be started", kind.name()))?;
        let registers = fresh && matches!(kind, Kind::Ejabberd | Kind::Prosody);
        let prepared = server
            .wait_until_ready(&folder)
            .and_then(|()| if registers { server.register(site) } else { Ok(()) });
        if let Err(error) = prepared {
            server.stop();
            return Err(error);
        }
        if fresh && kind != Kind::Floor {
            // What made all accounts holds more memory than what only serves them.
            server.stop();
            return Self::start(kind, site);
        }
        Ok(server)
    }

    /// Where clients connect, with what protection; nothing if it has no such listener.
    pub(super) fn targets(&self, security: Security) -> &[SocketAddr] {
        match security {
            Security::Plain | Security::Starttls => &self.plain,
            Security::Direct | Security::Tickets => &self.direct,
        }
    }

    /// The processes that were started.
    pub(super) fn pids(&self) -> Vec<u32> {
        match &self.stop {
            Stop::Child(child) => vec![child.id()],
            Stop::Muster(nodes) => nodes.pids.clone(),
        }
    }

    /// Ends it.
    pub(super) fn stop(self) {
        match self.stop {
            Stop::Child(mut child) => end(&mut child),
            Stop::Muster(nodes) => drop(nodes),
        }
    }

    fn wait_until_ready(&self, folder: &Path) -> anyhow::Result<()> {
        let deadline = Instant::now() + READY_TIME_MAX;
        for target in self.plain.iter().chain(&self.direct) {
            while TcpStream::connect_timeout(target, Duration::from_secs(1)).is_err() {
                if Instant::now() > deadline {
                    bail!("{} does not answer on {target}: see {}", self.kind.name(), folder.display());
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        Ok(())
    }

    /// Makes the accounts over the wire.
    fn register(&self, site: &Site) -> anyhow::Result<()> {
        eprintln!("{}: making {} accounts", self.kind.name(), site.accounts_count);
        let manners = Manners {
            accounts: site.accounts.clone(),
            security: Security::Plain,
            mechanism: Mechanism::ScramSha1,
            managed: false,
            resumes: false,
            ask_every: 1,
            purpose: Purpose::Register,
            eager: false,
        };
        let server = self.processes.clone();
        let scene =
            Scene { manners: manners.clone(), server, warm_up_seconds: 0.0, seconds: 0.0, concurrency: 8 };
        let mut register = Register::new(&scene, site.accounts_count);
        Engine::new(&Targets::of(&self.plain), manners, site.accounts_count)?.run(&mut register)?;
        let report = register.report();
        if report.failed > 0 {
            bail!("{} accounts could not be made: {}", report.failed, report.why.unwrap_or_default());
        }
        Ok(())
    }
}

fn end(child: &mut Child) {
    let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // One that has ended needs no signal.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    let deadline = Instant::now() + STOP_TIME_MAX;
    while Instant::now() < deadline {
        if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    // What does not end when asked is ended.
    let _ = child.kill();
    let _ = child.wait();
}

/// Starts a program whose output goes to a file.
fn spawn(mut command: Command, folder: &Path) -> anyhow::Result<Child> {
    let log = File::options().create(true).append(true).open(folder.join("log"))?;
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    command.spawn().with_context(|| format!("{name} cannot be run: is it installed?"))
}

/// Free ports of this machine.
fn free_ports<const N: usize>() -> anyhow::Result<[SocketAddr; N]> {
    let held: Vec<_> =
        (0..N).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<Result<_, _>>()?;
    let mut ports = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)); N];
    for (port, listener) in ports.iter_mut().zip(&held) {
        *port = listener.local_addr()?;
    }
    Ok(ports)
}

/// The first line that a program says about its version.
fn version(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or("unknown").trim().to_owned()
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

/// The address of the service for rooms.
pub(super) fn conference() -> String {
    format!("conference.{DOMAIN}")
}
