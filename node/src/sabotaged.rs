//! The muster binary, built so that it can be broken on purpose (feature `sabotage`): for `muster-chaos prove` only.

use std::process::ExitCode;

use clap::Parser;
use muster::cli::{Cli, run};

fn main() -> ExitCode {
    run(Cli::parse())
}
