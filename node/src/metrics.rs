//! The recorder that `/metrics` is rendered from, and what the process tells about itself.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metrics::{Unit, describe_counter, describe_gauge, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Starts recording; one recorder serves the whole process.
#[allow(clippy::cast_precision_loss)] // metrics are floating point
pub fn start(buckets_seconds: &[f64]) {
    HANDLE.get_or_init(|| {
        PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), buckets_seconds)
            .and_then(PrometheusBuilder::install_recorder)
            .map_err(|error| tracing::warn!(%error, "nothing is measured"))
            .ok()
    });
    describe();
    gauge!("muster_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    gauge!("process_start_time_seconds").set(now.as_secs_f64());
    if let Some(limit) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
        gauge!("process_max_fds").set(limit as f64);
    }
}

fn describe() {
    crate::listen::describe();
    describe_gauge!("muster_build_info", Unit::Count, "Always 1; its label is the version of the software.");
    describe_gauge!(
        "muster_certificate_days_left",
        Unit::Count,
        "Days until the certificate that clients see expires; negative when it has."
    );
    describe_gauge!("process_start_time_seconds", Unit::Seconds, "When the process started, since 1970.");
    describe_counter!("process_cpu_seconds_total", Unit::Seconds, "Processor time used, user and system.");
    describe_gauge!("process_resident_memory_bytes", Unit::Bytes, "Memory in use.");
    describe_gauge!("process_max_fds", Unit::Count, "Most file descriptors that may be open.");
    describe_gauge!("process_open_fds", Unit::Count, "Open file descriptors.");
}

/// Everything measured, in Prometheus' text format.
pub fn render() -> String {
    let mut text = HANDLE.get().and_then(Option::as_ref).map(PrometheusHandle::render).unwrap_or_default();
    if let Some((cpu, resident, files)) = process() {
        text.push_str(&format!(
            "# HELP process_cpu_seconds_total Processor time used, user and system.\n\
             # TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total {cpu}\n\
             # HELP process_resident_memory_bytes Memory in use.\n\
             # TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes {resident}\n\
             # HELP process_open_fds Open file descriptors.\n\
             # TYPE process_open_fds gauge\nprocess_open_fds {files}\n"
        ));
    }
    text
}

/// Drains histograms every few seconds, or they would grow between scrapes.
pub async fn upkeep() {
    let mut tick = tokio::time::interval(Duration::from_secs(5));
    loop {
        tick.tick().await;
        HANDLE.get().and_then(Option::as_ref).inspect(|handle| handle.run_upkeep());
    }
}

/// Seconds of processor time, bytes resident, open files.
#[allow(clippy::cast_precision_loss)] // metrics are floating point
fn process() -> Option<(f64, u64, u64)> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in parentheses may hold spaces; fields are counted from its end (proc(5): utime is field 14).
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let ticks = number(11)? + number(12)?;
    let pages = number(21)?;
    let cpu = ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
    Some((cpu, pages * rustix::param::page_size() as u64, open_files()?))
}

/// Linux tells it as the folder's size since 6.2. To read the folder makes the system keep a kibibyte for each file.
fn open_files() -> Option<u64> {
    let folder = std::path::Path::new("/proc/self/fd");
    match folder.metadata().ok()?.len() {
        0 => Some(folder.read_dir().ok()?.count() as u64),
        files => Some(files),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_tells_its_memory_and_files() {
        let (_, resident, files) = process().unwrap();
        assert!(resident > 100_000 && files > 2);
    }
}
