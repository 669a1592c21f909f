//! One node: its process, and what it says of itself.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::Signal;

use super::Eye;
use super::process::{Command, Process};

/// How a node's process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// It runs.
    Running,
    /// It stands still (SIGSTOP).
    Paused,
    /// There is none.
    Ended,
}

/// A node.
pub struct Node {
    /// What it is called.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Its configuration.
    pub config: PathBuf,
    /// Where clients connect.
    pub clients: SocketAddr,
    /// What it says of itself.
    pub eye: Eye,
    /// Whether it should run when all faults are healed.
    pub wanted: bool,
    pub(super) program: PathBuf,
    pub(super) environment: Vec<(String, String)>,
    pub(super) process: Option<Process>,
    pub(super) paused: bool,
}

impl Node {
    /// Starts its process.
    pub(super) fn start(&mut self) -> anyhow::Result<u32> {
        // A shell that makes a file's size limit an error rather than an end (SIGXFSZ), and then becomes the node.
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec \"$0\" serve --config \"$1\""]).arg(&self.program);
        command.arg(&self.config).envs(self.environment.iter().cloned());
        let process = Process::start(command, &self.log())?;
        let pid = process.pid();
        self.process = Some(process);
        self.paused = false;
        self.wanted = true;
        Ok(pid)
    }

    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        self.paused = false;
        match self.process.take() {
            Some(mut process) => process.kill(),
            None => bail!("{} does not run", self.name),
        }
    }

    pub(super) fn stop(&mut self, most: Duration) -> anyhow::Result<()> {
        let mut process = self.process.take().with_context(|| format!("{} does not run", self.name))?;
        process.stop(most).with_context(|| self.name.clone())
    }

    /// Stops its process in the middle of whatever it does (SIGSTOP).
    ///
    /// # Errors
    /// The system does not do it.
    pub fn pause(&mut self) -> anyhow::Result<()> {
        if let Some(process) = &mut self.process {
            process.signal(Signal::STOP)?;
            self.paused = true;
        }
        Ok(())
    }

    /// Lets it go on (SIGCONT).
    ///
    /// # Errors
    /// The system does not do it.
    pub fn resume(&mut self) -> anyhow::Result<()> {
        if let (Some(process), true) = (&mut self.process, self.paused) {
            process.signal(Signal::CONT)?;
            self.paused = false;
        }
        Ok(())
    }

    /// Bounds the size of every file that its process writes (setrlimit(2)).
    ///
    /// # Errors
    /// The system does not do it.
    pub fn limit_files(&mut self, bytes_max: Option<u64>) -> anyhow::Result<()> {
        self.process.as_ref().map_or(Ok(()), |process| process.limit_files(bytes_max))
    }

    /// How its process is.
    #[must_use]
    pub fn run(&self) -> Run {
        match (&self.process, self.paused) {
            (None, _) => Run::Ended,
            (Some(_), true) => Run::Paused,
            (Some(_), false) => Run::Running,
        }
    }

    /// How its process ended, if it did so by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.as_mut()?.ended()
    }

    /// Where its log is.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Moves everything to the other nodes, as `muster node drain` does.
    ///
    /// # Errors
    /// It does not, in time.
    pub fn drain(&self) -> anyhow::Result<()> {
        let mut command = Command::new(&self.program);
        let done = command.args(["node", "drain", "--config"]).arg(&self.config).output()?;
        if !done.status.success() {
            bail!("{} was not drained: {}", self.name, String::from_utf8_lossy(&done.stderr));
        }
        Ok(())
    }
}
