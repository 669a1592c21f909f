//! Histories of councils, in memory and seeded. What must hold is looked at after every step: see `world`.

mod world;

use std::collections::BTreeSet;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use world::{Cut, World, member};

fn of(names: &[(&str, u64)]) -> World {
    let mut world = World::new();
    for (name, incarnation) in names {
        world.start(name, *incarnation);
    }
    world.run(Duration::from_secs(3));
    assert_eq!(world.acting().len(), names.len());
    world
}

fn three() -> World {
    of(&[("a", 1), ("b", 2), ("c", 3)])
}

#[test]
fn nodes_that_start_together_are_soon_up() {
    of(&[("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5)]);
}

#[test]
fn a_dead_process_is_down_within_half_a_second() {
    let mut world = three();
    world.kill(2);
    world.run(Duration::from_millis(500));
    assert_eq!(world.state(2), Some(State::Down));
    assert_eq!(world.acting(), [1, 3]);
}

#[test]
fn of_two_without_a_link_that_a_third_sees_one_makes_way_and_comes_back_when_links_stand() {
    let mut world = three();
    world.cut(1, 2, Cut::Silent);
    world.run(Duration::from_secs(10));
    assert_eq!(world.ousted, BTreeSet::from([2]), "the one with the higher name");
    world.kill(2);
    world.start("b", 12);
    world.cut(1, 12, Cut::Silent);
    world.run(Duration::from_secs(60));
    assert_eq!(world.state(12), Some(State::Joining), "it waits for the link");
    assert_eq!(world.acting(), [1, 3]);
    world.cut.clear();
    world.run(Duration::from_secs(5));
    assert_eq!(world.acting(), [1, 3, 12]);
}

#[test]
fn one_that_leaves_and_lacks_a_link_makes_way_at_once() {
    let mut world = three();
    world.deliver(1, Input::Wish(Wish::Draining));
    world.run(Duration::from_secs(1));
    assert_eq!(world.state(1), Some(State::Draining));
    world.cut(1, 2, Cut::Silent);
    world.run(Duration::from_secs(10));
    assert_eq!(world.ousted, BTreeSet::from([1]), "though its name is the lower one");
    assert_eq!(world.acting(), [2, 3]);
}

#[test]
fn among_many_who_is_silent_for_three_seconds_is_not_missed() {
    let names: Vec<String> = (1..=18).map(|number| format!("n{number:02}")).collect();
    let members: Vec<_> = names.iter().map(String::as_str).zip(1..).collect();
    let mut world = of(&members);
    world.cut(1, 2, Cut::Silent);
    world.run(Duration::from_secs(3));
    world.cut.clear();
    world.run(Duration::from_secs(5));
    assert!(world.ousted.is_empty());
    world.cut(1, 2, Cut::Silent);
    world.run(Duration::from_secs(10));
    assert_eq!(world.ousted, BTreeSet::from([2]));
}

#[test]
fn who_would_make_way_while_the_store_is_away_stays_if_the_link_is_back_before() {
    let mut world = three();
    world.cut(1, 2, Cut::Silent);
    world.run(Duration::from_millis(1_200));
    world.away = BTreeSet::from([1, 2, 3]);
    world.run(Duration::from_secs(4));
    assert_eq!(world.acting(), [1, 3], "it gave itself up, and could not say so");
    world.cut.clear();
    world.run(Duration::from_secs(4));
    world.away.clear();
    world.run(Duration::from_secs(4));
    assert!(world.ousted.is_empty());
    assert_eq!(world.acting(), [1, 2, 3]);
}

#[test]
fn who_lacks_most_links_makes_way_whatever_its_name() {
    let mut world = of(&[("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5)]);
    world.cut(1, 2, Cut::Silent);
    world.cut(1, 3, Cut::Silent);
    world.run(Duration::from_secs(15));
    assert_eq!(world.ousted, BTreeSet::from([1]));
    assert_eq!(world.acting(), [2, 3, 4, 5]);
}

#[test]
fn who_is_cut_off_and_reaches_the_store_comes_back_once() {
    let mut world = three();
    world.cut(1, 3, Cut::Silent);
    world.cut(2, 3, Cut::Silent);
    world.run(Duration::from_secs(8));
    assert_eq!(world.ousted, BTreeSet::from([3]));
    world.kill(3);
    world.start("c", 13);
    world.cut(1, 13, Cut::Silent);
    world.cut(2, 13, Cut::Silent);
    world.run(Duration::from_secs(60));
    assert_eq!(world.state(13), Some(State::Joining));
    assert_eq!(world.ousted, BTreeSet::from([3]));
    world.cut.clear();
    world.run(Duration::from_secs(5));
    assert_eq!(world.acting(), [1, 2, 13]);
}

#[test]
fn a_short_cut_between_two_moves_nothing() {
    let mut world = three();
    world.cut(1, 2, Cut::Reset);
    world.run(Duration::from_millis(1_200));
    world.cut.clear();
    world.run(Duration::from_secs(10));
    assert!(world.ousted.is_empty());
    assert_eq!(world.acting(), [1, 2, 3]);
}

#[test]
fn a_minority_is_put_down_and_puts_nobody_down() {
    let mut world = of(&[("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5)]);
    for a in [1, 2] {
        for b in [3, 4, 5] {
            world.cut(a, b, Cut::Silent);
        }
    }
    world.run(Duration::from_secs(8));
    assert_eq!([1, 2].map(|i| world.state(i)), [Some(State::Down); 2]);
    assert_eq!([3, 4, 5].map(|i| world.state(i)), [Some(State::Up); 3]);
    assert_eq!(world.ousted, BTreeSet::from([1, 2]));
}

#[test]
fn of_two_that_lose_each_other_exactly_one_stays() {
    let mut world = of(&[("a", 1), ("b", 2)]);
    world.cut(1, 2, Cut::Silent);
    world.run(Duration::from_secs(8));
    assert_eq!(world.ousted.len(), 1);
    assert_eq!([1, 2].iter().filter(|i| world.state(**i) == Some(State::Up)).count(), 1);
}

#[test]
fn a_cluster_killed_whole_comes_back_when_a_majority_does_and_not_before() {
    let mut world = three();
    for i in [1, 2, 3] {
        world.kill(i);
    }
    world.start("a", 11);
    world.run(Duration::from_secs(10));
    assert_eq!(world.state(11), Some(State::Joining), "one of three must wait");
    world.start("b", 12);
    world.run(Duration::from_secs(10));
    assert_eq!([11, 12, 3].map(|i| world.state(i)), [Some(State::Up), Some(State::Up), Some(State::Down)]);
}

#[test]
fn of_two_killed_together_the_first_that_returns_serves() {
    let mut world = of(&[("a", 1), ("b", 2)]);
    world.kill(1);
    world.kill(2);
    world.start("a", 11);
    world.run(Duration::from_secs(10));
    assert_eq!(world.state(11), Some(State::Up));
}

#[test]
fn of_two_the_one_that_reaches_the_store_stays() {
    for lonely in [1, 2] {
        let mut world = of(&[("a", 1), ("b", 2)]);
        world.away.insert(lonely);
        world.cut(1, 2, Cut::Silent);
        world.run(Duration::from_secs(8));
        assert_eq!(world.acting(), [3 - lonely]);
        world.away.clear();
        world.run(Duration::from_secs(2));
        assert_eq!(world.ousted, BTreeSet::from([lonely]));
    }
}

#[test]
fn of_two_without_a_store_nobody_acts_once_they_have_lost_each_other() {
    let mut world = of(&[("a", 1), ("b", 2)]);
    world.away.extend([1, 2]);
    world.run(Duration::from_secs(60));
    assert_eq!(world.acting(), [1, 2], "the store alone is not missed");
    world.cut(1, 2, Cut::Silent);
    world.run(Duration::from_secs(3));
    assert!(world.acting().is_empty());
    world.cut.clear();
    world.run(Duration::from_secs(3));
    assert_eq!(world.acting(), [1, 2], "and they go on as if nothing had happened");
}

#[test]
fn of_two_the_survivor_of_a_kill_goes_on_at_once() {
    let mut world = of(&[("a", 1), ("b", 2)]);
    world.kill(1);
    world.run(Duration::from_millis(500));
    assert_eq!(world.state(1), Some(State::Down));
    assert_eq!(world.acting(), [2]);
}

#[test]
fn four_in_two_halves_are_two_who_go_on() {
    let mut world = of(&[("a", 1), ("b", 2), ("c", 3), ("d", 4)]);
    for (a, b) in [(1, 3), (1, 4), (2, 3), (2, 4)] {
        world.cut(a, b, Cut::Silent);
    }
    world.run(Duration::from_secs(10));
    assert!([vec![1, 2], vec![3, 4]].contains(&world.acting()), "{:?}", world.acting());
}

#[test]
fn who_stood_still_acts_no_more_when_it_wakes() {
    let mut world = three();
    world.pause(1);
    world.run(Duration::from_millis(1900));
    world.wake(1);
    world.run(Duration::from_secs(5));
    assert_eq!(world.acting(), [1, 2, 3], "a short pause is forgiven");
    world.pause(1);
    world.run(Duration::from_millis(2100));
    assert_eq!(world.acting(), [2, 3], "before it knows anything");
    world.run(Duration::from_secs(5));
    assert_eq!(world.state(1), Some(State::Down));
    world.wake(1);
    world.run(Duration::from_secs(2));
    assert_eq!(world.ousted, BTreeSet::from([1]));
}

#[test]
fn a_node_that_stood_still_suspects_nobody_when_it_wakes() {
    let mut world = of(&[("a", 1), ("b", 2)]);
    // Node 1 sleeps for a minute; to keep node 2 from judging it, the store is away.
    world.away.extend([1, 2]);
    world.pause(1);
    world.run(Duration::from_secs(60));
    world.away.clear();
    world.wake(1);
    let mut effects = Vec::new();
    let now = world.now;
    let sleeper = world.nodes.get_mut(&1).unwrap();
    sleeper.handle(Input::Lost(Incarnation(2)), now, &mut effects);
    sleeper.handle(Input::Tick, now, &mut effects);
    assert!(!effects.iter().any(|e| matches!(e, Effect::Propose { .. } | Effect::Ask { .. })));
}

#[test]
fn a_word_that_was_given_is_taken_back_by_a_new_epoch() {
    let mut world = three();
    let epoch = world.register.as_ref().unwrap().epoch;
    // Node 3 is asked whether it, too, has lost node 2, and says yes; then the link is there again. The store is away, or it
    // would make way before.
    world.cut(2, 3, Cut::Silent);
    world.run(Duration::from_secs(1));
    world.away = BTreeSet::from([1, 2, 3]);
    world.run(Duration::from_millis(1700));
    world.deliver(3, Input::Asked { by: Incarnation(1), suspect: Incarnation(2) });
    assert!(!world.nodes[&3].promises(Incarnation(2)));
    world.cut.clear();
    world.away.clear();
    world.run(Duration::from_secs(2));
    assert!(world.nodes[&3].promises(Incarnation(2)));
    assert!(world.register.as_ref().unwrap().epoch > epoch);
    assert_eq!(world.acting(), [1, 2, 3]);
}

#[test]
fn a_store_that_rolled_back_never_takes_the_view_back() {
    let mut world = three();
    let highest = world.register.clone().unwrap().epoch;
    let mut older = View::default().with(member("z", 99));
    older.members.extend(["a", "b", "c"].iter().zip(1..).map(|(name, i)| member(name, i)));
    older.members.sort_by(|a, b| a.node.cmp(&b.node));
    world.register = Some(older);
    world.run(Duration::from_secs(2));
    assert!(world.register.as_ref().unwrap().epoch >= highest);
    assert_eq!(world.acting(), [1, 2, 3]);
}

#[test]
fn whatever_happens_nobody_acts_who_is_down_and_the_cluster_heals_and_all_agree() {
    for seed in 0..120 {
        history(seed);
    }
}

/// A cluster of some nodes, each in its present run.
struct Play {
    world: World,
    runs: Vec<u64>,
    next: u64,
}

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

impl Play {
    fn begin(count: usize) -> Play {
        let mut play = Play { world: World::new(), runs: vec![0; count], next: 1 };
        (0..count).for_each(|x| play.start(x));
        play
    }

    fn start(&mut self, x: usize) {
        self.world.start(NAMES[x], self.next);
        self.runs[x] = self.next;
        self.next += 1;
    }

    fn is_out(&self, x: usize) -> bool {
        !self.world.nodes.contains_key(&self.runs[x]) || self.world.ousted.contains(&self.runs[x])
    }

    fn start_again(&mut self, x: usize) {
        if self.is_out(x) {
            self.world.kill(self.runs[x]);
            self.start(x);
        }
    }

    fn happen(&mut self, dice: &mut StdRng) {
        let count = self.runs.len();
        let (x, y) = (dice.random_range(0..count), dice.random_range(0..count));
        let (a, b) = (self.runs[x], self.runs[y]);
        let cut = if dice.random() { Cut::Silent } else { Cut::Reset };
        let world = &mut self.world;
        match dice.random_range(0..12) {
            0 => world.kill(a),
            1 | 2 if x != y => world.cut(a, b, cut),
            3 => self.runs.iter().filter(|other| **other != a).for_each(|other| world.cut(a, *other, cut)),
            4 => {
                let side: Vec<bool> = (0..count).map(|_| dice.random()).collect();
                for i in 0..count {
                    for j in i + 1..count {
                        if side[i] != side[j] {
                            world.cut(self.runs[i], self.runs[j], cut);
                        }
                    }
                }
            }
            5 | 6 => world.cut.clear(),
            7 => drop(world.away.insert(a)),
            8 => world.away.clear(),
            9 => world.pause(a),
            10 => world.wake_all(),
            _ => self.start_again(x),
        }
        self.world.run(Duration::from_millis(dice.random_range(50..4000)));
    }
}

fn history(seed: u64) {
    let mut dice = StdRng::seed_from_u64(seed);
    let mut play = Play::begin(dice.random_range(2..=5));
    if dice.random() {
        play.world.slow(seed);
    }
    for _ in 0..40 {
        play.happen(&mut dice);
    }
    // All faults end, and every node that is dead or was put out starts again: service is due.
    play.world.cut.clear();
    play.world.away.clear();
    play.world.wake_all();
    for _ in 0..4 {
        (0..play.runs.len()).for_each(|x| play.start_again(x));
        play.world.run(Duration::from_secs(10));
    }
    let world = &play.world;
    let register = world.register.clone().expect("a view");
    for run in &play.runs {
        assert_eq!(world.state(*run), Some(State::Up), "seed {seed}: {run} in {register:#?}");
        assert_eq!(world.nodes[run].view, register, "seed {seed}: all agree");
        assert!(world.nodes[run].is_ready(), "seed {seed}");
    }
    assert_eq!(world.acting().len(), play.runs.len(), "seed {seed}: all act");
}

#[test]
fn of_two_that_began_in_the_same_microsecond_one_begins_again() {
    let first = View::default().with(member("a", 7));
    let mut second = Council::new(member("b", 7), Wish::Up, false, &Limits::default());
    let mut out = vec![];
    second.handle(Input::Tick, Duration::from_secs(1), &mut out);
    second.handle(Input::Loaded(Some(first)), Duration::from_secs(1), &mut out);
    assert_eq!(out, [Effect::Load, Effect::Ousted]);
    assert!(!second.is_ready() && second.view().epoch == 0, "it does not take the other's place for its own");
}
