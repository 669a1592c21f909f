//! Servers side by side in one run: each case on each server in turn, A B C A B C, the server on one core, the generator on
//! another.

mod case;
mod certificate;
mod goals;
mod machine;
mod pictures;
mod server;
mod table;
mod work;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;

use crate::client::Accounts;
use crate::interrupt;
use crate::load::Report;
use crate::measure::Cores;
use case::Case;
use machine::Machine;
pub use server::Kind;
use server::{Server, Site};

/// The domain of every server that is started here.
const DOMAIN: &str = "localhost";
const SERVER_CORE: usize = 0;
const GENERATOR_CORE: usize = 1;

/// What is compared, and how often.
#[derive(Args)]
pub struct Options {
    /// The servers
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "muster,muster-2,muster-3,muster-5,floor"
    )]
    servers: Vec<Kind>,
    /// Only cases whose names begin so
    #[arg(long, value_delimiter = ',')]
    cases: Vec<String>,
    /// Runs of each case on each server
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Seconds that are measured in each run, after a third of that to warm up
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Sessions that are held where memory is measured
    #[arg(long, default_value_t = 2_000)]
    idle: usize,
    /// The program of Muster
    #[arg(long, default_value = "target/release/muster")]
    muster: PathBuf,
    /// The folder of everything that is started; made anew
    #[arg(long, default_value = "var/bench")]
    dir: PathBuf,
    /// The folder for bench.json and the pictures
    #[arg(long, default_value = "var/bench-results")]
    out: PathBuf,
}

/// One run of one case on one server.
#[derive(Serialize)]
struct Row {
    case: &'static str,
    server: &'static str,
    run: usize,
    report: Report,
}

/// All that was found out.
#[derive(Serialize)]
struct Results {
    machine: Machine,
    versions: BTreeMap<&'static str, String>,
    runs: usize,
    seconds: f64,
    idle_sessions: usize,
    rows: Vec<Row>,
}

/// Runs the comparison.
///
/// # Errors
/// A server cannot be started, or files cannot be written.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let cases: Vec<Case> = case::all().into_iter().filter(|case| options.wants(case)).collect();
    let accounts_count =
        cases.iter().map(|case| case.accounts(options.idle)).max().context("there is no such case")?;
    if options.runs == 0 {
        bail!("at least one run");
    }
    let dir = std::path::absolute(&options.dir)?;
    if dir.join("muster-bench").exists() {
        std::fs::remove_dir_all(&dir)?;
    }
    std::fs::create_dir_all(&dir)?;
    std::fs::create_dir_all(&options.out)?;
    // Says that the folder may be removed by the next run.
    std::fs::write(dir.join("muster-bench"), "")?;
    let accounts = Accounts {
        domain: DOMAIN.into(),
        password: "bench-password".into(),
        resource: "bench".into(),
        first: 0,
    };
    let muster = std::path::absolute(&options.muster)?;
    let site = Site { folder: dir, muster, accounts, accounts_count };

    interrupt::catch()?;
    let mut stage = Stage { site, servers: Vec::new(), anywhere: Cores::now()? };
    let ran = stage.run(options, &cases);
    stage.servers.drain(..).for_each(Server::stop);
    let results = ran?;
    results.save(options, &cases)?;
    print!("{}{}", table::write(&cases, &results), goals::write(&cases, &results));
    Ok(())
}

impl Results {
    fn save(&self, options: &Options, cases: &[Case]) -> anyhow::Result<()> {
        std::fs::write(options.out.join("bench.json"), serde_json::to_string_pretty(self)?)?;
        for (name, picture) in pictures::all(cases, self) {
            std::fs::write(options.out.join(format!("{name}.svg")), picture)?;
        }
        let text = table::write(cases, self) + &goals::write(cases, self);
        std::fs::write(options.out.join("bench.md"), text)?;
        Ok(())
    }
}

