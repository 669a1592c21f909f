//! The command line: what `muster --help` says, and how each command ends.

/// Prints a line. Whoever read it may be gone (`| head`, a closed terminal); that is no reason to stop half-way.
macro_rules! say {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($words)*);
    }};
}

mod cluster;
mod password;
mod remote;
mod serve;
mod unix;
mod up;
mod user;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::Config;

/// The configuration is wrong (EX_USAGE of sysexits.h).
pub const EXIT_CONFIG: u8 = 64;
/// A port, a file, the store or the cluster cannot be used (EX_UNAVAILABLE).
pub const EXIT_UNAVAILABLE: u8 = 69;

/// An XMPP server in which many nodes act as one domain.
#[derive(Parser)]
#[command(name = "muster", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a node in the foreground until SIGTERM (hands over, then ends). SIGHUP reads certificates and log level again
    Serve(ConfigFile),
    /// Tell everything that is wrong with a configuration, and what to do about it
    Check(ConfigFile),
    /// Accounts: add, remove, password, list, import
    #[command(subcommand)]
    User(user::Command),
    /// The cluster as this machine's node sees it
    #[command(subcommand)]
    Cluster(cluster::Command),
    /// This machine's node
    #[command(subcommand)]
    Node(cluster::NodeCommand),
    /// Start a cluster for development on this machine, with certificates and accounts of its own
    Up(up::Up),
    /// Stop what `muster up --detach` started
    Down(up::Down),
    /// Print the version
    Version,
}

/// Which configuration.
#[derive(Args)]
pub struct ConfigFile {
    /// The configuration file
    #[arg(short, long, env = "MUSTER_CONFIG", default_value = "/etc/muster/muster.toml")]
    config: PathBuf,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Config(#[from] crate::config::ConfigError),
    #[error("{0}")]
    Start(#[from] crate::error::StartError),
    #[error("{0}")]
    Refused(String),
}

/// Does what the command line says.
pub fn run(cli: Cli) -> ExitCode {
    let done = match cli.command {
        Command::Serve(file) => serve::serve(&file),
        Command::Check(file) => serve::check(&file),
        Command::User(command) => user::run(command),
        Command::Cluster(command) => cluster::run(command),
        Command::Node(command) => cluster::run_node(command),
        Command::Up(up) => up::up(&up),
        Command::Down(down) => up::down(&down),
        Command::Version => {
            say!("muster {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("muster: {failure}");
            match failure {
                Failure::Config(_) => ExitCode::from(EXIT_CONFIG),
                Failure::Start(_) => ExitCode::from(EXIT_UNAVAILABLE),
                Failure::Refused(_) => ExitCode::FAILURE,
            }
        }
    }
}

impl ConfigFile {
    fn load(&self) -> Result<Config, Failure> {
        Ok(Config::load(&self.config)?)
    }
}

/// Any failure as words for people.
fn refused(error: impl std::fmt::Display) -> Failure {
    Failure::Refused(error.to_string())
}
