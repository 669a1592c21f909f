//! A world for councils, in memory: links that stand, break or fall silent, processes that die or stand still, one store,
//! and time. What must always hold is looked at after every step.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::super::*;
use crate::Roles;

pub(super) const STEP: Duration = Duration::from_millis(50);

/// How a wire is cut.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Both ends are told.
    Reset,
    /// Nothing comes through.
    Silent,
}

pub(super) struct World {
    pub(super) now: Duration,
    pub(super) nodes: BTreeMap<u64, Council>,
    /// Killed processes.
    dead: BTreeSet<u64>,
    /// Processes that stand still, and what waits for them.
    paused: BTreeMap<u64, Vec<Input>>,
    /// Wires that are cut, lower first.
    pub(super) cut: BTreeMap<(u64, u64), Cut>,
    /// Who believes to have a link with whom.
    up: BTreeSet<(u64, u64)>,
    /// When the first last heard the second, and was last answered.
    signs: BTreeMap<(u64, u64), (Duration, Duration)>,
    pub(super) register: Option<View>,
    key: Option<(u64, Duration)>,
    /// Who does not reach the store.
    pub(super) away: BTreeSet<u64>,
    /// Calls to the store on their way.
    calls: Vec<(Duration, u64, Effect)>,
    /// Draws how long they take.
    pub(super) slow: Option<StdRng>,
    pub(super) ousted: BTreeSet<u64>,
    /// What is to be delivered, in order.
    queue: VecDeque<(u64, Input)>,
}

