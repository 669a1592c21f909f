//! Histories of councils, in memory and seeded: nodes with a link between each pair that stands or does not, one
//! register, and time. What must hold is looked at after every step.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::Roles;

const STEP: Duration = Duration::from_millis(50);

struct World {
    now: Duration,
    nodes: BTreeMap<u64, Council>,
    /// Killed processes.
    dead: BTreeSet<u64>,
    /// Pairs without a link, lower first.
    cut: BTreeSet<(u64, u64)>,
    linked: BTreeSet<(u64, u64)>,
    register: Option<View>,
    away: bool,
    ousted: BTreeSet<u64>,
    /// What is to be delivered, in order.
    queue: Vec<(u64, Input)>,
}

fn member(name: &str, incarnation: u64) -> Member {
    Member {
        node: NodeId::new(name).unwrap(),
        incarnation: Incarnation(incarnation),
        zone: String::new(),
        weight: 100,
        roles: Roles::all(),
        state: State::Joining,
        voter: false,
        link: None,
    }
}

impl World {
    fn new() -> World {
        World {
            now: Duration::ZERO,
            nodes: BTreeMap::new(),
            dead: BTreeSet::new(),
            cut: BTreeSet::new(),
            linked: BTreeSet::new(),
            register: None,
            away: false,
            ousted: BTreeSet::new(),
            queue: Vec::new(),
        }
    }

    fn start(&mut self, name: &str, incarnation: u64) {
        let mut council = Council::new(member(name, incarnation), Wish::Up, false, &Limits::default());
        council.suspicion.tick(self.now);
        self.nodes.insert(incarnation, council);
    }

    fn kill(&mut self, incarnation: u64) {
        self.dead.insert(incarnation);
        self.nodes.remove(&incarnation);
    }

    fn pair(a: u64, b: u64) -> (u64, u64) {
        (a.min(b), a.max(b))
    }

    fn can_link(&self, a: u64, b: u64) -> bool {
        let knows = |x: u64, y: u64| {
            let council = self.nodes.get(&x);
            council.is_some_and(|c| {
                !c.ousted && c.view.member_of(Incarnation(y)).is_some_and(|m| m.state != State::Down)
            })
        };
        !self.cut.contains(&World::pair(a, b)) && knows(a, b) && knows(b, a)
    }

    /// One step of time: links are made and lost, signs are heard, everybody ticks, everything said is delivered.
    fn step(&mut self) {
        self.now += STEP;
        let ids: Vec<u64> = self.nodes.keys().copied().collect();
        let all: BTreeSet<u64> = ids.iter().copied().chain(self.dead.iter().copied()).collect();
        for a in &all {
            for b in all.range(a + 1..) {
                self.link(*a, *b);
            }
        }
        for id in ids {
            self.queue.push((id, Input::Tick));
        }
        while !self.queue.is_empty() {
            let (to, input) = self.queue.remove(0);
            self.deliver(to, input);
        }
    }

    fn link(&mut self, a: u64, b: u64) {
        let pair = (a, b);
        let can = self.can_link(a, b);
        if can && self.linked.insert(pair) {
            self.queue.push((a, Input::Up(Incarnation(b))));
            self.queue.push((b, Input::Up(Incarnation(a))));
        } else if !can && self.linked.remove(&pair) {
            self.queue.push((a, Input::Lost(Incarnation(b))));
            self.queue.push((b, Input::Lost(Incarnation(a))));
        }
        for (x, y) in [(a, b), (b, a)] {
            if can {
                let heard = self.now;
                self.queue.push((x, Input::Signs { peer: Incarnation(y), heard, alive: Some(true) }));
            } else if self.dead.contains(&y) && !self.cut.contains(&pair) {
                self.queue.push((x, Input::Gone(Incarnation(y))));
            }
        }
    }

    fn deliver(&mut self, to: u64, input: Input) {
        let Some(council) = self.nodes.get_mut(&to) else { return };
        let mut effects = Vec::new();
        council.handle(input, self.now, &mut effects);
        for effect in effects {
            self.perform(to, effect);
        }
    }

    fn peers(&self, of: u64) -> Vec<u64> {
        let others = self.nodes.keys().copied().filter(|o| *o != of);
        others.filter(|o| self.linked.contains(&World::pair(of, *o))).collect()
    }

