//! Who decides: when to propose which successor of the view, and whom to believe dead. Pure: time is an argument, what
//! happened goes in, what to do comes out.
//!
//! A proposal is agreed when the register takes it. To put another member down, the proposer needs in addition the word
//! of a majority of the voters that they, too, have lost it; where they are even in number the store's key is one more
//! vote. Whoever gives that word answers the suspect's pings no more while the view is the same, so what the suspect may
//! still do as an owner has ended before another begins. A member that was put down is told by the view, and stops.

mod suspicion;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::lease::Lease;
use crate::map::HashSet;
use crate::{Incarnation, Limits, Member, NodeId, State, View};
use suspicion::{MISSING_AFTER, Suspicion};

/// The register is read this often even if nothing is known to have changed.
const POLL_EVERY: Duration = Duration::from_secs(1);
/// And again so long after it could not be reached.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// What the node wants to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// In the view, and nothing more yet.
    Joining,
    /// Up as soon as it has links to a majority.
    Up,
    /// Draining.
    Draining,
    /// Down, in order.
    Gone,
}

/// What happened.
#[derive(Debug)]
pub(crate) enum Input {
    /// The register was read.
    Loaded(Option<View>),
    /// The proposal was agreed, or another was there first.
    Proposed(bool),
    /// The register could not be reached.
    Away,
    /// A peer told an agreed view.
    Heard(View),
    /// Somebody knows a view of that epoch.
    Epoch(u64),
    /// Somebody who is not in the view says that he is a member.
    Stranger,
    /// The link stands.
    Up(Incarnation),
    /// It broke.
    Lost(Incarnation),
    /// Nobody listens at the peer's address, or a newer incarnation does.
    Gone(Incarnation),
    /// What is known of a peer, if it has changed or not.
    Signs {
        /// Of whom.
        peer: Incarnation,
        /// When its link last brought anything.
        heard: Duration,
        /// When the last ping was sent that it has answered, knowing no newer view. Zero: none.
        answered: Duration,
        /// What gossip says of it.
        rumour: Option<Rumour>,
    },
    /// A peer says that it knows the view of that epoch.
    Knows(Incarnation, u64),
    /// The store was asked for its key then, and gave it or did not.
    Claimed { asked: Duration, given: bool },
    /// A peer asks whether this node, too, has lost the suspect.
    Asked { by: Incarnation, suspect: Incarnation },
    /// A peer answers, by the view of that epoch.
    Voted { by: Incarnation, epoch: u64, suspect: Incarnation, agree: bool },
    /// What the node wants has changed.
    Wish(Wish),
    /// An operator takes a member that is down out of the view.
    Forget(NodeId),
    /// Time went by.
    Tick,
}

/// What gossip says of a peer: an opinion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rumour {
    /// Whether it believes it alive.
    pub(crate) alive: bool,
    /// How many links it lacks, by its own word.
    pub(crate) missing: u16,
}

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// Read the register.
    Load,
    /// Ask the store for its key, by the view of that epoch.
    Claim { epoch: u64, asked: Duration },
    /// Compare-and-set the register.
    Propose { expected: u64, view: View },
    /// This view is the current one. Told to all links if this node made it.
    Adopt { view: View, tell: bool },
    /// Ask all linked voters about a suspect.
    Ask { suspect: Incarnation },
    /// Answer, by the view of that epoch.
    Answer { to: Incarnation, epoch: u64, suspect: Incarnation, agree: bool },
    /// Break the link, which is silent, and make it anew.
    Reset(Incarnation),
    /// This incarnation is out of the cluster.
    Ousted,
}

/// A node's knowledge of its cluster, and its will.
#[derive(Debug)]
pub(crate) struct Council {
    /// This node's entry as it enters the view.
    me: Member,
    /// It has no network: nobody else can be up.
    alone: bool,
    wish: Wish,
    view: View,
    /// When this node heard of it.
    since: Duration,
    suspicion: Suspicion,
    lease: Lease,
    /// Whom this node has given up, in this view: their pings are not answered. If it is itself, it acts no more.
    given_up: HashSet<Incarnation>,
    /// A call to the register is under way, and with it the view that it proposes.
    calling: Option<Option<View>>,
    /// The view that was read last is the one known: proposals have a chance.
    loaded: bool,
    /// The register answered when last asked.
    register: bool,
    load_at: Duration,
    forget: Option<NodeId>,
    ousted: bool,
    /// Out of the view by this node's own wish.
    left: bool,
}

