//! What the simulation has found, as scenes: the same faults at the same times, under a few seeds each.

use std::time::Duration;

use muster_simulation::{Act, Fault, Script, play_script};

fn scene(nodes: usize, at: u64, lasts: u64, fault: Fault) {
    for seed in 0..12 {
        let (at, lasts) = (Duration::from_millis(at), Duration::from_millis(lasts));
        let acts = vec![Act { at, lasts, fault: fault.clone() }];
        let outcome = play_script(seed, Script { nodes: Some(nodes), acts: Some(acts) }, false);
        assert!(outcome.violations.is_empty(), "{}\n{:#?}", outcome.history, outcome.violations);
    }
}

/// An orderly stop is no fault for anybody.
#[test]
fn a_node_that_is_drained_parts_from_nobody() {
    scene(3, 1_000, 1_000, Fault::Drain(0));
}

/// The backup of each session and room serves at once.
#[test]
fn a_node_that_is_killed_takes_no_session_with_it() {
    scene(3, 1_000, 3_000, Fault::Kill(1, false));
}

/// Its machine says nothing any more, so that its silence is all that others have.
#[test]
fn a_machine_that_vanishes_takes_no_session_with_it() {
    scene(3, 1_000, 6_000, Fault::Kill(2, true));
}

/// On waking it finds that others act in its place.
#[test]
fn a_node_that_stands_still_commits_nothing_when_it_wakes() {
    scene(3, 1_000, 6_000, Fault::Pause(0));
}

/// Once the link stood again, the one was asked whether it had lost itself, said yes, and waited for its lease for ever.
#[test]
fn a_link_that_is_cut_and_healed_leaves_everybody_with_a_lease() {
    scene(3, 4_000, 5_500, Fault::CutLink(0, 1));
    scene(3, 1_000, 5_000, Fault::CutOneWay(0, 2));
}
