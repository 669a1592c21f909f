//! The command line of `muster-chaos`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

use crate::site::Store;
use crate::trial::{self, Place, Plan};
use crate::{faults, invariants, proof, traffic, verdict};

/// Breaks a cluster of real processes on purpose, and tells what did not hold.
#[derive(Parser)]
#[command(name = "muster-chaos", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run faults under load, heal them all, demand service, and judge
    Run(Run),
    /// Run again what a report.json says, or what a seed makes of the defaults
    Replay(Replay),
    /// Have a server that is broken on purpose caught, in each way: the server must be built with its `sabotage` feature
    Prove(Prove),
    /// Tell which faults, loads and invariants there are
    List,
}

#[derive(Args)]
struct Run {
    /// Decides all that is left to chance; a random one if absent
    #[arg(long)]
    seed: Option<u64>,
    /// Nodes of the cluster: 2, 3 or 5
    #[arg(long, default_value_t = 3)]
    nodes: usize,
    /// How long faults are made
    #[arg(long, default_value_t = 2.0)]
    minutes: f64,
    /// Where accounts and messages are kept
    #[arg(long, value_enum, default_value = "sqlite")]
    store: Store,
    /// Faults, separated by commas; `mix` is all that fit
    #[arg(long, value_delimiter = ',', default_value = "mix")]
    fault: Vec<String>,
    /// Loads, separated by commas; `all` is all of them
    #[arg(long, value_delimiter = ',', default_value = "all")]
    load: Vec<String>,
    /// How much load: 1 is for a machine of two cores
    #[arg(long, default_value_t = 1.0)]
    factor: f64,
    #[command(flatten)]
    place: Where,
}

#[derive(Args)]
struct Where {
    /// The server
    #[arg(long, default_value = "target/release/muster")]
    muster: PathBuf,
    /// Where reports and logs are written
    #[arg(long, default_value = "var/chaos")]
    out: PathBuf,
}

#[derive(Args)]
struct Replay {
    /// A report.json, or a seed
    what: String,
    #[command(flatten)]
    place: Where,
}

#[derive(Args)]
struct Prove {
    /// Decides all that is left to chance
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long each run makes faults
    #[arg(long, default_value_t = 0.5)]
    minutes: f64,
    #[command(flatten)]
    place: Where,
}

/// Does what the command line says: 0 if all held, 1 if not, 2 if it could not be tried.
pub fn harness() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(run) => run_plan(&run.plan(), run.place),
        Command::Replay(replay) => plan_of(&replay.what).and_then(|plan| run_plan(&plan, replay.place)),
        Command::Prove(Prove { seed, minutes, place }) => {
            proof::prove(&place.muster, &place.out, seed, minutes)
        }
        Command::List => {
            // Who reads the first lines only has what he wants.
            let _ = list(&mut std::io::stdout().lock());
            Ok(true)
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("muster-chaos: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run_plan(plan: &Plan, place: Where) -> anyhow::Result<bool> {
    eprintln!(
        "seed {}: {} nodes, {} minutes, {}",
        plan.seed,
        plan.nodes,
        plan.minutes,
        plan.faults.join(", ")
    );
    let place = Place { muster: place.muster, out: place.out };
    std::fs::create_dir_all(&place.out).with_context(|| place.out.display().to_string())?;
    let history = trial::run(plan, &place)?;
    Ok(verdict::pass(plan, &history, &place.out)?.is_empty())
}

impl Run {
    fn plan(&self) -> Plan {
        let all = traffic::ALL.iter().map(|kind| kind.name.to_owned()).collect();
        Plan {
            seed: self.seed.unwrap_or_else(|| u64::from(rand::random::<u32>())),
            nodes: self.nodes,
            minutes: self.minutes,
            store: self.store,
            faults: self.fault.clone(),
            loads: if self.load.iter().any(|load| load == "all") { all } else { self.load.clone() },
            factor: self.factor,
            environment: Vec::new(),
        }
    }
}

fn plan_of(what: &str) -> anyhow::Result<Plan> {
    if let Ok(seed) = what.parse() {
        let run = Run::parse_default(seed);
        return Ok(run.plan());
    }
    let text = std::fs::read_to_string(what).with_context(|| what.to_owned())?;
    let report: serde_json::Value = serde_json::from_str(&text)?;
    Ok(serde_json::from_value(report["plan"].clone())?)
}

impl Run {
    fn parse_default(seed: u64) -> Self {
        let line = ["muster-chaos".to_owned(), "run".to_owned(), format!("--seed={seed}")];
        match Cli::parse_from(line).command {
            Command::Run(run) => run,
            Command::Replay(_) | Command::Prove(_) | Command::List => unreachable!("the line says run"),
        }
    }
}

fn list(out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "Faults:")?;
    for fault in faults::ALL {
        writeln!(out, "  {:<18} {}", fault.name, fault.what)?;
    }
    writeln!(out, "\nLoads:")?;
    for kind in &traffic::ALL {
        writeln!(out, "  {:<18} {}", kind.name, kind.what)?;
    }
    writeln!(out, "\nInvariants:")?;
    for invariant in invariants::ALL {
        writeln!(out, "  {:<24} {}\n  {:<24} ({})", invariant.name, invariant.what, "", invariant.source)?;
    }
    Ok(())
}
