//! One domain, a million sessions: as many nodes and as many generators as the machine's limits ask for; messages flow, a node
//! is killed, its clients come back.

mod account;
mod fleet;
mod limits;
mod part;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use rustix::process::{Pid, Signal, kill_process};

use crate::client::Accounts;
use crate::interrupt;
use crate::load::{Phase, Status};
use crate::measure::Processes;
use crate::nodes::Nodes;
use account::{Account, Held, Outcome};
use fleet::Fleet;
use limits::{Division, Machine};
pub use part::Part;

const DOMAIN: &str = "localhost";
const LOOK: Duration = Duration::from_secs(1);
/// So much of what ended a connection is shown.
const WHY: usize = 80;
const TELL_EVERY: u32 = 10;
/// How long nothing may go forward before a run is given up.
const STALL_MAX: Duration = Duration::from_secs(180);
/// How long after the last message what is missing counts as lost.
const QUIET_MAX: Duration = Duration::from_secs(30);
/// A node rests when it uses no more than this part of a core, and nodes do when all together do so for so many looks.
const REST_CPU: f64 = 0.02;
const REST_LOOKS: u32 = 3;
/// Log-ins at the same time, of all generators together: so many that a node that wakes has some to do.
const CONCURRENCY: usize = 2_160;

/// How many, and for how long.
#[derive(Args)]
pub struct Options {
    /// Sessions
    #[arg(long, default_value_t = 1_020_000)]
    sessions: usize,
    /// Minutes of messages before a node is killed
    #[arg(long, default_value_t = 5.0)]
    minutes: f64,
    /// Messages in a second, all together
    #[arg(long, default_value_t = 16_000.0)]
    rate: f64,
    /// Nodes, instead of as many as the limits ask for
    #[arg(long)]
    nodes: Option<usize>,
    /// Only look at the limits
    #[arg(long)]
    check: bool,
    /// Go on although a limit is too low
    #[arg(long)]
    anyway: bool,
    /// The program of Muster
    #[arg(long, default_value = "target/release/muster")]
    muster: PathBuf,
    /// The folder of everything that is started; made anew
    #[arg(long, default_value = "var/million")]
    dir: PathBuf,
    /// The folder for million.json and million.md
    #[arg(long, default_value = "var/bench-results")]
    out: PathBuf,
}

/// Runs it.
///
/// # Errors
/// A limit is too low, something cannot be started, or it was interrupted.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let machine = Machine::this();
    let sessions = options.sessions - options.sessions % 2;
    let mut division = machine.divide(sessions);
    division.nodes = options.nodes.unwrap_or(division.nodes);
    println!("{sessions} sessions: {} nodes, {} generators", division.nodes, division.parts);
    let faults = machine.faults(sessions);
    faults.iter().for_each(|fault| println!("{fault}"));
    if !faults.is_empty() {
        println!("memory allows about {} sessions", machine.sessions_for_memory(division.nodes));
    }
    if options.check {
        return Ok(());
    }
    if !faults.is_empty() && !options.anyway {
        bail!("a limit is too low; --anyway tries nevertheless");
    }
    let dir = prepare(&options.dir)?;
    std::fs::create_dir_all(&options.out)?;
    interrupt::catch()?;
    let outcome = Play { options, sessions, division, dir }.run()?;
    let text = outcome.text();
    std::fs::write(options.out.join("million.json"), serde_json::to_string_pretty(&outcome)?)?;
    std::fs::write(options.out.join("million.md"), &text)?;
    print!("{text}");
    Ok(())
}

/// The accounts from this number on.
fn accounts(first: usize) -> Accounts {
    Accounts { domain: DOMAIN.into(), password: "bench-password".into(), resource: "bench".into(), first }
}

/// An empty folder; only one that an earlier run has made is removed.
fn prepare(dir: &Path) -> anyhow::Result<PathBuf> {
    let dir = std::path::absolute(dir)?;
    let mark = dir.join("muster-bench");
    if mark.exists() {
        std::fs::remove_dir_all(&dir)?;
    }
    std::fs::create_dir_all(&dir)?;
    std::fs::write(mark, "")?;
    Ok(dir)
}

struct Play<'a> {
    options: &'a Options,
    sessions: usize,
    division: Division,
    dir: PathBuf,
}

