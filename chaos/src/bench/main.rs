//! `muster-bench`: measures any XMPP server on this machine.

mod cli;

fn main() -> anyhow::Result<()> {
    cli::run()
}
