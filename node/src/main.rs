//! The muster binary: everything it does is in the library.

use std::process::ExitCode;

use clap::Parser;
use muster::cli::{Cli, run};

fn main() -> ExitCode {
    run(Cli::parse())
}
