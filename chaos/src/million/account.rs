//! What a run has found out: time, memory and messages, as figures and as text.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::fleet::Found;
use super::limits::{Division, free_kib, meminfo};
use crate::load::Status;
use crate::measure::{Faults, Percentiles, Processes};

/// Who holds how much memory, in KiB.
#[derive(Clone, Copy, Default, Serialize)]
pub(super) struct Held {
    nodes: u64,
    generators: u64,
    /// Sockets, files and polls. Those of open connections are in `SReclaimable`, too.
    kernel: u64,
    free: u64,
}

impl Held {
    pub(super) fn now(servers: &Processes, generators: &Processes) -> Self {
        let kib = |name| meminfo(name) as u64;
        Self {
            nodes: servers.memory().pss_kib,
            generators: generators.memory().pss_kib,
            kernel: kib("Slab") + kib("KernelStack") + kib("PageTables") + kib("Percpu"),
            free: free_kib() as u64,
        }
    }
}

/// Messages of a stretch of time, and what they took.
#[derive(Default, Serialize)]
pub(super) struct Account {
    seconds: f64,
    delivered: u64,
    per_second: f64,
    server_cpu_us: f64,
    generator_cpu_us: f64,
    server_cores: f64,
}

impl Account {
    pub(super) fn between(took: Duration, delivered: u64, servers: Duration, generators: Duration) -> Self {
        let (seconds, units) = (took.as_secs_f64().max(1e-9), delivered.max(1) as f64);
        Self {
            seconds,
            delivered,
            per_second: delivered as f64 / seconds,
            server_cpu_us: servers.as_secs_f64() * 1e6 / units,
            generator_cpu_us: generators.as_secs_f64() * 1e6 / units,
            server_cores: servers.as_secs_f64() / seconds,
        }
    }
}

/// All of it.
#[derive(Serialize)]
pub(super) struct Outcome {
    sessions: usize,
    nodes: usize,
    generators: usize,
    rate: f64,
    pub(super) came: usize,
    pub(super) log_in_seconds: f64,
    pub(super) log_in_cpu_seconds: f64,
    pub(super) empty: Held,
    pub(super) held: Held,
    pub(super) talk: Account,
    pub(super) after: Account,
    pub(super) back_seconds: f64,
    end: Status,
    faults: Faults,
    latency_ms: Percentiles,
    resume_ms: Percentiles,
    silent_generators: usize,
}

impl Outcome {
    pub(super) fn new(sessions: usize, division: Division, rate: f64) -> Self {
        Self {
            sessions,
            nodes: division.nodes,
            generators: division.parts,
            rate,
            came: 0,
            log_in_seconds: 0.0,
            log_in_cpu_seconds: 0.0,
            empty: Held::default(),
            held: Held::default(),
            talk: Account::default(),
            after: Account::default(),
            back_seconds: 0.0,
            end: Status::default(),
            faults: Faults::default(),
            latency_ms: Percentiles::default(),
            resume_ms: Percentiles::default(),
            silent_generators: 0,
        }
    }

    pub(super) fn finish(&mut self, end: Status, found: Found) {
        self.end = end;
        self.faults = found.faults;
        self.latency_ms = found.latency.percentiles();
        self.resume_ms = found.away.percentiles();
        self.silent_generators = found.silent;
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let each = |after: u64, before: u64| (after as f64 - before as f64) / self.came.max(1) as f64;
        let _ = writeln!(
            text,
            "{} sessions of {} in one domain of {} nodes ({} generators), logged in within {:.0} s ({:.0} a second, {:.2} ms of \
             CPU each)\n",
            self.came,
            self.sessions,
            self.nodes,
            self.generators,
            self.log_in_seconds,
            self.came as f64 / self.log_in_seconds.max(1e-9),
            self.log_in_cpu_seconds * 1e3 / self.came.max(1) as f64,
        );
        let _ = writeln!(
            text,
            "| memory | without sessions, MiB | with them, MiB | KiB per session |\n|---|---:|---:|---:|"
        );
        let rows = [
            ("nodes (session, its second copy, socket, link)", self.held.nodes, self.empty.nodes),
            ("kernel (both ends of each connection)", self.held.kernel, self.empty.kernel),
            ("generators", self.held.generators, self.empty.generators),
            ("all, by what is no longer free", self.empty.free, self.held.free),
        ];
        for (name, after, before) in rows {
            let (mib, first) = (after as f64 / 1024.0, before as f64 / 1024.0);
            let kib = each(after, before);
            let _ = match name.starts_with("all") {
                true => writeln!(text, "| {name} | | | {kib:.1} |"),
                false => writeln!(text, "| {name} | {first:.0} | {mib:.0} | {kib:.1} |"),
            };
        }
        for (name, account) in [("before the kill", &self.talk), ("after it", &self.after)] {
            let _ = writeln!(
                text,
                "\n{name}: {:.0} messages delivered a second for {:.0} s, {:.1} µs of the nodes' CPU each ({:.2} cores), {:.1} µs \
                 of the generators'",
                account.per_second,
                account.seconds,
                account.server_cpu_us,
                account.server_cores,
                account.generator_cpu_us,
            );
        }
        let Status { broken, resumed, ended, gone, refused, sent, delivered, .. } = self.end;
        let _ = writeln!(
            text,
            "\nkilled one node: {broken} connections broke, {resumed} sessions resumed, {ended} ended, {gone} clients gave up, all \
             back after {:.1} s; from break to resumed p50 {:.0} ms, p99 {:.0} ms, at most {:.0} ms; {refused} attempts refused",
            self.back_seconds, self.resume_ms.p50, self.resume_ms.p99, self.resume_ms.max,
        );
        let Faults { lost, doubled, reordered } = self.faults;
        let _ = writeln!(
            text,
            "{sent} messages sent, {delivered} delivered: {lost} lost, {doubled} doubled, {reordered} reordered; latency p50 {:.1} \
             ms, p99 {:.1} ms, p99.9 {:.1} ms",
            self.latency_ms.p50, self.latency_ms.p99, self.latency_ms.p999,
        );
        text
    }
}
