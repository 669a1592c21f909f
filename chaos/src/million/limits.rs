//! What a machine must allow: looked at before anything is started, with what to raise.

use std::fs;

use rustix::process::{Resource, getrlimit};

/// Files that a node needs besides its sessions: links, store, log, listeners.
const NODE_FILES: usize = 400;
/// Files that a generator needs besides its sessions.
const PART_FILES: usize = 50;
/// More than this one process is not asked to hold: one thread drives all of its clients.
const PART_CLIENTS_MAX: usize = 60_000;
const NODE_SESSIONS_MAX: usize = 400_000;
/// So many nodes `muster up` starts at most.
const NODES_MAX: usize = 64;
/// Fewer than three do not survive a death with two copies.
const NODES_MIN: usize = 3;
/// KiB for each session of everything together, measured; see docs/performance.md.
const SESSION_KIB: f64 = 20.0;
/// KiB of a node before its first session.
const NODE_KIB: usize = 40_000;

/// So many sessions are many.
const MANY: usize = 100_000;
/// With many, loopback must hold a packet for one of so many: the kernel asks thousands of silent clients in one moment
/// whether they are there, and breaks the connection of one whose probe was dropped four times.
const PROBED_PART: usize = 8;

/// How the sessions are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Division {
    pub(super) nodes: usize,
    pub(super) parts: usize,
}

/// What a machine has.
pub(super) struct Machine {
    pub(super) files_of_process: usize,
    pub(super) files_of_system: usize,
    pub(super) ports: usize,
    pub(super) processes: usize,
    pub(super) packets: usize,
    pub(super) free_kib: usize,
    /// Memory that files do not keep either.
    pub(super) unused_kib: usize,
}

impl Machine {
    /// This one.
    pub(super) fn this() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let number = |path: &str| read(path).trim().parse().unwrap_or(usize::MAX);
        let range: Vec<usize> = read("/proc/sys/net/ipv4/ip_local_port_range")
            .split_whitespace()
            .filter_map(|port| port.parse().ok())
            .collect();
        let limit = |which| getrlimit(which).maximum.and_then(|most| usize::try_from(most).ok());
        Self {
            files_of_process: limit(Resource::Nofile).unwrap_or(usize::MAX),
            files_of_system: number("/proc/sys/fs/file-max"),
            ports: range.last().zip(range.first()).map_or(0, |(last, first)| last.saturating_sub(*first)),
            processes: limit(Resource::Nproc).unwrap_or(usize::MAX).min(number("/proc/sys/kernel/pid_max")),
            packets: number("/proc/sys/net/core/netdev_max_backlog"),
            free_kib: free_kib(),
            unused_kib: meminfo("MemFree"),
        }
    }

    /// How so many sessions are divided, such that they still have a place when one node is gone.
    pub(super) fn divide(&self, sessions: usize) -> Division {
        let room = |files: usize, most: usize| self.files_of_process.saturating_sub(files).clamp(1, most);
        let node = room(NODE_FILES, NODE_SESSIONS_MAX);
        let part = room(PART_FILES, PART_CLIENTS_MAX);
        Division {
            nodes: (sessions.div_ceil(node) + 1).max(NODES_MIN),
            parts: sessions.div_ceil(part).max(1),
        }
    }

    /// What stands in the way, each with what to raise.
    pub(super) fn faults(&self, sessions: usize) -> Vec<String> {
        let Division { nodes, parts } = self.divide(sessions);
        let mut faults = Vec::new();
        let mut need = |has: usize, wants: usize, what: &str, raise: &str| {
            if has < wants {
                faults.push(format!("{what}: {wants} are needed, {has} allowed; raise {raise}"));
            }
        };
        need(NODES_MAX, nodes, "nodes", "the files of a process (ulimit -Hn), so that fewer nodes do");
        need(self.files_of_process, NODE_FILES + 1_000, "files of a process", "ulimit -Hn");
        let links = nodes * nodes;
        let files = 2 * sessions + links + nodes * NODE_FILES + parts * PART_FILES;
        need(self.files_of_system, files, "files of the system", "fs.file-max (sysctl)");
        need(self.ports, 12_000, "ports of one address", "net.ipv4.ip_local_port_range (sysctl)");
        need(self.processes, nodes * 16 + parts * 3, "processes and threads", "ulimit -u, kernel.pid_max");
        let if_many = |wants| if sessions < MANY { 0 } else { wants };
        let probes = if_many(sessions / PROBED_PART);
        need(self.packets, probes, "packets that wait in loopback", "net.core.netdev_max_backlog (sysctl)");
        let memory = (sessions as f64 * SESSION_KIB) as usize + nodes * NODE_KIB;
        need(self.free_kib, memory, "KiB of memory", "memory, or ask for fewer sessions (N=…)");
        // What the kernel has to take from files while everybody is busy stops everybody for seconds.
        let files = "it: sync; echo 1 >/proc/sys/vm/drop_caches";
        need(self.unused_kib, if_many(memory), "KiB of memory without what files keep", files);
        faults
    }

    /// The most sessions for which there is memory.
    pub(super) fn sessions_for_memory(&self, nodes: usize) -> usize {
        (self.free_kib.saturating_sub(nodes * NODE_KIB) as f64 / SESSION_KIB) as usize
    }
}

/// Memory that is free, or would be without what files keep there. `MemAvailable` counts half of what sockets take of the
/// kernel's memory as if it could be given back.
pub(super) fn free_kib() -> usize {
    ["MemFree", "Buffers", "Cached"].into_iter().map(meminfo).sum()
}

/// A line of /proc/meminfo, in KiB.
pub(super) fn meminfo(name: &str) -> usize {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: Machine = Machine {
        files_of_process: 20_000,
        files_of_system: 2_466_170,
        ports: 28_231,
        processes: 32_768,
        packets: 200_000,
        free_kib: 24_000_000,
        unused_kib: 23_000_000,
    };

    #[test]
    fn a_million_sessions_have_a_place_even_when_a_node_is_gone() {
        let Division { nodes, parts } = MACHINE.divide(1_020_000);
        assert!((nodes - 1) * (20_000 - NODE_FILES) >= 1_020_000, "{nodes}");
        assert!(parts * (20_000 - PART_FILES) >= 1_020_000, "{parts}");
        assert_eq!(MACHINE.faults(1_020_000), Vec::<String>::new());
    }

    #[test]
    fn what_is_too_little_is_named_with_what_to_raise() {
        let low = Machine {
            files_of_system: 100_000,
            packets: 1_000,
            free_kib: 1_000_000,
            unused_kib: 500_000,
            ..MACHINE
        };
        let faults = low.faults(1_020_000);
        let raised = ["fs.file-max", "netdev_max_backlog", "memory, or ask", "drop_caches"];
        for (fault, raise) in faults.iter().zip(raised) {
            assert!(fault.contains(raise), "{faults:?}");
        }
        assert_eq!((faults.len(), low.faults(20_000).len()), (4, 0), "{faults:?}");
    }
}
