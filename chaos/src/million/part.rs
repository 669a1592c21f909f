//! One of the processes that hold the sessions: it is told on standard input what to do, and says on standard output, once a
//! second, how things stand.

use std::io::{BufRead, Write as _};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::client::{Distance, Engine, Manners, Mechanism, Purpose, Security, Spread, Targets};
use crate::load::{Hold, Phase, Scene, Status};
use crate::measure::{Faults, Processes};

const TELL_EVERY: Duration = Duration::from_secs(1);
const MESSAGE_BYTES: usize = 260;
const ASK_EVERY: u32 = 5;

/// What one process holds.
#[derive(Args, Clone, Debug)]
pub struct Part {
    /// Addresses of the nodes
    #[arg(long, value_delimiter = ',')]
    target: Vec<SocketAddr>,
    /// The number of the first account
    #[arg(long)]
    first: usize,
    /// Sessions
    #[arg(long)]
    clients: usize,
    /// Messages in a second
    #[arg(long)]
    rate: f64,
    /// Log-ins at the same time
    #[arg(long)]
    concurrency: usize,
}

/// What a part says.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) status: Status,
    /// What only the last word has.
    pub(super) last: Option<Last>,
}

/// What is known when all is over.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Last {
    pub(super) faults: Faults,
    pub(super) latency: Vec<(u64, u64)>,
    pub(super) away: Vec<(u64, u64)>,
}

impl Part {
    /// What another process of this program is started with to be this part.
    pub(super) fn arguments(&self) -> Vec<String> {
        let targets: Vec<String> = self.target.iter().map(ToString::to_string).collect();
        let pairs = [
            ("--target", targets.join(",")),
            ("--first", self.first.to_string()),
            ("--clients", self.clients.to_string()),
            ("--rate", self.rate.to_string()),
            ("--concurrency", self.concurrency.to_string()),
        ];
        pairs.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
    }

    pub(super) fn new(
        target: Vec<SocketAddr>,
        first: usize,
        clients: usize,
        rate: f64,
        concurrency: usize,
    ) -> Self {
        Self { target, first, clients, rate, concurrency }
    }

    fn scene(&self) -> Scene {
        Scene {
            manners: Manners {
                accounts: super::accounts(self.first),
                security: Security::Plain,
                mechanism: Mechanism::ScramSha1,
                managed: true,
                resumes: true,
                ask_every: ASK_EVERY,
                purpose: Purpose::Session,
                eager: true,
            },
            server: Processes::default(),
            warm_up_seconds: 0.0,
            seconds: 0.0,
            concurrency: self.concurrency,
        }
    }

    /// Does what it is told, until it is told to end or nobody tells it any more.
    ///
    /// # Errors
    /// The engine cannot be made, or standard output cannot be written.
    pub fn run(&self) -> anyhow::Result<()> {
        let phase = Arc::new(Mutex::new(Phase::Hold));
        listen(phase.clone());
        let mut next = Duration::ZERO;
        let steer = move |now: Duration, status: &Status| {
            let phase = phase.lock().map_or(Phase::End, |phase| *phase);
            if now < next {
                return phase;
            }
            next = now + TELL_EVERY;
            match tell(&Told { status: status.clone(), last: None }) {
                Ok(()) => phase,
                Err(_) => Phase::End,
            }
        };
        let scene = self.scene();
        let targets =
            Targets { addresses: self.target.clone(), spread: Spread::Many, distance: Distance::Apart };
        let mut hold = Hold::new(&scene, self.clients, self.rate, MESSAGE_BYTES, Box::new(steer));
        Engine::new(&targets, scene.manners.clone(), self.clients)?.run(&mut hold)?;
        let last =
            Last { faults: hold.faults(), latency: hold.latency().recorded(), away: hold.away().recorded() };
        tell(&Told { status: hold.status().clone(), last: Some(last) })
    }
}

/// Follows standard input in a thread of its own.
fn listen(phase: Arc<Mutex<Phase>>) {
    std::thread::spawn(move || {
        let set = |to| {
            if let Ok(mut phase) = phase.lock() {
                *phase = to;
            }
        };
        for line in std::io::stdin().lock().lines() {
            match line.ok().and_then(|line| serde_json::from_str(&line).ok()) {
                Some(to) => set(to),
                None => break,
            }
        }
        // Whoever told it what to do is gone.
        set(Phase::End);
    });
}

fn tell(told: &Told) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(told)?;
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&line)?;
    Ok(out.flush()?)
}