impl Play<'_> {
    fn run(&self) -> anyhow::Result<Outcome> {
        let nodes = self.start()?;
        let servers = Processes::new(nodes.pids.clone());
        let mut outcome = Outcome::new(self.sessions, self.division, self.options.rate);
        outcome.empty = Held::now(&servers, &Processes::default());

        let (began, busy) = (Instant::now(), servers.cpu());
        let mut fleet = Fleet::start(&self.parts(&nodes))?;
        let generators = Processes::new(fleet.pids());
        self.wait(&mut fleet, "log in", |status| {
            // A generator that has not said anything yet has no clients.
            status.clients >= self.sessions && status.came + usize_of(status.gone) >= status.clients
        })?;
        outcome.log_in_seconds = began.elapsed().as_secs_f64();
        outcome.log_in_cpu_seconds = (servers.cpu().saturating_sub(busy)).as_secs_f64();
        outcome.held = Held::now(&servers, &generators);
        outcome.came = fleet.status()?.came;

        fleet.say(Phase::Talk)?;
        outcome.talk = self.talk(&mut fleet, &servers, &generators, self.options.minutes * 60.0)?;
        self.kill(&nodes, &mut fleet, &mut outcome)?;
        outcome.after = self.talk(&mut fleet, &servers, &generators, 30.0)?;
        fleet.say(Phase::Hold)?;
        let mut last = (0, Instant::now());
        self.wait(&mut fleet, "wait for what is missing", |status| {
            if status.delivered > last.0 {
                last = (status.delivered, Instant::now());
            }
            status.delivered >= status.sent || last.1.elapsed() > QUIET_MAX
        })?;
        outcome.finish(fleet.status()?, fleet.end()?);
        drop(nodes);
        Ok(outcome)
    }

    /// Makes the accounts before the first node runs, and starts all nodes.
    fn start(&self) -> anyhow::Result<Nodes> {
        let program = std::path::absolute(&self.options.muster)?;
        let count = u16::try_from(self.division.nodes).context("too many nodes")?;
        // One thread of connections per node: there are more nodes than cores.
        let settings = [("MUSTER_NODE__ARBITERS", "1"), ("MUSTER_LOG__LEVEL", "warn")];
        drop(Nodes::start(&program, &self.dir, 1, DOMAIN, &settings)?);
        let began = Instant::now();
        Nodes::import(&program, &self.dir, &accounts(0), self.sessions)?;
        eprintln!("{} accounts in {:.0} s", self.sessions, began.elapsed().as_secs_f64());
        let began = Instant::now();
        let nodes = Nodes::start(&program, &self.dir, count, DOMAIN, &settings)?;
        rest(&nodes)?;
        eprintln!("{count} nodes at rest in {:.0} s", began.elapsed().as_secs_f64());
        Ok(nodes)
    }

    fn parts(&self, nodes: &Nodes) -> Vec<Part> {
        let parts = self.division.parts;
        let pairs = self.sessions / 2;
        let first = |part: usize| 2 * (pairs * part / parts);
        let part = |part: usize| {
            let clients = first(part + 1) - first(part);
            let rate = self.options.rate * clients as f64 / self.sessions.max(1) as f64;
            let targets = nodes.plain.clone();
            Part::new(targets, first(part), clients, rate, CONCURRENCY.div_ceil(parts))
        };
        (0..parts).map(part).collect()
    }

    /// Looks until it is done, tells how it goes, and gives up when nothing moves any more.
    fn wait(
        &self,
        fleet: &mut Fleet,
        what: &str,
        mut done: impl FnMut(&Status) -> bool,
    ) -> anyhow::Result<Status> {
        let (mut seen, mut moved_at) = ((0, 0, 0), Instant::now());
        for round in 0u32.. {
            let status = fleet.status()?;
            if done(&status) {
                return Ok(status);
            }
            let now = (status.came, status.connected, status.delivered);
            if now != seen {
                (seen, moved_at) = (now, Instant::now());
            }
            if interrupt::is_asked() {
                bail!("interrupted");
            }
            if moved_at.elapsed() > STALL_MAX {
                bail!("nothing moves any more: {what}: {status:?}");
            }
            if round.is_multiple_of(TELL_EVERY) {
                say(what, &status);
            }
            std::thread::sleep(LOOK);
        }
        unreachable!("a wait ends by a return")
    }

    fn talk(
        &self,
        fleet: &mut Fleet,
        servers: &Processes,
        generators: &Processes,
        seconds: f64,
    ) -> anyhow::Result<Account> {
        let (began, before) = (Instant::now(), fleet.status()?);
        let (busy, own) = (servers.cpu(), generators.cpu());
        let status = self.wait(fleet, "talk", |_| began.elapsed().as_secs_f64() >= seconds)?;
        Ok(Account::between(
            began.elapsed(),
            status.delivered - before.delivered,
            servers.cpu().saturating_sub(busy),
            generators.cpu().saturating_sub(own),
        ))
    }

    /// Ends the last node without a warning, and waits until its clients are back.
    fn kill(&self, nodes: &Nodes, fleet: &mut Fleet, outcome: &mut Outcome) -> anyhow::Result<()> {
        let victim = nodes.pids.last().and_then(|pid| Pid::from_raw(i32::try_from(*pid).ok()?));
        let victim = victim.context("there is a node")?;
        let began = Instant::now();
        let before = fleet.status()?.broken;
        eprintln!("killing process {victim:?}");
        kill_process(victim, Signal::KILL)?;
        self.wait(fleet, "come back", |status| {
            let broken = status.broken > before;
            let back = status.connected + usize_of(status.gone) >= status.clients;
            (broken && back) || (!broken && began.elapsed() > STALL_MAX)
        })?;
        outcome.back_seconds = began.elapsed().as_secs_f64();
        Ok(())
    }
}

/// Waits until the nodes rest: when the last one is ready, some still agree on their view and make second copies.
fn rest(nodes: &Nodes) -> anyhow::Result<()> {
    let (servers, began) = (Processes::new(nodes.pids.clone()), Instant::now());
    let (mut busy, mut looks) = (servers.cpu(), 0);
    while looks < REST_LOOKS {
        std::thread::sleep(LOOK);
        let now = servers.cpu();
        let used = now.saturating_sub(std::mem::replace(&mut busy, now)).as_secs_f64();
        looks = if used <= REST_CPU * nodes.pids.len() as f64 { looks + 1 } else { 0 };
        if interrupt::is_asked() || began.elapsed() > STALL_MAX {
            bail!("the nodes do not come to rest: they use {used:.2} cores");
        }
    }
    Ok(())
}

fn usize_of(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn say(what: &str, status: &Status) {
    eprintln!(
        "{what}: {} of {} came, {} connected; {} sent, {} delivered; {} broken, {} resumed, {} ended, {} refused{}",
        status.came,
        status.clients,
        status.connected,
        status.sent,
        status.delivered,
        status.broken,
        status.resumed,
        status.ended,
        status.refused,
        status.why.as_ref().map_or_else(String::new, |why| format!(
            " (first: {})",
            why.chars().take(WHY).collect::<String>()
        )),
    );
}
