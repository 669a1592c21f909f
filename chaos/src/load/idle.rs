//! Sessions that are held and do nothing: what they cost in memory and in time.

use std::time::Duration;

use super::gather::Gather;
use super::window::Window;
use super::{Report, Scene};
use crate::client::{ClientId, Clients, Load};
use crate::measure::Memory;

const LOOK: Duration = Duration::from_millis(100);

/// N sessions, available, silent.
pub struct Idle {
    scene: Scene,
    gather: Gather,
    before: Memory,
    window: Option<Window>,
}

impl Idle {
    /// Holds `count` sessions.
    #[must_use]
    pub fn new(scene: Scene, count: usize) -> Self {
        let before = scene.server.memory();
        Self { gather: Gather::new(count, scene.concurrency), scene, before, window: None }
    }

    /// What was measured.
    #[must_use]
    pub fn report(&self) -> Report {
        let mut report = Report { load: "idle".into(), clients: self.gather.ready, ..Report::default() };
        if let Some(window) = &self.window {
            window.fill(&mut report, self.gather.ready as u64);
            report.per_second = 0.0;
        }
        let sessions = self.gather.ready.max(1) as f64;
        let each = |after: u64, before: u64| (after as f64 - before as f64) / sessions;
        report.rss_kib_per_session = Some(each(report.memory.rss_kib, self.before.rss_kib));
        report.pss_kib_per_session = Some(each(report.memory.pss_kib, self.before.pss_kib));
        report.before = Some(self.before);
        report.failed = self.gather.failed;
        report.why = self.gather.why.clone();
        report
    }
}

impl Load for Idle {
    fn ready(&mut self, id: ClientId, clients: &mut Clients) {
        clients.send(id, b"<presence/>");
        self.gather.ready(clients.now());
    }

    fn stanza(&mut self, _: ClientId, _: &[u8], _: &mut Clients) {}

    fn lost(&mut self, _: ClientId, why: &str, _: &mut Clients) {
        self.gather.lost(why);
    }

    fn tick(&mut self, clients: &mut Clients) -> Option<Duration> {
        let now = clients.now();
        self.gather.tick(clients);
        if self.gather.is_hopeless(now) {
            return None;
        }
        if self.gather.is_done() {
            let window = self.window.get_or_insert_with(|| Window::after(now, &self.scene));
            window.tick(now);
            if window.is_over() {
                return None;
            }
        }
        Some(LOOK)
    }
}
