//! The part of a run that is measured: after the warm-up, up to its end.

use std::time::Duration;

use super::{Report, Scene};
use crate::measure::{Processes, own_cpu};

/// A window of time, and what the server and the generator used in it.
pub(super) struct Window {
    server: Processes,
    open_at: Duration,
    close_at: Duration,
    opened: Option<(Duration, Duration, Duration)>,
    used: Option<(Duration, Duration, Duration)>,
}

impl Window {
    /// Opens after the warm-up, counted from `now`.
    pub(super) fn after(now: Duration, scene: &Scene) -> Self {
        let open_at = now + Duration::from_secs_f64(scene.warm_up_seconds);
        let close_at = open_at + Duration::from_secs_f64(scene.seconds);
        Self { server: scene.server.clone(), open_at, close_at, opened: None, used: None }
    }

    /// Whether what happens now is measured.
    pub(super) fn is_open(&self) -> bool {
        self.opened.is_some() && self.used.is_none()
    }

    /// Whether it is over.
    pub(super) fn is_over(&self) -> bool {
        self.used.is_some()
    }

    /// Opens and closes it in time.
    pub(super) fn tick(&mut self, now: Duration) {
        if self.opened.is_none() && now >= self.open_at {
            self.opened = Some((now, self.server.cpu(), own_cpu()));
        }
        if let (Some((at, server, own)), None) = (self.opened, self.used)
            && now >= self.close_at
        {
            self.used = Some((
                now.saturating_sub(at),
                self.server.cpu().saturating_sub(server),
                own_cpu().saturating_sub(own),
            ));
        }
    }

    /// Ends it before its time.
    pub(super) fn close(&mut self, now: Duration) {
        self.close_at = now;
        self.tick(now);
    }

    /// Fills in what follows from the time used and the units of work done.
    pub(super) fn fill(&self, report: &mut Report, units: u64) {
        let (seconds, server, own) = self.used.unwrap_or_default();
        let each = |used: Duration| used.as_secs_f64() * 1e6 / (units.max(1) as f64);
        report.seconds = seconds.as_secs_f64();
        report.units = units;
        report.per_second = units as f64 / report.seconds.max(1e-9);
        report.server_cpu_us = each(server);
        report.own_cpu_us = each(own);
        report.server_cores = server.as_secs_f64() / report.seconds.max(1e-9);
        report.memory = self.server.memory();
    }
}
