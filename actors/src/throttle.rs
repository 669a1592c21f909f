//! Who may connect and who may try a password: counts per address and per account, all bounded.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jid::BareJid;
use serde::{Deserialize, Serialize};

use crate::gate::Gate;

/// Limits per address and account, and of log-ins on a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Guards {
    /// Connections from one address at once.
    pub connections_per_address_max: usize,
    /// Failed log-ins from one address in a minute; then it gets `temporary-auth-failure` until the minute is over.
    pub failures_per_address_max: u32,
    /// Failed log-ins to one account from one address in a minute. Others can still log in to it.
    pub failures_per_account_max: u32,
    /// New connections in a second; more wait in the kernel, in order. 0 is 500 for each thread of actors.
    pub log_ins_per_second_max: u32,
    /// Log-ins that the node works on at once: look-ups of keys, binds and resumptions.
    pub log_ins_at_once_max: usize,
    /// Log-ins that wait for their turn; more are told to come again later.
    pub log_ins_waiting_max: usize,
}

impl Default for Guards {
    fn default() -> Self {
        Self {
            connections_per_address_max: 500,
            failures_per_address_max: 60,
            failures_per_account_max: 10,
            log_ins_per_second_max: 0,
            log_ins_at_once_max: 64,
            log_ins_waiting_max: 10_000,
        }
    }
}

/// New connections in a second for each thread of actors, by default: about a third of a core.
const PER_SECOND: u32 = 500;
/// How long a failure counts.
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses and accounts remembered; over that, those whose minute is over are forgotten, then all.
const REMEMBERED_MAX: usize = 100_000;

/// The counts.
pub struct Throttle {
    guards: Guards,
    connections: Connections,
    failures: Mutex<HashMap<(IpAddr, Option<BareJid>), Failures>>,
}

struct Failures {
    since: Instant,
    count: u32,
}

/// A connection's place among those of its address, if they are counted; given back when dropped.
pub struct Admission {
    /// The address.
    pub address: IpAddr,
    counted: Option<Connections>,
}

type Connections = Arc<Mutex<HashMap<IpAddr, usize>>>;

impl Drop for Admission {
    fn drop(&mut self) {
        let Some(connections) = &self.counted else { return };
        let mut connections = lock(connections);
        if let Some(count) = connections.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                connections.remove(&self.address);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Throttle {
    /// Nothing counted yet.
    pub fn new(guards: Guards) -> Self {
        Self { guards, connections: Arc::default(), failures: Mutex::default() }
    }

    /// New connections in a second, with so many threads of actors.
    pub fn log_ins_per_second(&self, arbiters: usize) -> u32 {
        match self.guards.log_ins_per_second_max {
            0 => PER_SECOND.saturating_mul(u32::try_from(arbiters).unwrap_or(u32::MAX)),
            given => given,
        }
    }

    /// The gate that these guards want.
    pub fn gate(&self) -> Arc<Gate> {
        Gate::new(self.guards.log_ins_at_once_max, self.guards.log_ins_waiting_max)
    }

    /// Lets a connection in, or not.
    pub fn admit(&self, address: IpAddr, guarded: bool) -> Option<Admission> {
        if !guarded {
            return Some(Admission { address, counted: None });
        }
        let mut connections = lock(&self.connections);
        let count = connections.entry(address).or_default();
        if *count >= self.guards.connections_per_address_max {
            return None;
        }
        *count += 1;
        Some(Admission { address, counted: Some(self.connections.clone()) })
    }

    /// A log-in failed.
    pub fn failed(&self, address: IpAddr, account: Option<&BareJid>, guarded: bool) {
        if !guarded {
            return;
        }
        let mut failures = lock(&self.failures);
        if failures.len() >= REMEMBERED_MAX {
            failures.retain(|_, failures| failures.since.elapsed() < WINDOW);
            if failures.len() >= REMEMBERED_MAX {
                failures.clear();
            }
        }
        for key in [Some((address, None)), account.map(|account| (address, Some(account.clone())))]
            .into_iter()
            .flatten()
        {
            let entry = failures.entry(key).or_insert_with(|| Failures { since: Instant::now(), count: 0 });
            if entry.since.elapsed() >= WINDOW {
                *entry = Failures { since: Instant::now(), count: 0 };
            }
            entry.count += 1;
        }
    }

    /// Whether this address must wait before it tries this account (again).
    pub fn is_blocked(&self, address: IpAddr, account: &BareJid) -> bool {
        let failures = lock(&self.failures);
        let over = |key: &(IpAddr, Option<BareJid>), most: u32| {
            failures
                .get(key)
                .is_some_and(|failures| failures.since.elapsed() < WINDOW && failures.count >= most)
        };
        over(&(address, None), self.guards.failures_per_address_max)
            || over(&(address, Some(account.clone())), self.guards.failures_per_account_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_places_and_gets_them_back() {
        let throttle = Throttle::new(Guards { connections_per_address_max: 2, ..Guards::default() });
        let address = IpAddr::from([127, 0, 0, 9]);
        let first = throttle.admit(address, true).unwrap();
        let _second = throttle.admit(address, true).unwrap();
        assert!(throttle.admit(address, true).is_none());
        assert!(throttle.admit(address, false).is_some());
        drop(first);
        assert!(throttle.admit(address, true).is_some());
    }

    #[test]
    fn guessing_at_one_account_blocks_the_guesser_alone() {
        let throttle = Throttle::new(Guards { failures_per_account_max: 3, ..Guards::default() });
        let (guesser, other) = (IpAddr::from([127, 0, 0, 9]), IpAddr::from([127, 0, 0, 10]));
        let account = BareJid::new("juliet@capulet.lit").unwrap();
        for _ in 0..3 {
            assert!(!throttle.is_blocked(guesser, &account));
            throttle.failed(guesser, Some(&account), true);
        }
        assert!(throttle.is_blocked(guesser, &account));
        assert!(!throttle.is_blocked(other, &account));
    }
}
