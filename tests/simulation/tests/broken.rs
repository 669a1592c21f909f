//! A simulation that finds nothing proves nothing: nodes that are broken on purpose are caught, each by what it breaks.

use std::time::Duration;

use muster_actors::sabotage;
use muster_simulation::{Act, Fault, Invariant, Script, play_script};

/// Histories in which what is broken has to show at least once.
const SEEDS: u64 = 24;

fn is_caught(broken: &'static str, by: &[Invariant], lasts: u64, fault: &Fault) {
    sabotage::ask(broken);
    let caught = (0..SEEDS).find(|seed| {
        let (at, lasts) = (Duration::from_millis(1_000), Duration::from_millis(lasts));
        let acts = Some(vec![Act { at, lasts, fault: fault.clone() }]);
        let outcome = play_script(*seed, Script { nodes: Some(3), acts, ..Script::default() }, false);
        outcome.violations.iter().any(|(invariant, _)| by.contains(invariant))
    });
    assert!(caught.is_some(), "{broken} is not noticed in {SEEDS} histories");
}

#[test]
fn who_acknowledges_before_the_backup_has_it_is_caught() {
    is_caught(sabotage::ACKS_BEFORE_BACKUP, &[Invariant::Kept], 6_000, &Fault::CutOff(0, false));
}

#[test]
fn who_goes_on_without_a_lease_is_caught() {
    is_caught(sabotage::FENCE_OFF, &[Invariant::OneOwner], 6_000, &Fault::CutOff(0, false));
}

#[test]
fn who_takes_twice_what_has_come_before_is_caught() {
    is_caught(sabotage::DEDUP_OFF, &[Invariant::NotDoubled], 3_000, &Fault::Kill(0, false));
}
