//! docs/metrics.md lists every metric that a node tells its recorder about, with its kind, unit and help. After a change:
//! `MUSTER_BLESS=1 cargo test -p muster --test metrics` writes the list anew.

#![allow(clippy::unwrap_used)] // all of it is a test

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use muster::{Config, Node};

/// Remembers what it is told of metrics, and measures nothing.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<BTreeMap<String, String>>>);

impl Listener {
    fn note(&self, kind: &str, name: KeyName, unit: Option<Unit>, help: SharedString) {
        let unit = unit.map_or("", |unit| unit.as_str());
        let line = format!("| `{}` | {kind} | {unit} | {} |", name.as_str(), help.trim_end_matches('.'));
        self.0.lock().unwrap().insert(name.as_str().to_owned(), line);
    }
}

impl Recorder for Listener {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.note("counter", name, unit, help);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.note("gauge", name, unit, help);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.note("histogram", name, unit, help);
    }

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[test]
fn every_metric_is_in_the_documentation() {
    let listener = Listener::default();
    metrics::set_global_recorder(listener.clone()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "[node]\ndata = {:?}\n[[domain]]\nname = \"localhost\"\n[storage]\npath = {:?}\n",
        folder.path(),
        folder.path().join("db")
    );
    let config = Config::parse(&folder.path().join("muster.toml"), &text, &[]).unwrap();
    let running = Node::start(config).unwrap();
    assert!(running.wait_until_ready(Duration::from_secs(20)), "a node alone is ready");
    running.stop().unwrap();

    let told = listener.0.lock().unwrap();
    assert!(told.len() > 20, "{told:?}");
    assert!(told.values().all(|line| !line.ends_with("|  |")), "a metric has no help: {told:?}");
    let list = told.values().map(|line| format!("{line}\n")).collect::<String>();
    let page = format!(
        "# Metrics\n\n`/metrics` of each HTTP listener has these, in Prometheus' text format. `docs/operations.md` says which to watch \
         and what to do. A test keeps this list true.\n\n| metric | kind | unit | |\n|---|---|---|---|\n{list}"
    );
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    if std::env::var_os("MUSTER_BLESS").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&file).unwrap_or_default(),
        page,
        "MUSTER_BLESS=1 writes the list anew"
    );
}
