//! What is compared: each load with its size, and the figures that matter of it.

use crate::client::{Engine, Manners, Mechanism, Purpose, Security, Targets};
use crate::load::{Chat, Groups, Idle, Pace, Report, Rooms, Scene, Storm};

use super::server::{Kind, Server, Site, conference};

/// Bytes of a message.
const MESSAGE_BYTES: usize = 260;
/// Stanzas after which a client asks for an acknowledgement.
const ASK_EVERY: u32 = 5;
const CONCURRENCY: usize = 20;

/// A row of the comparison.
pub(super) struct Case {
    pub(super) name: &'static str,
    work: Work,
    security: Security,
    managed: bool,
    pub(super) metrics: &'static [Metric],
}

#[derive(Clone, Copy)]
enum Work {
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
    /// As many as the run asks for.
    Idle,
}

/// A figure of a report.
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) value: fn(&Report) -> f64,
}

const MESSAGE: &[Metric] = &[Metric { name: "CPU µs per message", value: |report| report.server_cpu_us }];
const DELIVERY: &[Metric] = &[Metric { name: "CPU µs per delivery", value: |report| report.server_cpu_us }];
const LOGIN: &[Metric] = &[
    Metric { name: "CPU ms per log-in", value: |report| report.server_cpu_us / 1000.0 },
    Metric { name: "log-ins per second", value: |report| report.per_second },
];
const LATENCY: &[Metric] = &[
    Metric { name: "p50 ms", value: |report| report.latency_ms.as_ref().map_or(0.0, |latency| latency.p50) },
    Metric { name: "p99 ms", value: |report| report.latency_ms.as_ref().map_or(0.0, |latency| latency.p99) },
];
const IDLE: &[Metric] = &[
    Metric { name: "KiB per session", value: |report| report.rss_kib_per_session.unwrap_or_default() },
    Metric {
        name: "MiB without sessions",
        value: |report| report.before.map_or(0.0, |memory| memory.rss_kib as f64 / 1024.0),
    },
    Metric { name: "CPU ms per second", value: |report| report.server_cores * 1000.0 },
];

/// All cases, in the order in which they run.
pub(super) fn all() -> Vec<Case> {
    use Security::{Direct, Plain};
    use Work::{Chat, Login, Presence, Rate, Room};
    let case = |name, work, security, managed, metrics| Case { name, work, security, managed, metrics };
    vec![
        case("chat-plain-100", Chat { clients: 100 }, Plain, false, MESSAGE),
        case("chat-plain-1000", Chat { clients: 1000 }, Plain, false, MESSAGE),
        case("chat-tls-100", Chat { clients: 100 }, Direct, false, MESSAGE),
        case("chat-tls-1000", Chat { clients: 1000 }, Direct, false, MESSAGE),
        case("chat-managed-plain-100", Chat { clients: 100 }, Plain, true, MESSAGE),
        case("chat-managed-tls-1000", Chat { clients: 1000 }, Direct, true, MESSAGE),
        case("rate-plain-1000", Rate { clients: 100, rate: 1000.0 }, Plain, false, LATENCY),
        case("room-plain-10x50", Room { rooms: 10, occupants: 50 }, Plain, false, DELIVERY),
        case("room-plain-1x500", Room { rooms: 1, occupants: 500 }, Plain, false, DELIVERY),
        case("room-tls-10x50", Room { rooms: 10, occupants: 50 }, Direct, false, DELIVERY),
        case("presence-plain-2x50", Presence { groups: 2, members: 50 }, Plain, false, DELIVERY),
        case("login-plain", Login { clients: 500 }, Plain, false, LOGIN),
        case("login-tls", Login { clients: 500 }, Direct, false, LOGIN),
        case("idle-plain", Work::Idle, Plain, false, IDLE),
        case("idle-tls", Work::Idle, Direct, false, IDLE),
    ]
}

impl Case {
    /// Whether memory is measured, for which a process must be fresh.
    pub(super) fn needs_fresh(&self) -> bool {
        matches!(self.work, Work::Idle)
    }

    /// How many accounts it uses.
    pub(super) fn accounts(&self, idle: usize) -> usize {
        match self.work {
            Work::Chat { clients } | Work::Rate { clients, .. } | Work::Login { clients } => clients,
            Work::Room { rooms, occupants } => rooms * occupants,
            Work::Presence { groups, members } => groups * members,
            Work::Idle => idle,
        }
    }

    /// Whether a server can do it: the floor knows nothing but clear pairs.
    pub(super) fn is_for(&self, kind: Kind) -> bool {
        let simple = matches!(self.work, Work::Chat { .. } | Work::Rate { .. });
        kind != Kind::Floor || (simple && self.security == Security::Plain && !self.managed)
    }

    /// Runs it once.
    pub(super) fn run(
        &self,
        server: &Server,
        site: &Site,
        idle: usize,
        seconds: f64,
    ) -> anyhow::Result<Report> {
        let purpose = if server.kind == Kind::Floor { Purpose::Bare } else { Purpose::Session };
        let manners = Manners {
            accounts: site.accounts.clone(),
            security: self.security,
            mechanism: Mechanism::ScramSha1,
            managed: self.managed,
            resumes: self.managed,
            ask_every: ASK_EVERY,
            purpose,
        };
        let scene = Scene {
            manners: manners.clone(),
            server: server.processes.clone(),
            warm_up_seconds: (seconds / 3.0).max(1.0),
            seconds,
            concurrency: CONCURRENCY,
        };
        let mut engine =
            Engine::new(&Targets::of(server.targets(self.security)), manners, self.accounts(idle))?;
        let report = match self.work {
            Work::Chat { clients } => {
                let mut load = Chat::new(scene, clients, Pace::Closed(1), MESSAGE_BYTES);
                engine.run(&mut load)?;
                load.report()
            }
            Work::Rate { clients, rate } => {
                let mut load = Chat::new(scene, clients, Pace::Open(rate), MESSAGE_BYTES);
                engine.run(&mut load)?;
                load.report()
            }
            Work::Room { rooms, occupants } => {
                let mut load = Rooms::new(scene, &conference(), rooms, occupants, 1, MESSAGE_BYTES);
                engine.run(&mut load)?;
                load.report()
            }
            Work::Presence { groups, members } => {
                let mut load = Groups::new(scene, groups, members);
                engine.run(&mut load)?;
                load.report()
            }
            Work::Login { clients } => {
                let mut load = Storm::new(scene, clients);
                engine.run(&mut load)?;
                load.report()
            }
            Work::Idle => {
                let mut load = Idle::new(scene, idle);
                engine.run(&mut load)?;
                load.report()
            }
        };
        engine.close();
        Ok(report)
    }
}
