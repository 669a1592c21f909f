//! Thousands of histories, each from a seed. `SEED=n` replays one aloud, `SEEDS=n` plays so many, `FIRST=n` begins there.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use muster_simulation::{Invariant, aloud, play};

/// How many are played if nobody says otherwise.
const SEEDS: u64 = 2_000;
/// Of how many failing seeds the histories are printed.
const SHOWN_MAX: usize = 3;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// What failed: the seed, why, and its history.
type Failure = (u64, String, String);

fn attempt(seed: u64, tolerated: &Mutex<BTreeMap<Invariant, u64>>) -> Option<Failure> {
    let outcome = match catch_unwind(AssertUnwindSafe(|| play(seed, false))) {
        Ok(outcome) => outcome,
        Err(_) => return Some((seed, "it panics".into(), String::new())),
    };
    let mut counts = tolerated.lock().unwrap_or_else(PoisonError::into_inner);
    outcome.tolerated.iter().for_each(|invariant| *counts.entry(*invariant).or_default() += 1);
    let (invariant, what) = outcome.violations.first()?;
    Some((seed, format!("{invariant:?}: {what}"), outcome.history))
}

#[test]
fn every_history_keeps_the_promise() {
    if let Some(seed) = number("SEED") {
        aloud();
        let outcome = play(seed, true);
        assert!(outcome.violations.is_empty(), "seed {seed}: {:#?}", outcome.violations);
        return;
    }
    let (first, count) = (number("FIRST").unwrap_or(0), number("SEEDS").unwrap_or(SEEDS));
    let next = AtomicU64::new(first);
    let (failures, tolerated) = (Mutex::new(vec![]), Mutex::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return;
                    }
                    let failed = attempt(seed, &tolerated);
                    if let Some((seed, why, _)) = &failed {
                        println!("seed {seed}: {why}");
                    }
                    failures.lock().unwrap().extend(failed);
                }
            });
        }
    });
    if number("SEEDS").is_some() {
        println!("{count} histories from seed {first}");
    }
    let mut failures: Vec<Failure> = failures.into_inner().unwrap();
    failures.sort();
    for (seed, why, history) in failures.iter().take(SHOWN_MAX) {
        println!("\nseed {seed}: {why}\n{history}");
    }
    println!("not demanded, and seen: {:?}", tolerated.into_inner().unwrap());
    let list: Vec<String> = failures.iter().map(|(seed, why, _)| format!("seed {seed}: {why}")).collect();
    assert!(list.is_empty(), "{} of {count} histories:\n{}", list.len(), list.join("\n"));
}

#[test]
fn the_same_seed_is_the_same_history() {
    for seed in 0..20 {
        let (one, two) = (play(seed, false), play(seed, false));
        if one.sum != two.sum {
            let differs = one.history.lines().zip(two.history.lines()).find(|(one, two)| one != two);
            panic!("seed {seed} was another history the second time: {differs:#?}");
        }
    }
}
