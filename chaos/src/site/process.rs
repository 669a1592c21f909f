//! A child process: started with its output in a file, signalled, and ended with whatever started it.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
pub(super) use std::process::Command;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

/// A process of ours. Dropping it kills it.
pub(super) struct Process(Child);

impl Process {
    /// Starts a program, its output added to `log`.
    pub(super) fn start(mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let file = File::options().create(true).append(true).open(log);
        let file = file.with_context(|| format!("{} cannot be written", log.display()))?;
        let name = command.get_program().to_string_lossy().into_owned();
        // In a group of its own, so that Ctrl-C reaches it through us and in order.
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).process_group(0);
        let child = command.spawn().with_context(|| format!("{name} cannot be run: is it installed?"))?;
        Ok(Self(child))
    }

    pub(super) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().ok().flatten()
    }

    /// A child that was not waited for keeps its pid, so the signal reaches nobody else.
    pub(super) fn signal(&mut self, signal: Signal) -> anyhow::Result<()> {
        if self.ended().is_some() {
            return Ok(());
        }
        let pid =
            i32::try_from(self.0.id()).ok().and_then(Pid::from_raw).context("a process without an id")?;
        Ok(kill_process(pid, signal)?)
    }

    /// Bounds the size of every file that it writes.
    pub(super) fn limit_files(&self, bytes_max: Option<u64>) -> anyhow::Result<()> {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        prlimit(pid, Resource::Fsize, Rlimit { current: bytes_max, maximum: None })?;
        Ok(())
    }

    /// Kills it and waits for its end.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// Asks it to end, and waits.
    pub(super) fn stop(&mut self, most: Duration) -> anyhow::Result<()> {
        self.signal(Signal::TERM)?;
        let deadline = Instant::now() + most;
        while self.ended().is_none() {
            if Instant::now() > deadline {
                self.kill()?;
                bail!("it did not end within {} s of SIGTERM", most.as_secs());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended cannot be killed.
        let _ = self.kill();
    }
}
