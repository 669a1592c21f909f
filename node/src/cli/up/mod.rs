//! `muster up`: a whole cluster on this machine for development, and `muster down`, its end.

mod accounts;
mod certificates;
mod folder;
mod nodes;
mod plan;
mod process;
mod redis;
mod report;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use super::{Failure, refused};
use nodes::Nodes;
use plan::Plan;

/// Start a cluster for development.
#[derive(Args)]
pub(super) struct Up {
    /// How many nodes
    #[arg(long, default_value_t = 3)]
    nodes: u16,
    /// Where accounts and messages are kept
    #[arg(long, value_enum, default_value_t = Store::Sqlite)]
    store: Store,
    /// The domain of the accounts
    #[arg(long, default_value = "localhost")]
    domain: String,
    /// The folder of everything it makes; kept and used again
    #[arg(long, default_value = "var/up")]
    dir: PathBuf,
    /// One more listener per node without TLS, and no limits per address: for load tests
    #[arg(long)]
    plaintext: bool,
    /// Return when all nodes are ready; `muster down` stops them
    #[arg(long)]
    detach: bool,
    /// Write certificates, keys and configuration files, and start nothing
    #[arg(long, conflicts_with = "detach")]
    prepare: bool,
    /// The first port for clients; node k uses this + 10k, and all others follow it
    #[arg(long, default_value_t = 5222)]
    port: u16,
}

/// Stop a cluster that was started with --detach.
#[derive(Args)]
pub(super) struct Down {
    /// Its folder
    #[arg(long, default_value = "var/up")]
    dir: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Store {
    /// One file
    Sqlite,
    /// A private redis-server
    Redis,
}

/// Starts, reports, and waits for Ctrl-C.
pub(super) fn up(up: &Up) -> Result<(), Failure> {
    let plan = Plan::new(up)?;
    if let Some(running) = process::any_running(&plan.dir) {
        return Err(refused(format!(
            "a cluster runs in {} already (process {running}): stop it with `muster down --dir {0}`",
            plan.dir.display()
        )));
    }
    plan.check_ports()?;
    if up.prepare {
        return prepare(up, &plan);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(refused)?;
    runtime.block_on(async {
        // Caught from here on: whatever happens later, what was started is stopped.
        let mut term = signal(SignalKind::terminate()).map_err(refused)?;
        let mut int = signal(SignalKind::interrupt()).map_err(refused)?;
        // The terminal was closed.
        let mut hup = signal(SignalKind::hangup()).map_err(refused)?;
        let mut nodes = Nodes::default();
        let started = tokio::select! {
            started = start(up, &plan, &mut nodes) => started,
            _ = term.recv() => Err(refused("stopped")),
            _ = int.recv() => Err(refused("stopped")),
            _ = hup.recv() => Err(refused("stopped")),
        };
        if let Err(failure) = started {
            nodes.stop().await;
            return Err(failure);
        }
        if up.detach {
            let program = std::env::args().next().unwrap_or_else(|| "muster".into());
            say!("Stop it with: {program} down --dir {}", plan.dir.display());
            return Ok(());
        }
        say!("Ctrl-C stops it.");
        let ended = tokio::select! {
            _ = term.recv() => Ok(()),
            _ = int.recv() => Ok(()),
            _ = hup.recv() => Ok(()),
            failure = nodes.watch() => Err(failure),
        };
        say!("stopping");
        nodes.stop().await;
        ended
    })
}

/// Writes what `up` would start with.
fn prepare(up: &Up, plan: &Plan) -> Result<(), Failure> {
    if up.store == Store::Redis {
        return Err(refused(
            "--prepare knows no address of a store but that of its own file: leave --store out",
        ));
    }
    folder::lay_out(plan)?;
    for node in &plan.nodes {
        say!("{}", folder::configure(plan, node, None)?.display());
    }
    Ok(())
}

async fn start(up: &Up, plan: &Plan, nodes: &mut Nodes) -> Result<(), Failure> {
    folder::lay_out(plan)?;
    let redis = match up.store {
        Store::Sqlite => None,
        Store::Redis => Some(redis::start(plan, nodes).await?),
    };
    nodes.start(plan, redis.as_ref())?;
    nodes.wait_until_ready(plan).await?;
    let accounts = accounts::create(plan).await?;
    report::print(plan, &accounts);
    Ok(())
}

/// Stops by what the folder says.
pub(super) fn down(down: &Down) -> Result<(), Failure> {
    let dir = std::path::absolute(&down.dir).map_err(refused)?;
    if !dir.is_dir() {
        return Err(refused(format!("{} is not there: nothing was started in it", dir.display())));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(refused)?;
    let stopped = runtime.block_on(process::stop_all(&dir));
    say!("{stopped} processes stopped");
    Ok(())
}
