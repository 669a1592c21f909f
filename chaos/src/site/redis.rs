//! A redis-server of our own: what it has answered outlives its process, as it should where it matters.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::bail;
use rustix::process::Signal;

use super::process::{Command, Process};

const START_TIME_MAX: Duration = Duration::from_secs(20);

/// A redis-server.
pub struct Redis {
    /// Where it listens, also after it has been started again.
    pub address: SocketAddr,
    folder: PathBuf,
    process: Option<Process>,
    paused: bool,
}

impl Redis {
    pub(super) fn start(folder: &Path) -> anyhow::Result<Self> {
        let folder = folder.join("redis");
        std::fs::create_dir_all(&folder)?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut redis = Self { address, folder, process: None, paused: false };
        redis.heal()?;
        Ok(redis)
    }

    /// Ends it as a crash does.
    ///
    /// # Errors
    /// The system does not do it.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.paused = false;
        self.process.take().map_or(Ok(()), |mut process| process.kill())
    }

    /// Stops it in the middle of whatever it does.
    ///
    /// # Errors
    /// The system does not do it.
    pub fn pause(&mut self) -> anyhow::Result<()> {
        self.paused = true;
        self.process.as_mut().map_or(Ok(()), |process| process.signal(Signal::STOP))
    }

    /// Lets it go on, or starts it again, and waits until it answers.
    ///
    /// # Errors
    /// It does not.
    pub fn heal(&mut self) -> anyhow::Result<()> {
        if let (Some(process), true) = (&mut self.process, self.paused) {
            self.paused = false;
            return process.signal(Signal::CONT);
        }
        if self.process.is_some() {
            return Ok(());
        }
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &self.address.port().to_string()]);
        command.args(["--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--dir"]);
        command.arg(&self.folder);
        self.process = Some(Process::start(command, &self.folder.join("log"))?);
        let deadline = Instant::now() + START_TIME_MAX;
        while TcpStream::connect(self.address).is_err() {
            if Instant::now() > deadline {
                bail!("redis-server does not answer: see {}", self.folder.join("log").display());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}