impl Council {
    pub(crate) fn new(me: Member, wish: Wish, alone: bool, limits: &Limits) -> Council {
        Council {
            suspicion: Suspicion::new(limits.silence_max),
            lease: Lease::new(me.incarnation, alone),
            given_up: HashSet::default(),
            me,
            alone,
            wish,
            view: View::default(),
            since: Duration::ZERO,
            calling: None,
            loaded: false,
            register: false,
            load_at: Duration::ZERO,
            forget: None,
            ousted: false,
            left: false,
        }
    }

    /// The current view.
    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    /// Whether the register answered when last asked.
    pub(crate) fn register(&self) -> bool {
        self.register
    }

    /// Until when this node may act as an owner; [`Duration::MAX`]: for ever.
    pub(crate) fn lease(&self) -> Duration {
        let gave_up = self.given_up.contains(&self.me.incarnation);
        if (self.ousted || gave_up) && !self.alone { Duration::ZERO } else { self.lease.until() }
    }

    /// Whether answers to this peer's pings promise it anything.
    pub(crate) fn promises(&self, peer: Incarnation) -> bool {
        !self.given_up.contains(&peer)
    }

    /// How many links with members that are up have been missing for a while.
    pub(crate) fn missing(&self, now: Duration) -> u16 {
        let missing = self.suspicion.missing(&self.view, now, MISSING_AFTER);
        u16::try_from(missing.count()).unwrap_or(u16::MAX)
    }

    /// Whether this node left by its own wish.
    pub(crate) fn left(&self) -> bool {
        self.left
    }

    /// Whether it is up, knows the register, and has links to a majority.
    pub(crate) fn is_ready(&self) -> bool {
        let up = self.view.member_of(self.me.incarnation).is_some_and(|m| m.state == State::Up);
        let (linked, voters) = self.linked();
        // With an even number of voters the register is one more.
        up && self.loaded && (2 * linked > voters || (2 * linked == voters && self.register))
    }

    /// Takes one step, appending what is to be done to `out`, in order.
    pub(crate) fn handle(&mut self, input: Input, now: Duration, out: &mut Vec<Effect>) {
        // First of all: if this node itself stood still, nothing that it missed counts against others.
        self.suspicion.tick(now);
        match input {
            Input::Loaded(view) => self.loaded(view, now, out),
            Input::Proposed(agreed) => self.proposed(agreed, now, out),
            Input::Away => {
                self.calling = None;
                self.register = false;
                self.load_at = now + RETRY_AFTER;
            }
            Input::Heard(view) if view.epoch > self.view.epoch => self.adopt(view, false, now, out),
            Input::Heard(_) => {}
            Input::Epoch(epoch) => self.heard_of(epoch, now),
            Input::Stranger => self.load_at = now,
            Input::Up(peer) => self.suspicion.up(peer, now),
            Input::Lost(peer) => self.suspicion.lost(peer, now),
            Input::Gone(peer) => {
                if self.suspicion.gone(peer) {
                    self.lease.gone(peer, now);
                }
            }
            Input::Signs { peer, heard, answered, rumour } => {
                self.suspicion.signs(peer, heard, rumour, now, out);
                if answered > Duration::ZERO {
                    self.lease.answered(peer, answered);
                }
                // Signs come by the dozen, and each time before another input, which decides by all of them.
                return;
            }
            Input::Knows(peer, epoch) => {
                self.lease.knows(peer, epoch);
                self.heard_of(epoch, now);
            }
            Input::Claimed { asked, given } => self.claimed(asked, given, now),
            Input::Asked { by, suspect } => self.asked(by, suspect, now, out),
            Input::Voted { by, epoch, suspect, agree } if epoch == self.view.epoch => {
                self.suspicion.voted(by, suspect, agree, now);
            }
            Input::Voted { .. } => {}
            Input::Wish(wish) => self.wish = wish,
            Input::Forget(node) => self.forget = Some(node),
            Input::Tick => {}
        }
        self.act(now, out);
    }

