//! What the simulation has found, as scenes: the same faults at the same times, under a few seeds each.

use std::time::Duration;

use muster_cluster::Limits;
use muster_simulation::{Act, Fault, Script, play_script};

fn scene(nodes: usize, at: u64, lasts: u64, fault: Fault) {
    scenes(nodes, &[(at, lasts, fault)]);
}

fn scenes(nodes: usize, faults: &[(u64, u64, Fault)]) {
    scenes_of(0..12, nodes, faults);
}

fn scenes_of(seeds: impl IntoIterator<Item = u64>, nodes: usize, faults: &[(u64, u64, Fault)]) {
    for seed in seeds {
        play(seed, nodes, faults);
    }
}

/// The number of the last view.
fn play(seed: u64, nodes: usize, faults: &[(u64, u64, Fault)]) -> u64 {
    let millis = Duration::from_millis;
    let act = |(at, lasts, fault): &(u64, u64, Fault)| Act {
        at: millis(*at),
        lasts: millis(*lasts),
        fault: fault.clone(),
    };
    let acts = faults.iter().map(act).collect();
    let outcome =
        play_script(seed, Script { nodes: Some(nodes), acts: Some(acts), ..Script::default() }, false);
    assert!(outcome.violations.is_empty(), "{}\n{:#?}", outcome.history, outcome.violations);
    outcome.epoch
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

/// Others believed in it until it had broken its links, and two and a half seconds longer: five in all.
#[test]
fn a_node_that_is_heard_and_hears_nobody_is_put_down_while_the_cut_lasts() {
    for seed in 0..6 {
        let deaf = [0, 1].map(|other| (1_000, 4_000, Fault::CutOneWay(other, 2)));
        let views = play(seed, 3, &deaf) - play(seed, 3, &[]);
        assert_eq!(views, 3, "it is put down, joins, and is up");
    }
}

/// Two views followed each other before a third node had read the first: it gave away what it did not know to be its own, and the
/// others waited for slots that nobody sent.
#[test]
fn a_view_that_was_missed_is_acted_by_all_the_same() {
    let faults = [
        (1_000, 4_000, Fault::StoreAway),
        (3_500, 6_300, Fault::Kill(2, true)),
        (5_000, 2_550, Fault::Kill(1, false)),
    ];
    scenes(3, &faults);
}

/// A machine whose slot moved waited for the word of its former backup, which was dead; so the slot never came.
#[test]
fn a_machine_that_leaves_does_not_wait_for_the_dead() {
    let faults = [(2_500, 6_500, Fault::CutOneWay(2, 1)), (3_800, 1_425, Fault::Kill(3, false))];
    scenes(4, &faults);
}

/// The successor of a room handled what had come since before it said again what its predecessor had not passed on, which
/// everybody then took for known.
#[test]
fn what_a_dead_owner_had_not_passed_on_is_passed_on_first() {
    scenes_of(511..512, 2, &[(3_219, 3_290, Fault::Kill(0, true))]);
}

/// It has not come yet where it goes on from: what waits for it there goes first. It may even come back before.
#[test]
fn a_slot_that_goes_from_hand_to_hand_is_told_everything_in_order() {
    let faults = [(1_875, 6_385, Fault::CutOff(1, false)), (2_526, 4_552, Fault::Roll)];
    scenes_of([6, 27, 37, 199, 206, 266, 274], 3, &faults);
}

/// Who has the copies of a slot whose giver is dead was no owner: what it says is not older than what others said.
#[test]
fn who_keeps_copies_does_not_overtake_itself() {
    scenes_of(0..12, 3, &[(4_333, 6_280, Fault::Drain(1)), (4_480, 5_662, Fault::CutOneWay(0, 2))]);
}

/// Of what a node said some is stuck where its link is cut, some has come where the slot goes. It dies, and says no more; what
/// it had said is said anew, all of it in order: by its heir, by sockets of other nodes, by clients.
#[test]
fn what_the_dead_had_said_to_two_owners_is_said_anew_in_order() {
    scenes_of([754], 5, &[(2_936, 5_006, Fault::Join), (1_647, 4_041, Fault::CutLink(2, 1))]);
    scenes_of([1_819], 5, &[(3_620, 7_355, Fault::Drain(3)), (4_368, 5_023, Fault::CutOneWay(4, 0))]);
    scenes_of([3_829], 4, &[(2_802, 6_756, Fault::Roll), (4_271, 6_647, Fault::CutLink(0, 3))]);
}

/// Others wait for what it has to say to the one that it does not reach.
#[test]
fn a_node_that_leaves_and_lacks_a_link_is_not_waited_for() {
    scenes_of([2_935], 3, &[(4_239, 7_468, Fault::Roll), (3_314, 5_208, Fault::CutLink(0, 1))]);
    scenes_of([735], 3, &[(4_242, 5_692, Fault::Drain(0)), (2_638, 7_730, Fault::CutOneWay(2, 0))]);
}

/// Its owner had one made from the newest copy, and gave it on, before an older copy came from who was cut off.
#[test]
fn an_old_copy_does_not_take_the_place_of_what_has_gone_on() {
    let (cut, killed) = (Fault::CutOff(1, false), Fault::Kill(2, false));
    let slow = Fault::Slow(2, 0, Duration::from_millis(216));
    let faults =
        [(3_679, 2_110, Fault::Drain(1)), (2_865, 6_652, cut), (4_567, 3_404, killed), (4_475, 1_879, slow)];
    scenes_of([31_402], 3, &faults);
}

/// It would be the second that is lost at once.
#[test]
fn a_node_that_leaves_does_not_make_way_for_one_that_is_about_to_die() {
    scenes_of([1_648], 4, &[(2_934, 2_685, Fault::Drain(1)), (2_935, 7_687, Fault::Pause(3))]);
    scenes_of([2_388], 5, &[(2_285, 5_214, Fault::Roll), (2_260, 6_505, Fault::CutOff(3, true))]);
}

/// A copy that was on its way to a backup when the slot got another was nobody's to forget, and who had it waited for that.
#[test]
fn nodes_that_leave_one_right_after_the_other_do_not_wait() {
    let millis = Duration::from_millis;
    let drain = |at, place| Act { at: millis(at), lasts: millis(8_000), fault: Fault::Drain(place) };
    for seed in 0..24 {
        let acts = Some(vec![drain(1_000, 0), drain(1_040, 1)]);
        let script = Script { nodes: Some(5), acts, slow: millis(150), ..Script::default() };
        let outcome = play_script(seed, script, false);
        assert!(outcome.violations.is_empty(), "{}\n{:#?}", outcome.history, outcome.violations);
    }
}

/// What its sockets still said for the one that it was, nobody would ever confirm: it waited for that when it was stopped.
#[test]
fn a_node_that_was_put_out_and_came_back_owes_nothing() {
    scene(3, 1_000, 3_000, Fault::CutLink(0, 1));
    scene(4, 1_000, 4_000, Fault::CutOff(2, false));
}

/// It gave by a view in which one was dead whose last words the new owner, who did not know that view yet, took for said.
#[test]
fn who_gets_a_slot_knows_by_then_who_is_dead() {
    scenes_of([183, 193], 3, &[(3_360, 3_737, Fault::Roll), (4_035, 3_145, Fault::CutOneWay(2, 1))]);
}

/// It was confirmed because it was known, when what had come first was not in two copies yet; and that was lost.
#[test]
fn what_comes_again_is_no_safer_than_what_came_first() {
    let faults = [(3_360, 3_737, Fault::Roll), (4_035, 3_145, Fault::CutOneWay(2, 1))];
    scenes_of([78, 159, 300, 312, 329], 3, &faults);
}

/// Who gave a room said that its backup need not keep it; what was given was stuck where its link was cut, and it was put out.
#[test]
fn what_is_on_its_way_to_a_new_owner_is_not_lost_with_the_giver() {
    scenes_of([748], 3, &[(3_000, 5_485, Fault::Drain(0)), (4_599, 6_943, Fault::CutLink(1, 0))]);
}

/// Its sender said the one to an owner that sent it on to the next, the other to the next, and that one died: both came again, over
/// two ways.
#[test]
fn what_was_sent_on_to_the_dead_comes_again_before_what_was_said_later() {
    scenes_of([841], 3, &[(3_000, 1_314, Fault::Roll), (5_682, 4_703, Fault::CutOneWay(1, 0))]);
}

/// Two views followed each other, and what its first owner sent on did not go the way of the slot, but ahead of it.
#[test]
fn what_is_said_of_a_slot_that_goes_on_goes_the_same_way() {
    scenes_of([3_394], 3, &[(3_000, 1_522, Fault::Roll), (2_482, 6_540, Fault::CutOff(2, false))]);
}

/// What a room had said to a client that had left was refused, and the word of that was stuck where a link was cut. When the owner of
/// the client's account died it was said again, to the next session of the client by the same address, after what was newer.
#[test]
fn what_was_for_a_client_that_had_left_is_not_for_its_next_session() {
    scenes_of(
        [172, 849, 919, 925, 1_683],
        4,
        &[(3_876, 6_201, Fault::Drain(0)), (6_257, 3_196, Fault::CutOneWay(2, 0))],
    );
}

/// All that a room tells the many who enter it at once is much more than may wait for one node at a time, and links are slow.
#[test]
fn a_crowd_that_enters_a_room_at_once_sees_everybody() {
    for seed in 0..6 {
        let script = Script {
            nodes: Some(3),
            acts: Some(vec![]),
            crowd: Some(100),
            slow: Duration::from_millis(200),
            limits: Limits { outbox_bytes_max: 128 << 10, ..Limits::default() },
            ..Script::default()
        };
        let outcome = play_script(seed, script, false);
        assert!(outcome.violations.is_empty(), "{}\n{:#?}", outcome.history, outcome.violations);
        assert!(outcome.tolerated.is_empty(), "{}\n{:?}", outcome.history, outcome.tolerated);
    }
}
