//! What is compared: each load with its size, on which servers, and the figures that matter of it.

use crate::client::{Distance, Security};
use crate::load::Report;

use super::server::Kind;

/// A row of the comparison.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) work: Work,
    pub(super) security: Security,
    pub(super) managed: bool,
    pub(super) distance: Distance,
    pub(super) metrics: &'static [Metric],
    field: Field,
    /// More runs than this tell nothing new.
    pub(super) runs_max: usize,
}

/// Which servers a case is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    /// All, and the floor where it can.
    All,
    /// Muster with one, two, three and five nodes.
    Nodes,
    /// Muster, with one node and with three.
    Muster,
    /// Muster with three nodes.
    Three,
}

#[derive(Clone, Copy)]
pub(super) enum Work {
    Chat {
        clients: usize,
    },
    Rate {
        clients: usize,
        rate: f64,
    },
    Room {
        rooms: usize,
        occupants: usize,
    },
    Presence {
        groups: usize,
        members: usize,
    },
    Login {
        clients: usize,
    },
    Offline {
        pairs: usize,
        each: u64,
    },
    Failover {
        clients: usize,
        rate: f64,
    },
    /// As many as the run asks for.
    Idle,
}

/// A figure of a report.
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) value: fn(&Report) -> f64,
}

const fn metric(name: &'static str, value: fn(&Report) -> f64) -> Metric {
    Metric { name, value }
}

const MESSAGE: &[Metric] = &[metric("CPU µs per message", |report| report.server_cpu_us)];
const DELIVERY: &[Metric] = &[metric("CPU µs per delivery", |report| report.server_cpu_us)];
const LOGIN: &[Metric] = &[
    metric("CPU ms per log-in", |report| report.server_cpu_us / 1000.0),
    metric("log-ins per second", |report| report.per_second),
];
const TICKETS: &[Metric] = &[
    metric("CPU ms per log-in", |report| report.server_cpu_us / 1000.0),
    metric("log-ins per second", |report| report.per_second),
    metric("% TLS resumed", |report| report.tls_resumed.unwrap_or_default() * 100.0),
];
const LATENCY: &[Metric] = &[
    metric("p50 ms", |report| report.latency_ms.as_ref().map_or(0.0, |latency| latency.p50)),
    metric("p95 ms", |report| report.latency_ms.as_ref().map_or(0.0, |latency| latency.p95)),
    metric("p99 ms", |report| report.latency_ms.as_ref().map_or(0.0, |latency| latency.p99)),
    metric("p99.9 ms", |report| report.latency_ms.as_ref().map_or(0.0, |latency| latency.p999)),
];
const OFFLINE: &[Metric] = &[
    metric("CPU µs per message stored", |report| report.server_cpu_us),
    metric("CPU µs per message fetched", |report| report.fetch_cpu_us.unwrap_or_default()),
];
const FAILOVER: &[Metric] = &[
    metric("ms to resume, p50", |report| report.resume_ms.as_ref().map_or(0.0, |resume| resume.p50)),
    metric("ms to resume, p99", |report| report.resume_ms.as_ref().map_or(0.0, |resume| resume.p99)),
    metric("connections broken", |report| report.broken.unwrap_or_default() as f64),
    metric("sessions resumed", |report| report.resumed.unwrap_or_default() as f64),
    metric("messages lost", |report| report.faults.unwrap_or_default().lost as f64),
    metric("messages doubled", |report| report.faults.unwrap_or_default().doubled as f64),
];
const IDLE: &[Metric] = &[
    metric("KiB per session", |report| report.rss_kib_per_session.unwrap_or_default()),
    metric("MiB without sessions", |report| {
        report.before.map_or(0.0, |memory| memory.rss_kib as f64 / 1024.0)
    }),
    metric("CPU ms per second", |report| report.server_cores * 1000.0),
];