    fn heard_of(&mut self, epoch: u64, now: Duration) {
        if epoch > self.view.epoch {
            self.load_at = now;
        }
    }

    fn asked(&mut self, by: Incarnation, suspect: Incarnation, now: Duration, out: &mut Vec<Effect>) {
        // Who asks about this node itself has not heard yet that it is back.
        let agree = suspect != self.me.incarnation && self.suspicion.agrees(suspect, now);
        if agree {
            self.given_up.insert(suspect);
        }
        out.push(Effect::Answer { to: by, epoch: self.view.epoch, suspect, agree });
    }

    fn claimed(&mut self, asked: Duration, given: bool, now: Duration) {
        self.lease.claimed(asked, given);
        if !given {
            // There may be a newer view.
            self.load_at = now;
        }
    }

    fn loaded(&mut self, view: Option<View>, now: Duration, out: &mut Vec<Effect>) {
        self.calling = None;
        self.register = true;
        self.load_at = now + POLL_EVERY;
        let view = view.unwrap_or_default();
        if view.epoch >= self.view.epoch {
            self.loaded = true;
            if view != self.view {
                self.adopt(view, false, now, out);
            }
        } else {
            // The store rolled back: the highest view that is known to have been agreed is put again.
            let next = self.view.clone();
            out.push(Effect::Propose { expected: view.epoch, view: next.clone() });
            self.calling = Some(Some(next));
        }
    }

    fn proposed(&mut self, agreed: bool, now: Duration, out: &mut Vec<Effect>) {
        self.register = true;
        match self.calling.take().flatten() {
            Some(view) if agreed => {
                self.loaded = true;
                self.load_at = now + POLL_EVERY;
                // A peer may have told a newer one meanwhile.
                if view.epoch > self.view.epoch {
                    self.adopt(view, true, now, out);
                }
            }
            _ => {
                self.loaded = false;
                self.load_at = now;
            }
        }
    }

    fn adopt(&mut self, view: View, tell: bool, now: Duration, out: &mut Vec<Effect>) {
        if view.member_of(self.me.incarnation).is_some_and(|m| m.node != self.me.node) {
            // Another node began in the same microsecond: all would take the two for one.
            return self.end(out);
        }
        (self.view, self.since) = (view, now);
        self.suspicion.members(&self.view, self.me.incarnation, now);
        self.lease.view(&self.view);
        self.given_up.clear();
        out.push(Effect::Adopt { view: self.view.clone(), tell });
        let mine = self.view.member(&self.me.node);
        let out_of_it = match mine {
            Some(m) if m.incarnation == self.me.incarnation => m.state == State::Down,
            Some(m) => m.incarnation > self.me.incarnation,
            None => false,
        };
        if out_of_it {
            self.end(out);
        }
    }

    /// This incarnation has no place in the cluster.
    fn end(&mut self, out: &mut Vec<Effect>) {
        if self.wish == Wish::Gone {
            self.left = true;
        } else if !self.ousted {
            self.ousted = true;
            out.push(Effect::Ousted);
        }
    }

    /// Asks for the key if it is needed, reads the register if it is time, or proposes what has to change.
    fn act(&mut self, now: Duration, out: &mut Vec<Effect>) {
        self.claim(false, now, out);
        if self.calling.is_some() {
            return;
        }
        if now >= self.load_at {
            self.calling = Some(None);
            out.push(Effect::Load);
            return;
        }
        if !self.loaded || !self.register || self.ousted || self.left {
            return;
        }
        if let Some(next) = self.next(now, out) {
            let is_lost = |m: &&Member| m.state == State::Down;
            self.given_up.extend(next.members.iter().filter(is_lost).map(|m| m.incarnation));
            out.push(Effect::Propose { expected: self.view.epoch, view: next.clone() });
            self.calling = Some(Some(next));
        }
    }

    fn claim(&mut self, needs: bool, now: Duration, out: &mut Vec<Effect>) {
        if !self.ousted && !self.left && self.lease.claims(needs, now) {
            out.push(Effect::Claim { epoch: self.view.epoch, asked: now });
        }
    }