    fn perform(&mut self, by: u64, effect: Effect) {
        match effect {
            Effect::Load | Effect::Propose { .. } if self.away => self.queue.push((by, Input::Away)),
            Effect::Load => self.queue.push((by, Input::Loaded(self.register.clone()))),
            Effect::Propose { expected, view } => {
                let agreed = self.register.as_ref().map_or(0, |v| v.epoch) == expected;
                if agreed {
                    assert!(view.epoch > expected, "epochs rise");
                    self.register = Some(view);
                }
                self.queue.push((by, Input::Proposed(agreed)));
            }
            Effect::Adopt { view, tell } => {
                for peer in if tell { self.peers(by) } else { Vec::new() } {
                    self.queue.push((peer, Input::Heard(view.clone())));
                }
            }
            Effect::Ask { suspect } => {
                for peer in self.peers(by) {
                    self.queue.push((peer, Input::Asked { by: Incarnation(by), suspect }));
                }
            }
            Effect::Answer { to, suspect, agree } => {
                self.queue.push((to.0, Input::Voted { by: Incarnation(by), suspect, agree }));
            }
            Effect::Reset(_) => {}
            Effect::Ousted => drop(self.ousted.insert(by)),
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }

    fn state(&self, incarnation: u64) -> Option<State> {
        self.register.as_ref()?.member_of(Incarnation(incarnation)).map(|m| m.state)
    }

    /// Nodes that are up in the view that they know themselves, and were not put out.
    fn acting(&self) -> Vec<u64> {
        let up = |(i, c): (&u64, &Council)| {
            c.view.member_of(Incarnation(*i)).is_some_and(|m| m.state == State::Up).then_some(*i)
        };
        self.nodes.iter().filter_map(up).collect()
    }
}

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
fn one_observer_alone_downs_nobody() {
    let mut world = three();
    world.cut.insert((1, 2));
    world.run(Duration::from_secs(20));
    assert_eq!([1, 2, 3].map(|i| world.state(i)), [Some(State::Up); 3]);
    assert!(world.ousted.is_empty());
}

#[test]
fn a_minority_is_put_down_and_puts_nobody_down() {
    let mut world = of(&[("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5)]);
    for a in [1, 2] {
        for b in [3, 4, 5] {
            world.cut.insert((a, b));
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
    world.cut.insert((1, 2));
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
fn a_node_that_stood_still_suspects_nobody_when_it_wakes() {
    let mut world = of(&[("a", 1), ("b", 2)]);
    // Node 1 sleeps for a minute; to keep node 2 from judging it, the store is away.
    world.away = true;
    let sleeper = world.nodes.remove(&1).unwrap();
    world.run(Duration::from_secs(60));
    world.nodes.insert(1, sleeper);
    world.away = false;
    world.deliver(1, Input::Lost(Incarnation(2)));
    let mut effects = Vec::new();
    world.nodes.get_mut(&1).unwrap().handle(Input::Tick, world.now, &mut effects);
    assert!(!effects.iter().any(|e| matches!(e, Effect::Propose { .. } | Effect::Ask { .. })));
}

#[test]
fn a_store_that_rolled_back_never_takes_the_view_back() {
    let mut world = three();
    let highest = world.register.clone().unwrap().epoch;
    world.register = Some(View::default().with(member("z", 99)));
    world.run(Duration::from_secs(2));
    assert!(world.register.as_ref().unwrap().epoch >= highest);
    assert_eq!(world.acting(), [1, 2, 3]);
}

#[test]
fn whatever_happens_the_cluster_heals_and_all_agree() {
    for seed in 0..200 {
        history(seed);
    }
}

fn history(seed: u64) {
    let mut dice = StdRng::seed_from_u64(seed);
    let names = ["a", "b", "c", "d", "e"];
    let count = dice.random_range(2..=5);
    let mut next = 1;
    let mut world = World::new();
    let mut runs: Vec<u64> = Vec::new();
    for name in &names[..count] {
        world.start(name, next);
        runs.push(next);
        next += 1;
    }
    for _ in 0..30 {
        let (x, y) = (dice.random_range(0..count), dice.random_range(0..count));
        let pair = World::pair(runs[x], runs[y]);
        match dice.random_range(0..6) {
            0 => world.kill(runs[x]),
            1 if x != y => drop(world.cut.insert(pair)),
            2 => world.cut.clear(),
            3 => world.away = !world.away,
            4 if !world.nodes.contains_key(&runs[x]) || world.ousted.contains(&runs[x]) => {
                world.kill(runs[x]);
                world.start(names[x], next);
                runs[x] = next;
                next += 1;
            }
            _ => {}
        }
        world.run(Duration::from_millis(dice.random_range(50..4000)));
    }
    // All faults end, and every node that is dead or was put out starts again: service is due.
    world.cut.clear();
    world.away = false;
    for _ in 0..3 {
        for (x, name) in names[..count].iter().enumerate() {
            if !world.nodes.contains_key(&runs[x]) || world.ousted.contains(&runs[x]) {
                world.kill(runs[x]);
                world.start(name, next);
                runs[x] = next;
                next += 1;
            }
        }
        world.run(Duration::from_secs(10));
    }
    let register = world.register.clone().expect("a view");
    for run in &runs {
        assert_eq!(world.state(*run), Some(State::Up), "seed {seed}: {run} in {register:#?}");
        assert_eq!(world.nodes[run].view, register, "seed {seed}: all agree");
        assert!(world.nodes[run].is_ready(), "seed {seed}");
    }
}
