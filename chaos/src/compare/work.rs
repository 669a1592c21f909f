//! A case, run once on a server.

use crate::client::{Engine, Manners, Mechanism, Purpose, Targets};
use crate::load::{Chat, Failover, Groups, Idle, Offline, Pace, Report, Rooms, Scene, Storm};

use super::case::{Case, Work};
use super::server::{Kind, Server, Site, conference};

/// Bytes of a message.
const MESSAGE_BYTES: usize = 260;
/// Stanzas after which a client asks for an acknowledgement.
const ASK_EVERY: u32 = 5;
const CONCURRENCY: usize = 20;
/// How long messages flow before a node is killed and after it.
const FAILOVER_SECONDS: f64 = 8.0;

impl Case {
    /// Runs it once.
    pub(super) fn run(
        &self,
        server: &Server,
        site: &Site,
        idle: usize,
        seconds: f64,
    ) -> anyhow::Result<Report> {
        let manners = Manners {
            accounts: site.accounts.clone(),
            security: self.security,
            mechanism: Mechanism::ScramSha1,
            managed: self.managed,
            resumes: self.managed,
            ask_every: ASK_EVERY,
            purpose: if server.kind == Kind::Floor { Purpose::Bare } else { Purpose::Session },
            eager: false,
        };
        let scene = Scene {
            manners: manners.clone(),
            server: server.processes.clone(),
            warm_up_seconds: (seconds / 3.0).max(0.7),
            seconds,
            concurrency: CONCURRENCY,
        };
        let targets = Targets { distance: self.distance, ..Targets::of(server.targets(self.security)) };
        if let Work::Failover { clients, rate } = self.work {
            let scene = Scene { seconds: FAILOVER_SECONDS, concurrency: clients, ..scene };
            let victim = server.pids().last().copied();
            return Failover { clients, rate, bytes: MESSAGE_BYTES, victim }.run(&scene, &targets);
        }
        let mut engine = Engine::new(&targets, manners, self.accounts(idle))?;
        let report = self.load(&mut engine, scene, idle);
        engine.close();
        report
    }

    fn load(&self, engine: &mut Engine, scene: Scene, idle: usize) -> anyhow::Result<Report> {
        Ok(match self.work {
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
            Work::Offline { pairs, each } => {
                let mut load = Offline::new(scene, pairs, each, MESSAGE_BYTES);
                engine.run(&mut load)?;
                load.report()
            }
            Work::Idle | Work::Failover { .. } => {
                let mut load = Idle::new(scene, idle);
                engine.run(&mut load)?;
                load.report()
            }
        })
    }
}
