//! A redis-server of our own, or a sentinel: what it has answered outlives its process, as it should where it matters.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::Signal;
use toml::{Table, Value};

use super::process::{Command, Process};

const START_TIME_MAX: Duration = Duration::from_secs(20);
const ANSWER_TIME_MAX: Duration = Duration::from_secs(2);

/// A replica asks for a copy of everything seldom, and then at once.
const SERVER: &str = "appendonly yes\nappendfsync everysec\nsave \"\"\nrepl-diskless-sync-delay 0\n";

/// A redis-server.
pub struct Redis {
    /// What it is called.
    pub name: String,
    /// Where it listens, also after it has been started again.
    pub address: SocketAddr,
    folder: PathBuf,
    sentinel: bool,
    process: Option<Process>,
    paused: bool,
}

impl Redis {
    /// Starts one that keeps things, with these lines in its configuration.
    pub(super) fn start(folder: &Path, name: &str, settings: &str) -> anyhow::Result<Self> {
        Self::new(folder, name, &format!("{SERVER}{settings}"), false)
    }

    /// Starts one that watches others.
    pub(super) fn sentinel(folder: &Path, name: &str, settings: &str) -> anyhow::Result<Self> {
        Self::new(folder, name, settings, true)
    }

    fn new(folder: &Path, name: &str, settings: &str, sentinel: bool) -> anyhow::Result<Self> {
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder)?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        // A file, because sentinels and what they command write down there what has become of them.
        let place = format!("bind {}\nport {}\ndir \"{}\"\n", address.ip(), address.port(), folder.display());
        std::fs::write(folder.join("conf"), place + settings)?;
        let mut redis =
            Self { name: name.to_owned(), address, folder, sentinel, process: None, paused: false };
        redis.heal()?;
        Ok(redis)
    }

    /// What nodes are told that keep everything in it alone.
    pub(super) fn storage(&self) -> Table {
        let mut storage = Table::new();
        storage.insert("kind".into(), Value::String("redis".into()));
        storage.insert("addresses".into(), Value::Array(vec![Value::String(self.address.to_string())]));
        storage
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
        command.arg(self.folder.join("conf")).args(self.sentinel.then_some("--sentinel"));
        self.process = Some(Process::start(command, &self.folder.join("log"))?);
        let deadline = Instant::now() + START_TIME_MAX;
        while TcpStream::connect(self.address).is_err() {
            if Instant::now() > deadline {
                bail!("{} does not answer: see {}", self.name, self.folder.join("log").display());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Asks it something whose answer is one text, by a connection of its own.
    ///
    /// # Errors
    /// It does not answer in time, or refuses.
    pub fn ask(&self, words: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.address, ANSWER_TIME_MAX)?;
        stream.set_read_timeout(Some(ANSWER_TIME_MAX))?;
        stream.write_all(format!("{words}\r\n").as_bytes())?;
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        stream.read_line(&mut head)?;
        match head.trim_end().split_at_checked(1) {
            Some(("$", length)) => {
                let mut text = vec![0; length.parse()?];
                stream.read_exact(&mut text)?;
                Ok(String::from_utf8_lossy(&text).into_owned())
            }
            Some(("+" | ":", answer)) => Ok(answer.to_owned()),
            _ => bail!("{} answers {head:?} to {words}", self.name),
        }
    }

    /// What it says of itself: the rest of the line of a section of its INFO that begins like this.
    ///
    /// # Errors
    /// It does not answer in time, or says nothing of the kind.
    pub fn fact(&self, section: &str, begin: &str) -> anyhow::Result<String> {
        let facts = self.ask(&format!("INFO {section}"))?;
        let fact = facts.lines().find_map(|line| line.strip_prefix(begin));
        fact.map(str::to_owned).with_context(|| format!("{} says nothing of {begin}", self.name))
    }
}