impl Options {
    fn wants(&self, case: &Case) -> bool {
        self.cases.is_empty() || self.cases.iter().any(|wanted| case.name.starts_with(wanted.as_str()))
    }
}

/// How far a comparison is.
struct Progress {
    done: usize,
    all: usize,
    since: Instant,
}

impl Progress {
    fn new(cases: &[Case], kinds: &[Kind], runs: usize) -> Self {
        let of =
            |case: &Case| runs.min(case.runs_max) * kinds.iter().filter(|kind| case.is_for(**kind)).count();
        Self { done: 0, all: cases.iter().map(of).sum(), since: Instant::now() }
    }

    /// One more is done.
    fn next(&mut self) -> String {
        self.done += 1;
        let left = self.since.elapsed() / u32::try_from(self.done).unwrap_or(1)
            * u32::try_from(self.all - self.done).unwrap_or(0);
        format!("[{}/{}, {} min left]", self.done, self.all, left.as_secs().div_ceil(60))
    }
}

/// The servers that run now.
struct Stage {
    site: Site,
    servers: Vec<Server>,
    anywhere: Cores,
}

impl Stage {
    fn run(&mut self, options: &Options, cases: &[Case]) -> anyhow::Result<Results> {
        let mut results = Results {
            machine: Machine::this(),
            versions: BTreeMap::new(),
            runs: options.runs,
            seconds: options.seconds,
            idle_sessions: options.idle,
            rows: Vec::new(),
        };
        let mut kinds = options.servers.clone();
        kinds.sort();
        kinds.dedup();
        let mut progress = Progress::new(cases, &kinds, options.runs);
        for (at, case) in cases.iter().enumerate() {
            for run in 1..=options.runs.min(case.runs_max) {
                for kind in kinds.iter().filter(|kind| case.is_for(**kind)) {
                    let report = self.one(case, *kind, options, &mut results.versions)?;
                    let line = table::line(case, &report);
                    eprintln!("{} {} {run} {:9} {line}", progress.next(), case.name, kind.name());
                    results.rows.push(Row { case: case.name, server: kind.name(), run, report });
                }
            }
            // A server that has nothing left to do takes no time from the others.
            for kind in &kinds {
                if !cases[at + 1..].iter().any(|case| case.is_for(*kind)) {
                    self.stop(*kind);
                }
            }
            // A long run that is cut short keeps what it has found out.
            results.save(options, cases)?;
        }
        Ok(results)
    }

    fn one(
        &mut self,
        case: &Case,
        kind: Kind,
        options: &Options,
        versions: &mut BTreeMap<&'static str, String>,
    ) -> anyhow::Result<Report> {
        if case.needs_fresh() {
            self.stop(kind);
        }
        if self.servers.iter().all(|server| server.kind != kind) {
            self.start(kind)?;
        }
        let server = self.servers.iter().find(|server| server.kind == kind);
        let server = server.context("every server has been started")?;
        versions.insert(kind.name(), server.version.clone());
        self.pin(GENERATOR_CORE)?;
        let report = case.run(server, &self.site, options.idle, options.seconds);
        self.anywhere.bind()?;
        if case.breaks() {
            self.stop(kind);
        }
        report
    }

    fn start(&mut self, kind: Kind) -> anyhow::Result<()> {
        eprintln!("starting {}", kind.name());
        // What is started inherits the core.
        self.pin(SERVER_CORE)?;
        let started = Server::start(kind, &self.site);
        self.anywhere.bind()?;
        self.servers.push(started?);
        Ok(())
    }

    fn stop(&mut self, kind: Kind) {
        if let Some(at) = self.servers.iter().position(|server| server.kind == kind) {
            self.servers.swap_remove(at).stop();
        }
    }

    /// Chooses a core, where there is more than one.
    fn pin(&self, core: usize) -> anyhow::Result<()> {
        if self.anywhere.count() > 1 { Cores::one(core).bind() } else { Ok(()) }
    }
}
