//! A log line at most once a minute, however often its cause occurs.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_secs(60);

/// Counts what is not logged.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    reasons: Mutex<HashMap<&'static str, (Option<Instant>, u64)>>,
}

impl Quiet {
    /// Returns how often the cause occurred since the last line if a line is due now.
    pub(crate) fn due(&self, reason: &'static str) -> Option<u64> {
        self.due_at(reason, Instant::now())
    }

    fn due_at(&self, reason: &'static str, now: Instant) -> Option<u64> {
        let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, times) = reasons.entry(reason).or_default();
        *times += 1;
        if last.is_some_and(|last| now.saturating_duration_since(last) < PERIOD) {
            return None;
        }
        *last = Some(now);
        Some(std::mem::take(times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_causes_make_two_lines_in_a_minute_and_a_bit() {
        let quiet = Quiet::default();
        let start = Instant::now();
        let lines: Vec<u64> =
            (0..1000).filter_map(|n| quiet.due_at("tls", start + Duration::from_millis(61 * n))).collect();
        assert_eq!(lines, [1, 984]);
        assert_eq!(quiet.due_at("frame", start), Some(1));
    }
}
