//! Log lines: text for people or JSON for programs, each with the node's name, on standard error.

use std::fmt;
use std::sync::OnceLock;

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{Format, Json, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, reload};

use crate::config::{Log, LogFormat};

static LEVEL: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Starts logging. Only the first call in a process counts.
pub fn start(log: &Log, node: &str) {
    let (level, handle) = reload::Layer::new(filter(&log.level));
    let node = node.to_owned();
    // A log on a full disk loses lines. Told to complain, the layer would write that to the same disk, and panic.
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).log_internal_errors(false);
    let started = match log.format {
        LogFormat::Text => {
            let lines = lines
                .with_ansi(false)
                .event_format(Named { node, inner: Format::default().with_ansi(false) });
            tracing_subscriber::registry().with(level).with(lines).try_init()
        }
        LogFormat::Json => {
            let inner = Format::default().json().flatten_event(true).with_span_list(false);
            let lines = lines.fmt_fields(JsonFields::new()).event_format(Named { node, inner });
            tracing_subscriber::registry().with(level).with(lines).try_init()
        }
    };
    if started.is_ok() {
        // The first handle is that of the subscriber in use.
        LEVEL.get_or_init(|| handle);
    }
}

/// Changes what is logged.
pub fn set_level(level: &str) {
    if let Some(Err(error)) = LEVEL.get().map(|handle| handle.reload(filter(level))) {
        tracing::warn!(%error, "the log level could not be changed");
    }
}

/// The HTTP server tells at length that it starts and ends, and gossip whatever comes out of turn; only their trouble
/// matters here.
fn filter(level: &str) -> EnvFilter {
    EnvFilter::new(format!("actix_server=warn,chitchat=warn,{level}"))
}

/// Puts the node's name into each line.
struct Named<F> {
    node: String,
    inner: F,
}

impl<S, N> FormatEvent<S, N> for Named<Format>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, cx: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        write!(out, "{} ", self.node)?;
        self.inner.format_event(cx, out, event)
    }
}

impl<S, N> FormatEvent<S, N> for Named<Format<Json>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, cx: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = String::new();
        self.inner.format_event(cx, Writer::new(&mut line), event)?;
        // A node's name needs no escapes: the configuration allows a-z, 0-9, - and . only.
        match line.strip_prefix('{') {
            Some(rest) => write!(out, "{{\"node\":\"{}\",{rest}", self.node),
            None => out.write_str(&line),
        }
    }
}
