//! The machine that a run was made on.

use std::fs;

use serde::Serialize;

/// What it is.
#[derive(Serialize)]
pub(super) struct Machine {
    pub(super) processor: String,
    pub(super) cores: usize,
    pub(super) memory_mib: u64,
    pub(super) kernel: String,
    pub(super) system: String,
}

impl Machine {
    /// This one.
    pub(super) fn this() -> Self {
        let field = |path: &str, name: &str, by: char| {
            let text = fs::read_to_string(path).unwrap_or_default();
            let value =
                text.lines().filter_map(|line| line.split_once(by)).find(|(key, _)| key.trim() == name);
            value.map_or_else(String::new, |(_, value)| value.trim().trim_matches('"').to_owned())
        };
        let kib = field("/proc/meminfo", "MemTotal", ':');
        Self {
            processor: field("/proc/cpuinfo", "model name", ':'),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mib: kib.split(' ').next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default()
                / 1024,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            system: field("/etc/os-release", "PRETTY_NAME", '='),
        }
    }
}
