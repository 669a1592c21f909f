//! CPU time and memory of processes and all their children, from /proc.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use anyhow::Context;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Deserialize, Serialize};

/// Ticks of /proc/PID/stat in a second: USER_HZ is 100 on every Linux.
const TICKS: u64 = 100;

/// The processes of a server.
#[derive(Clone, Debug, Default)]
pub struct Processes(Vec<u32>);

/// What they hold, in KiB.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Memory {
    /// Resident.
    pub rss_kib: u64,
    /// Resident, with shared pages divided among those that share them.
    pub pss_kib: u64,
}

/// Which cores a process and all that it starts may use.
pub struct Cores(CpuSet);

impl Cores {
    /// What this thread may use now.
    ///
    /// # Errors
    /// The system does not say.
    pub fn now() -> anyhow::Result<Self> {
        Ok(Self(sched_getaffinity(None)?))
    }

    /// How many they are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.0.count()
    }

    /// One core.
    #[must_use]
    pub fn one(core: usize) -> Self {
        let mut set = CpuSet::new();
        set.set(core);
        Self(set)
    }

    /// Binds this thread, and with it what it starts from now on.
    ///
    /// # Errors
    /// There is no such core.
    pub fn bind(&self) -> anyhow::Result<()> {
        sched_setaffinity(None, &self.0).context("the core cannot be chosen")
    }
}

impl Processes {
    /// The processes with these ids; their children are found when they are measured.
    #[must_use]
    pub fn new(pids: Vec<u32>) -> Self {
        Self(pids)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// User and system time so far, of all of them and of their children, those that ended included.
    #[must_use]
    pub fn cpu(&self) -> Duration {
        let ticks: u64 = self.family().iter().filter_map(|pid| cpu_ticks(*pid)).sum();
        Duration::from_millis(ticks * 1000 / TICKS)
    }

    /// What they hold now.
    #[must_use]
    pub fn memory(&self) -> Memory {
        let mut memory = Memory::default();
        for pid in self.family() {
            let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
            let field = |name: &str| {
                let value = rollup.lines().find_map(|line| line.strip_prefix(name));
                value
                    .and_then(|value| value.split_whitespace().next()?.parse::<u64>().ok())
                    .unwrap_or_default()
            };
            memory.rss_kib += field("Rss:");
            memory.pss_kib += field("Pss:");
        }
        memory
    }

    /// The processes and all that descend from them.
    fn family(&self) -> BTreeSet<u32> {
        let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            if let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok())
                && let Some(parent) = stat(pid).and_then(|fields| fields.get(1)?.parse().ok())
            {
                children.entry(parent).or_default().push(pid);
            }
        }
        let (mut family, mut open) = (BTreeSet::new(), self.0.clone());
        while let Some(pid) = open.pop() {
            if family.insert(pid) {
                open.extend(children.get(&pid).into_iter().flatten());
            }
        }
        family
    }
}

/// User and system time of this process.
#[must_use]
pub fn own_cpu() -> Duration {
    let ticks = cpu_ticks(std::process::id()).unwrap_or_default();
    Duration::from_millis(ticks * 1000 / TICKS)
}

/// utime, stime, cutime and cstime.
fn cpu_ticks(pid: u32) -> Option<u64> {
    let fields = stat(pid)?;
    fields.get(11..15)?.iter().map(|field| field.parse::<u64>().ok()).sum()
}

/// The fields of /proc/PID/stat from the state on: a name may hold spaces and parentheses.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_uses_time() {
        let own = Processes::new(vec![std::process::id()]);
        let memory = own.memory();
        assert!(memory.rss_kib > 0 && memory.pss_kib <= memory.rss_kib, "{memory:?}");
        let (begin, mut sum) = (own.cpu(), 0u64);
        while own.cpu() < begin + Duration::from_millis(20) {
            sum = (0..100_000u64).fold(sum, |sum, n| sum.wrapping_mul(31).wrapping_add(n));
        }
        assert!(own_cpu() > begin, "{sum}");
    }

    #[test]
    fn children_are_of_the_family() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        assert!(Processes::new(vec![std::process::id()]).family().contains(&child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
