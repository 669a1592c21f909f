//! A storm of log-ins: as many at a time as is said, each closed as soon as it is bound.

use std::time::Duration;

use super::window::Window;
use super::{Report, Scene};
use crate::client::{ClientId, Clients, Load};
use crate::measure::Latency;

const LOOK: Duration = Duration::from_millis(20);
const FAILED_MAX: u64 = 1_000;

/// The same accounts, over and over.
pub struct Storm {
    scene: Scene,
    window: Option<Window>,
    began: Vec<Duration>,
    close: Vec<ClientId>,
    /// Those that are not connected, in the order in which they may begin again.
    waiting: std::collections::VecDeque<ClientId>,
    under_way: usize,
    latency: Latency,
    done: u64,
    resumed_tls: f64,
    failed: u64,
    why: Option<String>,
}

impl Storm {
    /// Logs in with `count` accounts.
    #[must_use]
    pub fn new(scene: Scene, count: usize) -> Self {
        Self {
            scene,
            window: None,
            began: vec![Duration::ZERO; count],
            close: Vec::new(),
            waiting: (0..count).collect(),
            under_way: 0,
            latency: Latency::default(),
            done: 0,
            resumed_tls: 0.0,
            failed: 0,
            why: None,
        }
    }

    /// What was measured.
    #[must_use]
    pub fn report(&self) -> Report {
        let mut report = Report { load: "login".into(), clients: self.began.len(), ..Report::default() };
        if let Some(window) = &self.window {
            window.fill(&mut report, self.done);
        }
        report.latency_ms = Some(self.latency.percentiles());
        report.tls_resumed = (self.resumed_tls > 0.0).then_some(self.resumed_tls);
        report.failed = self.failed;
        report.why = self.why.clone();
        report
    }
}

impl Load for Storm {
    fn ready(&mut self, id: ClientId, clients: &mut Clients) {
        if self.window.as_ref().is_some_and(Window::is_open) {
            self.latency.add(clients.now().saturating_sub(self.began[id]));
            self.done += 1;
        }
        self.close.push(id);
    }

    fn stanza(&mut self, _: ClientId, _: &[u8], _: &mut Clients) {}

    fn lost(&mut self, id: ClientId, why: &str, _: &mut Clients) {
        self.failed += 1;
        self.why.get_or_insert_with(|| why.to_owned());
        self.under_way = self.under_way.saturating_sub(1);
        self.waiting.push_back(id);
    }

    fn tick(&mut self, clients: &mut Clients) -> Option<Duration> {
        let now = clients.now();
        for id in self.close.drain(..) {
            clients.close(id);
            self.under_way = self.under_way.saturating_sub(1);
            self.waiting.push_back(id);
        }
        let window = self.window.get_or_insert_with(|| Window::after(now, &self.scene));
        window.tick(now);
        if window.is_over() || self.failed > FAILED_MAX {
            self.resumed_tls = clients.resumed_tls();
            window.close(now);
            return None;
        }
        while self.under_way < self.scene.concurrency
            && let Some(id) = self.waiting.pop_front()
        {
            self.began[id] = now;
            self.under_way += 1;
            clients.open(id);
        }
        Some(LOOK)
    }
}