/// All cases, in the order in which they run.
pub(super) fn all() -> Vec<Case> {
    use Security::{Direct, Plain, Tickets};
    use Work::{Chat, Failover, Idle, Login, Offline, Presence, Rate, Room};
    vec![
        // First, as all numbers of nodes are to be alike in what they have seen.
        Case::of("scale-same-node", Chat { clients: 200 }, Plain, MESSAGE).field(Field::Nodes).together(),
        Case::of("scale-other-node", Chat { clients: 200 }, Plain, MESSAGE).field(Field::Nodes),
        Case::of("scale-managed", Chat { clients: 200 }, Plain, MESSAGE).field(Field::Nodes).managed(),
        Case::of("chat-plain-100", Chat { clients: 100 }, Plain, MESSAGE),
        Case::of("chat-plain-1000", Chat { clients: 1000 }, Plain, MESSAGE),
        Case::of("chat-tls-100", Chat { clients: 100 }, Direct, MESSAGE),
        Case::of("chat-tls-1000", Chat { clients: 1000 }, Direct, MESSAGE),
        Case::of("chat-managed-plain-100", Chat { clients: 100 }, Plain, MESSAGE).managed(),
        Case::of("chat-managed-tls-1000", Chat { clients: 1000 }, Direct, MESSAGE).managed(),
        Case::of("rate-plain-1000", Rate { clients: 100, rate: 1000.0 }, Plain, LATENCY),
        Case::of("room-plain-10x50", Room { rooms: 10, occupants: 50 }, Plain, DELIVERY),
        Case::of("room-plain-1x500", Room { rooms: 1, occupants: 500 }, Plain, DELIVERY).at_most(3),
        Case::of("room-tls-10x50", Room { rooms: 10, occupants: 50 }, Direct, DELIVERY),
        Case::of("presence-plain-1x50", Presence { groups: 1, members: 50 }, Plain, DELIVERY),
        Case::of("login-plain", Login { clients: 500 }, Plain, LOGIN),
        Case::of("login-tls", Login { clients: 500 }, Direct, LOGIN),
        Case::of("login-tls-tickets", Login { clients: 500 }, Tickets, TICKETS),
        Case::of("offline-plain-100x50", Offline { pairs: 100, each: 50 }, Plain, OFFLINE).at_most(3),
        Case::of("failover-1000", Failover { clients: 1000, rate: 1000.0 }, Plain, FAILOVER)
            .field(Field::Three)
            .managed()
            .at_most(3),
        Case::of("idle-plain", Idle, Plain, IDLE).at_most(2),
        Case::of("idle-tls", Idle, Direct, IDLE).at_most(2),
        Case::of("idle-managed", Idle, Plain, IDLE).field(Field::Muster).managed().at_most(2),
    ]
}

impl Case {
    fn of(name: &'static str, work: Work, security: Security, metrics: &'static [Metric]) -> Self {
        let (managed, distance, field) = (false, Distance::Apart, Field::All);
        Self { name, work, security, managed, distance, metrics, field, runs_max: usize::MAX }
    }

    fn managed(self) -> Self {
        Self { managed: true, ..self }
    }

    fn together(self) -> Self {
        Self { distance: Distance::Together, ..self }
    }

    fn field(self, field: Field) -> Self {
        Self { field, ..self }
    }

    fn at_most(self, runs_max: usize) -> Self {
        Self { runs_max, ..self }
    }

    /// Whether a process must be fresh: where memory is measured, and where a node is to be killed.
    pub(super) fn needs_fresh(&self) -> bool {
        matches!(self.work, Work::Idle | Work::Failover { .. })
    }

    /// Whether the server is not whole afterwards.
    pub(super) fn breaks(&self) -> bool {
        matches!(self.work, Work::Failover { .. })
    }

    /// How many accounts it uses.
    pub(super) fn accounts(&self, idle: usize) -> usize {
        match self.work {
            Work::Chat { clients }
            | Work::Rate { clients, .. }
            | Work::Login { clients }
            | Work::Failover { clients, .. } => clients,
            Work::Room { rooms, occupants } => rooms * occupants,
            Work::Presence { groups, members } => groups * members,
            Work::Offline { pairs, .. } => 2 * pairs,
            Work::Idle => idle,
        }
    }

    /// Whether it is measured on a server. The floor knows nothing but clear pairs.
    pub(super) fn is_for(&self, kind: Kind) -> bool {
        let simple = matches!(self.work, Work::Chat { .. } | Work::Rate { .. });
        let clear = simple && self.security == Security::Plain && !self.managed;
        match (self.field, kind) {
            (Field::All, Kind::Floor) => clear,
            (Field::All, Kind::Muster | Kind::Muster3 | Kind::Ejabberd | Kind::Prosody) => true,
            (Field::All, Kind::Muster2 | Kind::Muster5) => false,
            (Field::Nodes, _) => matches!(kind, Kind::Muster | Kind::Muster2 | Kind::Muster3 | Kind::Muster5),
            (Field::Muster, _) => matches!(kind, Kind::Muster | Kind::Muster3),
            (Field::Three, _) => kind == Kind::Muster3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_comparison_has_a_name_of_its_own_and_a_server() {
        let cases = all();
        let names: std::collections::BTreeSet<_> = cases.iter().map(|case| case.name).collect();
        assert_eq!(names.len(), cases.len());
        assert!(cases.iter().all(|case| case.is_for(Kind::Muster3)));
    }
}