    /// The successor of the view that this node wants, if it wants one.
    fn next(&mut self, now: Duration, out: &mut Vec<Effect>) -> Option<View> {
        let me = self.me.incarnation;
        let Some(mine) = self.view.member_of(me) else {
            return if self.wish == Wish::Gone {
                self.left = true;
                None
            } else {
                Some(self.entered())
            };
        };
        match (self.wish, mine.state) {
            (Wish::Gone, State::Joining | State::Up | State::Draining) => {
                return self.view.with_state(me, State::Down);
            }
            (Wish::Draining, State::Joining | State::Up) => return self.view.with_state(me, State::Draining),
            (Wish::Up, State::Draining) => return self.view.with_state(me, State::Up),
            (Wish::Up, State::Joining) if self.may_go_up() => return self.view.with_state(me, State::Up),
            (Wish::Up, State::Up) | (Wish::Draining, State::Draining) if self.yields(mine.state, now) => {
                tracing::warn!(
                    "this node lacks a link that others have: it makes way, and comes back when links stand, unless it is being stopped"
                );
                return self.view.with_state(me, State::Down);
            }
            _ => {}
        }
        if let Some(next) = self.forget.take().and_then(|node| self.forgotten(&node)) {
            return Some(next);
        }
        if self.alone {
            return self.without_others();
        }
        let is_back = |peer: &Incarnation| *peer == me || self.suspicion.is_linked(*peer);
        if self.given_up.iter().any(is_back) {
            // It is there after all. A new epoch takes back the word, which somebody may still count.
            return Some(self.view.next(self.view.members.clone()));
        }
        let key = self.lease.has_key(now);
        let verdict = self.suspicion.verdict(&self.view, me, key, now, out);
        self.claim(verdict.needs_key, now, out);
        verdict.next
    }

    /// It reaches every member that is up, so that it parts nobody from anybody; and a majority, who know the last that
    /// came before it.
    fn may_go_up(&self) -> bool {
        let reached =
            |m: &Member| self.suspicion.is_linked(m.incarnation) || m.incarnation == self.me.incarnation;
        let mut up = self.view.members.iter().filter(|m| m.state == State::Up);
        self.alone || (self.majority() && up.all(reached) && self.lease.is_settled())
    }

    /// Whether this node, of two that are both alive and have no link, is the one that goes: who lacks more links does,
    /// or else who has the higher name; and before them one that leaves anyway. While the view changes nobody goes for want of
    /// a link: many nodes that start at once on a busy machine are silent at times, and each that goes and comes back would
    /// keep the others busier.
    fn yields(&self, state: State, now: Duration) -> bool {
        let missed_after = self.suspicion.missed_after();
        if now.saturating_sub(self.since) < missed_after {
            return false;
        }
        let mine = (self.missing(now), &self.me.node);
        let leaves = state == State::Draining;
        let goes = |(peer, missing): (&Member, u16)| {
            // One that lacks no link, by its own word, may be about to be lost itself.
            missing > 0 && peer.state == State::Up && (leaves || mine > (missing, &peer.node))
        };
        self.view.voters().count() > 2 && self.suspicion.missing(&self.view, now, missed_after).any(goes)
    }

    /// The view with this incarnation in it. It takes the place of an older one of the same node, and its vote.
    fn entered(&self) -> View {
        let before = self.view.member(&self.me.node);
        let voter = before.is_some_and(|m| m.voter);
        self.view.with(Member { state: State::Joining, voter, ..self.me.clone() })
    }

    fn forgotten(&self, node: &NodeId) -> Option<View> {
        let member = self.view.member(node)?;
        (member.state == State::Down).then(|| self.view.without(node))
    }

    fn without_others(&self) -> Option<View> {
        let others = self.view.members.iter().filter(|m| m.state != State::Down && m.node != self.me.node);
        let downed = others.fold(None, |view: Option<View>, other| {
            view.as_ref().unwrap_or(&self.view).with_state(other.incarnation, State::Down)
        })?;
        Some(self.view.next(downed.members))
    }

    fn majority(&self) -> bool {
        let (linked, voters) = self.linked();
        voters == 0 || 2 * linked > voters || self.alone
    }

    /// How many voters this node reaches, itself included if it is one, and how many there are.
    fn linked(&self) -> (usize, usize) {
        let reached =
            |m: &Member| m.incarnation == self.me.incarnation || self.suspicion.is_linked(m.incarnation);
        (self.view.voters().filter(|m| reached(m)).count(), self.view.voters().count())
    }
}
