//! Latencies from a microsecond to a minute, three digits kept.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

const MICROS_MAX: u64 = 60_000_000;

/// A distribution of times.
pub struct Latency(Histogram<u32>);

/// Its usual points, in milliseconds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Percentiles {
    /// Half were faster.
    pub p50: f64,
    /// 95 of 100 were faster.
    pub p95: f64,
    /// 99 of 100 were faster.
    pub p99: f64,
    /// 999 of 1000 were faster.
    pub p999: f64,
    /// The slowest.
    pub max: f64,
    /// The mean.
    pub mean: f64,
    /// How many were measured.
    pub count: u64,
}

impl Default for Latency {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, MICROS_MAX, 3).expect("the bounds are in order"))
    }
}

impl Latency {
    /// Adds one; what is slower than a minute counts as a minute.
    pub fn add(&mut self, time: Duration) {
        self.0.saturating_record(u64::try_from(time.as_micros()).unwrap_or(MICROS_MAX).max(1));
    }

    /// Adds what another has recorded.
    pub fn add_recorded(&mut self, recorded: &[(u64, u64)]) {
        for (micros, count) in recorded {
            self.0.saturating_record_n(*micros, u32::try_from(*count).unwrap_or(u32::MAX));
        }
    }

    /// What was recorded: microseconds, and how often.
    #[must_use]
    pub fn recorded(&self) -> Vec<(u64, u64)> {
        let recorded = self.0.iter_recorded();
        recorded.map(|step| (step.value_iterated_to(), step.count_at_value().into())).collect()
    }

    /// Its points.
    #[must_use]
    pub fn percentiles(&self) -> Percentiles {
        let at = |quantile| self.0.value_at_quantile(quantile) as f64 / 1000.0;
        Percentiles {
            p50: at(0.5),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            max: self.0.max() as f64 / 1000.0,
            mean: self.0.mean() / 1000.0,
            count: self.0.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_in_milliseconds() {
        let mut latency = Latency::default();
        (1..=1000).for_each(|n| latency.add(Duration::from_micros(n * 10)));
        let found = latency.percentiles();
        assert!((found.p50 - 5.0).abs() < 0.02 && (found.p99 - 9.9).abs() < 0.02, "{found:?}");
        assert_eq!(found.count, 1000);
    }
}
