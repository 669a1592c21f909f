//! Ctrl-C and SIGTERM: a run ends early, so that what it started is ended, too.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

static ASKED: AtomicBool = AtomicBool::new(false);

/// Whether this process has been asked to end.
pub(crate) fn is_asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// Lets time pass, unless this process is asked to end.
///
/// # Errors
/// It was asked to end.
pub(crate) fn rest(time: Duration) -> anyhow::Result<()> {
    let until = Instant::now() + time;
    while Instant::now() < until {
        if is_asked() {
            anyhow::bail!("interrupted");
        }
        thread::sleep(until.saturating_duration_since(Instant::now()).min(Duration::from_millis(20)));
    }
    Ok(())
}

/// Catches the signals from here on.
///
/// # Errors
/// The system refuses a thread or a signal.
pub(crate) fn catch() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let guard = runtime.enter();
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    drop(guard);
    thread::Builder::new().name("signals".into()).spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
        });
        ASKED.store(true, Ordering::Relaxed);
    })?;
    Ok(())
}
