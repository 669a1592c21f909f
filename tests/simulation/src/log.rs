//! What nodes log, between the lines of the history: who and when, by the virtual clock.

use std::cell::Cell;
use std::fmt;

use tokio::time::Instant;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::network::OUTSIDE;
use crate::nodes;

thread_local! {
    static SINCE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// The history of this thread begins now.
pub fn begin() {
    SINCE.set(Some(Instant::now()));
}

struct Time;

impl FormatTime for Time {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        let since = SINCE.get().map_or(0.0, |since| since.elapsed().as_secs_f64());
        match nodes::current().filter(|place| *place != OUTSIDE) {
            Some(place) => write!(w, "{since:>9.3}     n{place}"),
            None => write!(w, "{since:>9.3}     --"),
        }
    }
}

/// Prints what nodes log: `LOG` says which lines (`debug` of them if it is not set).
pub fn aloud() {
    let wanted = std::env::var("LOG").unwrap_or_else(|_| "debug".into());
    let lines =
        tracing_subscriber::fmt().with_timer(Time).with_ansi(false).with_env_filter(EnvFilter::new(wanted));
    // Whoever has set one before keeps it.
    let _ = lines.with_writer(std::io::stdout).try_init();
}
