//! The muster binary: everything it does is in the library.

use std::process::ExitCode;

use clap::Parser;
use muster::cli::{Cli, run};

/// Sessions are many small things that live long: this keeps them closer together than the system's allocator, is faster,
/// and gives back what is free. What it is told is in `.cargo/config.toml`.
#[global_allocator]
static MEMORY: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    run(Cli::parse())
}
