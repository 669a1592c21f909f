//! Sessions that are held and do nothing: what they cost in memory and in time.

use std::time::Duration;

use super::gather::Gather;
use super::window::Window;
use super::{Report, Scene};
use crate::client::{ClientId, Clients, Load};
use crate::measure::Memory;

const LOOK: Duration = Duration::from_millis(100);
/// Memory that has not become less for so long is what a server keeps.
const SETTLED: Duration = Duration::from_millis(2500);
const SETTLED_MAX: Duration = Duration::from_secs(15);
/// Less by fewer KiB than this is not less.
const NOTHING: u64 = 64;

/// N sessions, available, silent.
pub struct Idle {
    scene: Scene,
    gather: Gather,
    before: Settling,
    window: Option<Window>,
    after: Settling,
}

/// Memory of a server until it gives nothing back any more: what starting, or a storm of log-ins, took for the moment.
#[derive(Default)]
struct Settling {
    begun: Option<Duration>,
    least: Memory,
    since: Duration,
}

impl Settling {
    /// Looks once more; whether that was enough.
    fn look(&mut self, now: Duration, memory: Memory) -> bool {
        let begun = *self.begun.get_or_insert(now);
        if now == begun || memory.rss_kib + NOTHING < self.least.rss_kib {
            (self.least, self.since) = (memory, now);
        }
        now >= self.since + SETTLED || now >= begun + SETTLED_MAX
    }
}

impl Idle {
    /// Holds `count` sessions.
    #[must_use]
    pub fn new(scene: Scene, count: usize) -> Self {
        let gather = Gather::new(count, scene.concurrency);
        Self { scene, gather, before: Settling::default(), window: None, after: Settling::default() }
    }

    /// What was measured.
    #[must_use]
    pub fn report(&self) -> Report {
        let mut report = Report { load: "idle".into(), clients: self.gather.ready, ..Report::default() };
        if let Some(window) = &self.window {
            window.fill(&mut report, self.gather.ready as u64);
            report.per_second = 0.0;
        }
        report.memory = self.after.least;
        let sessions = self.gather.ready.max(1) as f64;
        let each = |after: u64, before: u64| (after as f64 - before as f64) / sessions;
        report.rss_kib_per_session = Some(each(self.after.least.rss_kib, self.before.least.rss_kib));
        report.pss_kib_per_session = Some(each(self.after.least.pss_kib, self.before.least.pss_kib));
        report.before = Some(self.before.least);
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
        if !self.gather.has_begun() && !self.before.look(now, self.scene.server.memory()) {
            return Some(LOOK);
        }
        self.gather.tick(clients);
        if self.gather.is_hopeless(now) {
            return None;
        }
        // Who looks holds up the server, so that ends before the window begins.
        if self.gather.is_done()
            && (self.window.is_some() || self.after.look(now, self.scene.server.memory()))
        {
            let window = self.window.get_or_insert_with(|| Window::after(now, &self.scene));
            window.tick(now);
            if window.is_over() {
                return None;
            }
        }
        Some(LOOK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_what_is_left_when_nothing_is_given_back_any_more() {
        let mut settling = Settling::default();
        let mut look = |ms: u64, rss_kib| {
            let memory = Memory { rss_kib, pss_kib: 0 };
            (settling.look(Duration::from_millis(ms), memory), settling.least.rss_kib)
        };
        assert_eq!(look(1_000, 22_000), (false, 22_000));
        assert_eq!(look(3_000, 20_000), (false, 20_000), "it gives back");
        assert_eq!(
            look(4_000, 20_100),
            (false, 20_000),
            "the first look was long ago, the last gift was not"
        );
        assert_eq!(look(5_500, 19_990), (true, 20_000), "that little is nothing");
        let mut settling = Settling::default();
        let gives = |n: u64| Memory { rss_kib: 100_000 - 1_000 * n, pss_kib: 0 };
        let ends = (0..).find(|n| settling.look(Duration::from_secs(*n), gives(*n)));
        assert_eq!(ends, Some(15), "who gives back for ever is not waited for");
    }
}
