//! `muster serve` and `muster check`.

use tokio::signal::unix::{SignalKind, signal};

use super::{ConfigFile, Failure, refused};
use crate::error::StartError;
use crate::running::{Command, Node};
use crate::{log, tls};

/// Runs a node until a signal ends it.
pub(super) fn serve(file: &ConfigFile) -> Result<(), Failure> {
    let config = file.load()?;
    log::start(&config.log, &config.node.id);
    // Signals are caught before the node starts, so that none ends it half-way.
    let signals = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(refused)?;
    let (mut term, mut int, mut hup) = signals.block_on(async {
        let caught = |kind| signal(kind).map_err(refused);
        Ok::<_, Failure>((
            caught(SignalKind::terminate())?,
            caught(SignalKind::interrupt())?,
            caught(SignalKind::hangup())?,
        ))
    })?;
    let running = Node::start(config)?;
    let commands = running.commands();
    signals.block_on(async {
        let ended = commands.closed();
        tokio::pin!(ended);
        loop {
            let command = tokio::select! {
                _ = term.recv() => Command::Stop,
                _ = int.recv() => Command::Stop,
                _ = hup.recv() => Command::Reload,
                () = &mut ended => return,
            };
            tracing::info!(?command, "signal");
            // A node that has ended needs no command.
            let _ = commands.send(command);
        }
    });
    match running.wait() {
        // It ended as it was told.
        Err(StartError::Stopped) => Ok(()),
        ended => Ok(ended?),
    }
}

/// Tells what is wrong.
pub(super) fn check(file: &ConfigFile) -> Result<(), Failure> {
    let config = file.load()?;
    for concern in tls::concerns(&config) {
        say!("warning: {concern}");
    }
    say!("{}: no faults", file.config.display());
    Ok(())
}
