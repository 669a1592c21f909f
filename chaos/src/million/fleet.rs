//! The processes that hold the sessions, as one.

use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::part::{Last, Part, Told};
use crate::load::{Phase, Status};
use crate::measure::{Faults, Latency};

const END_TIME_MAX: Duration = Duration::from_secs(120);

/// All parts; ended when it is dropped.
pub(super) struct Fleet {
    parts: Vec<Running>,
}

struct Running {
    child: Child,
    say: Option<ChildStdin>,
    told: Arc<Mutex<Told>>,
    reader: Option<JoinHandle<()>>,
}

/// What all parts found out together.
#[derive(Default)]
pub(super) struct Found {
    pub(super) faults: Faults,
    pub(super) latency: Latency,
    pub(super) away: Latency,
    /// Parts that did not say.
    pub(super) silent: usize,
}

impl Fleet {
    /// Starts a process for each part.
    pub(super) fn start(parts: &[Part]) -> anyhow::Result<Self> {
        let program = std::env::current_exe()?;
        let mut fleet = Self { parts: Vec::new() };
        for part in parts {
            let mut child = Command::new(&program)
                .arg("part")
                .args(part.arguments())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .context("a generator cannot be started")?;
            let told = Arc::new(Mutex::new(Told::default()));
            let reader = child.stdout.take().map(|out| {
                let told = told.clone();
                std::thread::spawn(move || {
                    for line in BufReader::new(out).lines().map_while(Result::ok) {
                        if let (Ok(new), Ok(mut told)) = (serde_json::from_str(&line), told.lock()) {
                            *told = new;
                        }
                    }
                })
            });
            let say = child.stdin.take();
            fleet.parts.push(Running { child, say, told, reader });
        }
        Ok(fleet)
    }

    /// Tells every part what to do from now on.
    pub(super) fn say(&mut self, phase: Phase) -> anyhow::Result<()> {
        let line = format!("{}\n", serde_json::to_string(&phase)?);
        for part in &mut self.parts {
            if let Some(say) = &mut part.say {
                say.write_all(line.as_bytes()).context("a generator does not listen")?;
            }
        }
        Ok(())
    }

    /// How things stand, all parts together.
    pub(super) fn status(&mut self) -> anyhow::Result<Status> {
        let mut all = Status::default();
        for part in &mut self.parts {
            if let Some(ended) = part.child.try_wait()? {
                bail!("a generator ended: {ended}");
            }
            let Ok(told) = part.told.lock() else { continue };
            let one = &told.status;
            all.clients += one.clients;
            all.came += one.came;
            all.connected += one.connected;
            all.broken += one.broken;
            all.resumed += one.resumed;
            all.ended += one.ended;
            all.gone += one.gone;
            all.refused += one.refused;
            all.sent += one.sent;
            all.delivered += one.delivered;
            all.why = all.why.or_else(|| one.why.clone());
        }
        Ok(all)
    }

    /// Their processes.
    pub(super) fn pids(&self) -> Vec<u32> {
        self.parts.iter().map(|part| part.child.id()).collect()
    }

    /// Ends all parts and gathers what they found out.
    pub(super) fn end(mut self) -> anyhow::Result<Found> {
        self.say(Phase::End)?;
        let mut found = Found::default();
        let deadline = Instant::now() + END_TIME_MAX;
        for part in &mut self.parts {
            while part.child.try_wait()?.is_none() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(20));
            }
            if part.child.try_wait()?.is_some()
                && let Some(reader) = part.reader.take()
            {
                // One that panicked has told nothing, which is seen below.
                let _ = reader.join();
            }
            match part.told.lock().ok().and_then(|mut told| told.last.take()) {
                Some(Last { faults, latency, away }) => {
                    found.faults += faults;
                    found.latency.add_recorded(&latency);
                    found.away.add_recorded(&away);
                }
                None => found.silent += 1,
            }
        }
        Ok(found)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for part in &mut self.parts {
            // A part whose standard input is closed ends by itself; what does not is ended.
            part.say = None;
            if matches!(part.child.try_wait(), Ok(None)) {
                let _ = part.child.kill();
            }
            let _ = part.child.wait();
        }
    }
}
