//! Supervision that survives a panic.
//!
//! actix's own supervisor shares the actor's future and dies with it. Here a step of a machine that panics is caught:
//! what it had committed stays, what it wanted to do is dropped, and the actor goes on. An address that panics too
//! often is refused for a while, alone.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use jid::Jid;

use crate::shown::Shown;

/// Panics of one address within [`WINDOW`] after which it is refused.
const BUDGET: usize = 5;
/// How long a panic counts.
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses remembered; beyond that the oldest are forgotten.
const ADDRESSES_MAX: usize = 10_000;

/// Remembers who panicked.
#[derive(Default)]
pub struct Warden {
    panics: Mutex<HashMap<Box<str>, Vec<Instant>>>,
    /// Hides addresses in logs.
    secret: Option<[u8; 32]>,
}

/// A step panicked.
#[derive(Debug)]
pub struct Panicked;

impl Warden {
    /// One whose log lines hide addresses if there is a secret to hide them with.
    pub fn new(secret: Option<[u8; 32]>) -> Self {
        Self { secret, ..Self::default() }
    }

    fn shown(&self, address: &str) -> Option<String> {
        let jid = Jid::new(address).ok()?;
        Some(Shown { jid: &jid, secret: self.secret.as_ref() }.to_string())
    }

    /// Runs one step of the actor at `address`.
    ///
    /// # Errors
    /// It panicked; the panic has been counted and logged.
    pub fn guard<T>(&self, address: &str, step: impl FnOnce() -> T) -> Result<T, Panicked> {
        catch_unwind(AssertUnwindSafe(step)).map_err(|panic| {
            let why = panic
                .downcast_ref::<&str>()
                .map(ToString::to_string)
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            metrics::counter!("muster_panics_total").increment(1);
            tracing::error!(
                jid = self.shown(address),
                why,
                "a step panicked; the actor goes on from its last committed state"
            );
            self.note(address, Instant::now());
            Panicked
        })
    }

    /// Whether this address has panicked too often to be served now.
    pub fn is_over_budget(&self, address: &str) -> bool {
        let panics = self.panics.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if panics.is_empty() {
            return false;
        }
        panics
            .get(address)
            .is_some_and(|times| times.iter().filter(|at| at.elapsed() < WINDOW).count() >= BUDGET)
    }

    fn note(&self, address: &str, now: Instant) {
        let mut panics = self.panics.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if panics.len() >= ADDRESSES_MAX {
            panics.retain(|_, times| times.last().is_some_and(|at| now - *at < WINDOW));
        }
        let times = panics.entry(address.into()).or_default();
        times.retain(|at| now - *at < WINDOW);
        times.push(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_caught_and_five_in_a_minute_are_too_many() {
        let warden = Warden::default();
        for _ in 0..BUDGET {
            assert!(!warden.is_over_budget("room@conference.example"));
            assert!(warden.guard("room@conference.example", || panic!("on purpose")).is_err());
        }
        assert!(warden.is_over_budget("room@conference.example"));
        assert!(!warden.is_over_budget("other@conference.example"));
        assert_eq!(warden.guard("other@conference.example", || 7).ok(), Some(7));
    }
}
