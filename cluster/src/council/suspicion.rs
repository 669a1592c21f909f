//! Whom this node has lost, who agrees, and whom it may therefore put down.

use std::time::Duration;

use super::Effect;
use crate::map::HashMap;
use crate::{Incarnation, State, View};

/// A vote is asked for again after this time, and counts a few times as long.
const ASK_EVERY: Duration = Duration::from_millis(200);
const VOTE_HOLDS: Duration = Duration::from_secs(1);
/// A link that is silent is given this time to be made anew if gossip still believes in the peer.
const REDIAL_TIME_MAX: Duration = Duration::from_secs(1);
/// Asked by another, this node agrees after this time without a link.
const AGREE_AFTER: Duration = Duration::from_millis(1500);
/// If this node's own clock jumps so far between ticks, it was itself who stood still.
const STALL: Duration = Duration::from_millis(700);

/// What is known of all other members that are not down.
#[derive(Debug)]
pub(super) struct Suspicion {
    silence_max: Duration,
    contacts: HashMap<Incarnation, Contact>,
    ticked: Duration,
}

#[derive(Debug)]
struct Contact {
    link: Link,
    /// What gossip believes, if it knows the peer.
    alive: Option<bool>,
    asked: Option<Duration>,
    /// Who agreed that it is lost, and when.
    agreed: HashMap<Incarnation, Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Up {
        heard: Duration,
    },
    Lost {
        since: Duration,
        /// Nobody listens there, or a newer incarnation does.
        gone: bool,
        /// It was broken for its silence.
        silent: bool,
    },
}

impl Suspicion {
    pub(super) fn new(silence_max: Duration) -> Suspicion {
        Suspicion { silence_max, contacts: HashMap::default(), ticked: Duration::ZERO }
    }

    /// Keeps contacts with the members of the view that are not down, and with nobody else.
    pub(super) fn members(&mut self, view: &View, me: Incarnation, now: Duration) {
        let live = |m: &crate::Member| m.state != State::Down && m.incarnation != me;
        self.contacts.retain(|peer, _| view.member_of(*peer).is_some_and(live));
        for member in view.members.iter().filter(|m| live(m)) {
            self.contacts.entry(member.incarnation).or_insert_with(|| Contact {
                link: Link::Lost { since: now, gone: false, silent: false },
                alive: None,
                asked: None,
                agreed: HashMap::default(),
            });
        }
    }

    pub(super) fn up(&mut self, peer: Incarnation, now: Duration) {
        if let Some(contact) = self.contacts.get_mut(&peer) {
            contact.link = Link::Up { heard: now };
            contact.asked = None;
            contact.agreed.clear();
        }
        // A voter that was away may have changed its mind.
        for contact in self.contacts.values_mut() {
            contact.agreed.remove(&peer);
        }
    }

    pub(super) fn lost(&mut self, peer: Incarnation, now: Duration) {
        if let Some(Contact { link, .. }) = self.contacts.get_mut(&peer)
            && let Link::Up { heard } = *link
        {
            let silent = now.saturating_sub(heard) >= self.silence_max;
            *link = Link::Lost { since: now, gone: false, silent };
        }
    }

    pub(super) fn gone(&mut self, peer: Incarnation) {
        if let Some(Contact { link: Link::Lost { gone, .. }, .. }) = self.contacts.get_mut(&peer) {
            *gone = true;
        }
    }

    pub(super) fn signs(
        &mut self,
        peer: Incarnation,
        last: Duration,
        alive: Option<bool>,
        now: Duration,
        out: &mut Vec<Effect>,
    ) {
        let Some(contact) = self.contacts.get_mut(&peer) else { return };
        contact.alive = alive;
        if let Link::Up { heard } = &mut contact.link {
            *heard = (*heard).max(last);
            if now.saturating_sub(*heard) >= self.silence_max {
                out.push(Effect::Reset(peer));
            }
        }
    }

    pub(super) fn voted(&mut self, by: Incarnation, suspect: Incarnation, agree: bool, now: Duration) {
        if let Some(contact) = self.contacts.get_mut(&suspect) {
            if agree {
                contact.agreed.insert(by, now);
            } else {
                contact.agreed.remove(&by);
            }
        }
    }

    /// Time went by. If it was much more than it should, this node stood still, not the others.
    pub(super) fn tick(&mut self, now: Duration) {
        let gap = now.saturating_sub(self.ticked);
        self.ticked = now;
        if gap < STALL || self.contacts.is_empty() {
            return;
        }
        metrics::counter!(crate::metrics::STALLS).increment(1);
        for contact in self.contacts.values_mut() {
            match &mut contact.link {
                Link::Up { heard } => *heard = now,
                Link::Lost { since, gone, .. } => {
                    *since = now;
                    *gone = false;
                }
            }
            contact.agreed.clear();
        }
    }

    /// Whether the link stands and is not silent.
    pub(super) fn is_linked(&self, peer: Incarnation) -> bool {
        matches!(self.contacts.get(&peer), Some(Contact { link: Link::Up { .. }, .. }))
    }

    /// Whether this node has lost the peer, too. One that is not in its view is lost.
    pub(super) fn agrees(&self, suspect: Incarnation, now: Duration) -> bool {
        self.contacts.get(&suspect).is_none_or(|contact| match contact.link {
            Link::Up { heard } => now.saturating_sub(heard) >= self.silence_max,
            Link::Lost { since, gone, silent } => gone || silent || now.saturating_sub(since) >= AGREE_AFTER,
        })
    }

    /// The view in which all are down of whom a majority of the other voters, this node among them, says that they are
    /// lost. Asks where it is not known.
    pub(super) fn verdict(
        &mut self,
        view: &View,
        me: Incarnation,
        now: Duration,
        out: &mut Vec<Effect>,
    ) -> Option<View> {
        if !view.member_of(me).is_some_and(|m| m.voter) {
            return None;
        }
        let mut next: Option<View> = None;
        let mut suspects: Vec<Incarnation> = self
            .contacts
            .iter()
            .filter(|(_, c)| c.is_suspect(self.silence_max, now))
            .map(|(i, _)| *i)
            .collect();
        suspects.sort();
        for suspect in suspects {
            let base = next.as_ref().unwrap_or(view);
            let contact = self.contacts.get_mut(&suspect).expect("suspects are contacts");
            let others: Vec<Incarnation> =
                base.voters().map(|m| m.incarnation).filter(|i| *i != suspect).collect();
            let agree = |i: &&Incarnation| {
                **i == me || contact.agreed.get(i).is_some_and(|at| now.saturating_sub(*at) < VOTE_HOLDS)
            };
            if 2 * others.iter().filter(agree).count() > others.len() {
                next = base.with_state(suspect, State::Down).or(next);
            } else if contact.asked.is_none_or(|at| now.saturating_sub(at) >= ASK_EVERY) {
                if contact.asked.is_none() {
                    metrics::counter!(crate::metrics::SUSPICIONS).increment(1);
                }
                contact.asked = Some(now);
                out.push(Effect::Ask { suspect });
            }
        }
        next.map(|next| View { epoch: view.epoch + 1, ..next })
    }
}

impl Contact {
    fn is_suspect(&self, silence_max: Duration, now: Duration) -> bool {
        match self.link {
            Link::Up { .. } => false,
            Link::Lost { since, gone, silent } => {
                let lost = now.saturating_sub(since);
                let patience = match (silent, self.alive) {
                    (true, Some(true)) => REDIAL_TIME_MAX,
                    (true, _) => Duration::ZERO,
                    (false, _) => silence_max,
                };
                gone || lost >= patience
            }
        }
    }
}
