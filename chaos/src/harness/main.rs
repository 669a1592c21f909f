//! `muster-chaos`: breaks a cluster on purpose, and tells what did not hold.

fn main() -> std::process::ExitCode {
    muster_chaos::harness()
}
