//! The processes that `muster up` starts: watched, and ended with it.

use std::fs::OpenOptions;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::folder::configure;
use super::plan::Plan;
use super::process::END_TIME_MAX;
use super::redis::Redis;
use super::{Failure, refused};

/// How long the cluster may take to become ready, and how much longer for each node: each is a change of the view for all.
const READY_TIME_MAX: Duration = Duration::from_secs(90);
const READY_TIME_PER_NODE: Duration = Duration::from_secs(5);
/// Lines of a log that are shown when its process ends too early.
const LOG_LINES: usize = 12;

/// What runs, in the order in which it was started.
#[derive(Default)]
pub(super) struct Nodes(Vec<Started>);

struct Started {
    name: String,
    folder: PathBuf,
    child: Child,
}

impl Nodes {
    /// Starts every node.
    pub(super) fn start(&mut self, plan: &Plan, redis: Option<&Redis>) -> Result<(), Failure> {
        let program = std::env::current_exe().map_err(refused)?;
        for node in &plan.nodes {
            let config = configure(plan, node, redis)?;
            let mut command = Command::new(&program);
            command.arg("serve").arg("--config").arg(config);
            self.spawn(&node.id, &node.folder, command)?;
        }
        Ok(())
    }

    /// Starts a process with its log and pid in a folder.
    pub(super) fn spawn(&mut self, name: &str, folder: &Path, mut command: Command) -> Result<(), Failure> {
        let log = folder.join("log");
        let out = OpenOptions::new().create(true).append(true).open(&log);
        let (out, err) = out
            .and_then(|file| Ok((file.try_clone()?, file)))
            .map_err(|error| refused(format!("{} cannot be written: {error}", log.display())))?;
        // In a process group of its own, so that Ctrl-C reaches it once, in order, through us.
        let child = command.stdin(Stdio::null()).stdout(out).stderr(err).process_group(0).spawn();
        let child = child.map_err(|error| refused(format!("{name} could not be started: {error}")))?;
        let pid = child.id();
        self.0.push(Started { name: name.to_owned(), folder: folder.to_path_buf(), child });
        std::fs::write(folder.join("pid"), format!("{pid}\n")).map_err(refused)
    }

    /// Waits until every node says that it is ready.
    pub(super) async fn wait_until_ready(&mut self, plan: &Plan) -> Result<(), Failure> {
        let nodes = u32::try_from(plan.nodes.len()).unwrap_or(u32::MAX);
        let deadline = Instant::now() + READY_TIME_MAX + READY_TIME_PER_NODE.saturating_mul(nodes);
        for node in &plan.nodes {
            let mut why = String::new();
            while !is_ready(node.http, &mut why) {
                self.check()?;
                if Instant::now() > deadline {
                    let log = node.folder.join("log");
                    return Err(refused(format!("{} is not ready ({why}); see {}", node.id, log.display())));
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        Ok(())
    }

    /// Fails if any has ended.
    pub(super) fn check(&mut self) -> Result<(), Failure> {
        for started in &mut self.0 {
            if let Ok(Some(status)) = started.child.try_wait() {
                let log = started.folder.join("log");
                let text = std::fs::read_to_string(&log).unwrap_or_default();
                let lines: Vec<_> = text.lines().collect();
                let last = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n  ");
                return Err(refused(format!(
                    "{} ended ({status}). Its log {} ends with:\n  {last}",
                    started.name,
                    log.display()
                )));
            }
        }
        Ok(())
    }

    /// Tells of each that ends, until none is left.
    pub(super) async fn watch(&mut self) -> Failure {
        let mut ended = vec![false; self.0.len()];
        while ended.iter().any(|ended| !ended) {
            tokio::time::sleep(Duration::from_millis(200)).await;
            for (started, ended) in self.0.iter_mut().zip(&mut ended) {
                if let (false, Ok(Some(status))) = (*ended, started.child.try_wait()) {
                    *ended = true;
                    say!("{} ended ({status}); see {}", started.name, started.folder.join("log").display());
                }
            }
        }
        refused("every node has ended")
    }

    /// Ends all: first the nodes, then what they need.
    pub(super) async fn stop(&mut self) {
        let (stores, nodes): (Vec<_>, Vec<_>) =
            self.0.drain(..).partition(|started| started.folder.ends_with("redis"));
        for group in [nodes, stores] {
            end(group).await;
        }
    }
}

async fn end(mut group: Vec<Started>) {
    for started in &mut group {
        signal(started, Signal::TERM);
    }
    let deadline = Instant::now() + END_TIME_MAX;
    for started in &mut group {
        while matches!(started.child.try_wait(), Ok(None)) {
            if Instant::now() >= deadline {
                signal(started, Signal::KILL);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let _ = std::fs::remove_file(started.folder.join("pid"));
    }
}

/// A child that was not waited for keeps its pid, so the signal reaches nobody else.
fn signal(started: &mut Started, signal: Signal) {
    if matches!(started.child.try_wait(), Ok(None))
        && let Some(pid) = i32::try_from(started.child.id()).ok().and_then(Pid::from_raw)
    {
        let _ = kill_process(pid, signal);
    }
}

fn is_ready(address: std::net::SocketAddr, why: &mut String) -> bool {
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(2)))
        .http_status_as_error(false)
        .proxy(None)
        .build();
    let agent: ureq::Agent = agent.into();
    match agent.get(format!("http://{address}/ready")).call() {
        Ok(response) if response.status().is_success() => true,
        Ok(mut response) => {
            *why = response.body_mut().read_to_string().unwrap_or_default().trim().to_owned();
            false
        }
        Err(error) => {
            *why = error.to_string();
            false
        }
    }
}