pub(super) fn member(name: &str, incarnation: u64) -> Member {
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

fn pair(a: u64, b: u64) -> (u64, u64) {
    (a.min(b), a.max(b))
}

impl World {
    pub(super) fn new() -> World {
        World {
            now: Duration::ZERO,
            nodes: BTreeMap::new(),
            dead: BTreeSet::new(),
            paused: BTreeMap::new(),
            cut: BTreeMap::new(),
            up: BTreeSet::new(),
            signs: BTreeMap::new(),
            register: None,
            key: None,
            away: BTreeSet::new(),
            calls: Vec::new(),
            slow: None,
            ousted: BTreeSet::new(),
            queue: VecDeque::new(),
        }
    }

    pub(super) fn start(&mut self, name: &str, incarnation: u64) {
        let mut council = Council::new(member(name, incarnation), Wish::Up, false, &Limits::default());
        council.suspicion.tick(self.now);
        self.nodes.insert(incarnation, council);
    }

    pub(super) fn kill(&mut self, incarnation: u64) {
        self.dead.insert(incarnation);
        self.nodes.remove(&incarnation);
        self.paused.remove(&incarnation);
        self.up.retain(|(from, _)| *from != incarnation);
    }

    pub(super) fn cut(&mut self, a: u64, b: u64, cut: Cut) {
        self.cut.insert(pair(a, b), cut);
    }

    pub(super) fn pause(&mut self, incarnation: u64) {
        if self.nodes.contains_key(&incarnation) {
            self.paused.entry(incarnation).or_default();
        }
    }

    pub(super) fn wake(&mut self, incarnation: u64) {
        let waiting = self.paused.remove(&incarnation).unwrap_or_default();
        self.queue.extend(waiting.into_iter().map(|input| (incarnation, input)));
    }

    pub(super) fn wake_all(&mut self) {
        self.paused.keys().copied().collect::<Vec<_>>().into_iter().for_each(|node| self.wake(node));
    }

    /// Calls to the store take some time from now on.
    pub(super) fn slow(&mut self, seed: u64) {
        self.slow = Some(StdRng::seed_from_u64(seed));
    }

    fn runs(&self, node: u64) -> bool {
        self.nodes.contains_key(&node) && !self.paused.contains_key(&node)
    }

    fn is_cut(&self, a: u64, b: u64) -> bool {
        self.cut.contains_key(&pair(a, b))
    }

    /// Whether the first knows the second as a member, and wants a link.
    fn wants(&self, a: u64, b: u64) -> bool {
        self.nodes.get(&a).is_some_and(|council| {
            let member = council.view.member_of(Incarnation(b));
            !council.ousted && member.is_some_and(|m| m.state != State::Down)
        })
    }

    /// One step of time: links are made and lost, signs are heard, everybody ticks, everything said is delivered.
    pub(super) fn step(&mut self) {
        self.now += STEP;
        let ids: Vec<u64> = self.nodes.keys().copied().collect();
        let all: BTreeSet<u64> = ids.iter().chain(&self.dead).copied().collect();
        for a in &all {
            for b in all.range(a + 1..) {
                self.meet(*a, *b);
                self.look(*a, *b);
                self.look(*b, *a);
            }
        }
        let ticks = ids.into_iter().filter(|node| self.runs(*node)).map(|node| (node, Input::Tick));
        self.queue.extend(ticks.collect::<Vec<_>>());
        loop {
            if let Some((to, input)) = self.queue.pop_front() {
                self.deliver(to, input);
            } else if let Some(at) = self.calls.iter().position(|(due, ..)| *due <= self.now) {
                let (_, by, effect) = self.calls.remove(at);
                self.call(by, effect);
            } else {
                return self.check();
            }
        }
    }

    /// Makes a link if there can be one.
    fn meet(&mut self, a: u64, b: u64) {
        let can = self.runs(a) && self.runs(b) && !self.is_cut(a, b) && self.wants(a, b) && self.wants(b, a);
        let half = [(a, b), (b, a)].iter().filter(|ends| self.up.contains(ends)).count();
        if half == 1 {
            // The other end is told, or tries and learns it.
            self.lose(a, b);
            self.lose(b, a);
        } else if can && half == 0 {
            for (x, y) in [(a, b), (b, a)] {
                self.up.insert((x, y));
                self.queue.push_back((x, Input::Up(Incarnation(y))));
                let view = self.nodes[&y].view.clone();
                self.queue.push_back((x, Input::Knows(Incarnation(y), view.epoch)));
                self.queue.push_back((x, Input::Heard(view)));
            }
        }
    }

    fn lose(&mut self, x: u64, y: u64) {
        if !(self.is_cut(x, y) && self.cut[&pair(x, y)] == Cut::Silent) && self.up.remove(&(x, y)) {
            self.queue.push_back((x, Input::Lost(Incarnation(y))));
        }
    }

    /// What the first sees of the second.
    fn look(&mut self, x: u64, y: u64) {
        if !self.runs(x) {
            return;
        }
        let told = self.dead.contains(&y) || self.cut.get(&pair(x, y)) == Some(&Cut::Reset);
        if (told && !(self.dead.contains(&y) && self.is_cut(x, y))) || !self.wants(x, y) {
            self.lose(x, y);
        }
        if self.dead.contains(&y) && !self.is_cut(x, y) && !self.up.contains(&(x, y)) {
            self.queue.push_back((x, Input::Gone(Incarnation(y))));
        }
        let through = self.runs(y) && !self.is_cut(x, y);
        if through && self.up.contains(&(x, y)) && self.up.contains(&(y, x)) {
            let (asker, asked) = (&self.nodes[&x], &self.nodes[&y]);
            let counts = asked.promises(Incarnation(x)) && asked.view.epoch <= asker.view.epoch;
            let (heard, answered) = self.signs.entry((x, y)).or_default();
            *heard = self.now;
            if counts {
                *answered = self.now;
            }
        }
        let (heard, answered) = self.signs.get(&(x, y)).copied().unwrap_or_default();
        let missing = self.nodes.get(&y).map_or(0, |council| council.missing(self.now));
        let rumour = Some(Rumour { alive: through || self.hears_of(x, y), missing });
        self.queue.push_back((x, Input::Signs { peer: Incarnation(y), heard, answered, rumour }));
    }

    /// Whether gossip comes from the second to the first, over others.
    fn hears_of(&self, x: u64, y: u64) -> bool {
        let (mut seen, mut next) = (BTreeSet::from([x]), vec![x]);
        while let Some(at) = next.pop() {
            for other in self.nodes.keys().copied() {
                if self.runs(other) && !self.is_cut(at, other) && seen.insert(other) {
                    next.push(other);
                }
            }
        }
        seen.contains(&y)
    }

    pub(super) fn deliver(&mut self, to: u64, input: Input) {
        if let Some(waiting) = self.paused.get_mut(&to) {
            return waiting.push(input);
        }
        let Some(council) = self.nodes.get_mut(&to) else { return };
        let mut effects = Vec::new();
        council.handle(input, self.now, &mut effects);
        for effect in effects {
            self.perform(to, effect);
        }
    }

    fn tell(&mut self, by: u64, input: impl Fn() -> Input) {
        let linked = |other: &u64| self.up.contains(&(by, *other)) && !self.is_cut(by, *other);
        let peers: Vec<u64> = self.nodes.keys().copied().filter(linked).collect();
        self.queue.extend(peers.into_iter().map(|peer| (peer, input())));
    }

    fn perform(&mut self, by: u64, effect: Effect) {
        match effect {
            Effect::Load | Effect::Propose { .. } | Effect::Claim { .. } => {
                let delay =
                    self.slow.as_mut().map_or(0, |dice| dice.random_range(0..20u32).saturating_sub(8));
                self.calls.push((self.now + delay * STEP, by, effect));
            }
            Effect::Adopt { view, tell } => {
                let epoch = view.epoch;
                if tell {
                    self.tell(by, || Input::Heard(view.clone()));
                }
                self.tell(by, || Input::Knows(Incarnation(by), epoch));
            }
            Effect::Ask { suspect } => self.tell(by, || Input::Asked { by: Incarnation(by), suspect }),
            Effect::Answer { to, epoch, suspect, agree } => {
                if !self.is_cut(by, to.0) {
                    self.queue.push_back((to.0, Input::Voted { by: Incarnation(by), epoch, suspect, agree }));
                }
            }
            Effect::Reset(peer) => {
                if self.up.remove(&(by, peer.0)) {
                    self.queue.push_back((by, Input::Lost(peer)));
                }
            }
            Effect::Ousted => drop(self.ousted.insert(by)),
        }
    }

    /// A call reaches the store, or does not.
    fn call(&mut self, by: u64, effect: Effect) {
        let answer = match effect {
            Effect::Claim { asked, .. } if self.away.contains(&by) => Input::Claimed { asked, given: false },
            _ if self.away.contains(&by) => Input::Away,
            Effect::Load => Input::Loaded(self.register.clone()),
            Effect::Propose { expected, view } => {
                let agreed = self.register.as_ref().map_or(0, |v| v.epoch) == expected;
                if agreed {
                    assert!(view.epoch > expected, "epochs rise");
                    self.register = Some(view);
                }
                Input::Proposed(agreed)
            }
            Effect::Claim { epoch, asked } => {
                let is_current = self.register.as_ref().map_or(0, |v| v.epoch) == epoch;
                let is_taken = self.key.is_some_and(|(holder, until)| holder != by && self.now < until);
                if is_current && !is_taken {
                    self.key = Some((by, self.now + crate::lease::PROMISE));
                }
                Input::Claimed { asked, given: is_current && !is_taken }
            }
            _ => unreachable!("only these are calls"),
        };
        self.queue.push_back((by, answer));
    }

    /// Whoever may act as an owner is not down: nobody else acts in its place.
    fn check(&self) {
        for (node, council) in &self.nodes {
            let acts = council.view.member_of(Incarnation(*node)).is_some_and(|m| m.state != State::Joining);
            if acts && council.lease() > self.now && !self.ousted.contains(node) {
                let state = self.state(*node);
                assert!(
                    state.is_some_and(|state| state != State::Down),
                    "at {:?} node {node} acts by {:#?}, and is {state:?} in {:#?}",
                    self.now,
                    council.view,
                    self.register
                );
            }
        }
    }

    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }

    pub(super) fn state(&self, incarnation: u64) -> Option<State> {
        self.register.as_ref()?.member_of(Incarnation(incarnation)).map(|m| m.state)
    }

    /// Nodes that are up in the view that they know themselves, and hold their lease.
    pub(super) fn acting(&self) -> Vec<u64> {
        let acts = |(i, c): (&u64, &Council)| {
            let up = c.view.member_of(Incarnation(*i)).is_some_and(|m| m.state == State::Up);
            (up && c.lease() > self.now).then_some(*i)
        };
        self.nodes.iter().filter_map(acts).collect()
    }
}
