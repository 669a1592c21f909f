//! Whom this node has lost, who agrees, and whom it may therefore put down.

use std::time::Duration;

use super::{Effect, Rumour};
use crate::lease::PROMISE;
use crate::link::PEERS_MANY;
use crate::map::HashMap;
use crate::{Incarnation, Member, State, View};

/// A vote is asked for again after this time, and counts a few times as long.
const ASK_EVERY: Duration = Duration::from_millis(200);
const VOTE_HOLDS: Duration = Duration::from_secs(1);
/// A link that is silent is given this time to be made anew if gossip still believes in the peer.
const REDIAL_TIME_MAX: Duration = Duration::from_secs(1);
/// A peer that others still hear, and this node has not for so long: gossip tells others of it.
pub(super) const MISSING_AFTER: Duration = Duration::from_secs(1);
/// And after so long it will not come back soon. Six pings; what is told has gone round by then.
const MISSED_AFTER: Duration = Duration::from_millis(1500);
/// Of many peers that is seven pings, and time enough to make a silent link anew: where so many share few cores,
/// silence means that they have no time, and each that goes and comes back takes more of it from the others.
const MISSED_AFTER_OF_MANY: Duration = Duration::from_millis(3500);
/// If this node's own clock jumps so far between ticks, it was itself who stood still.
const STALL: Duration = Duration::from_millis(700);

/// What is known of all other members that are not down.
#[derive(Debug)]
pub(super) struct Suspicion {
    silence_max: Duration,
    contacts: HashMap<Incarnation, Contact>,
    ticked: Duration,
    voters: Vec<Incarnation>,
    /// When the voters changed. What others have promised each other by the view before holds for a while.
    changed: Option<Duration>,
}

/// What follows from suspicions.
pub(super) struct Verdict {
    /// The view without those who are lost.
    pub(super) next: Option<View>,
    /// The store's vote is wanting.
    pub(super) needs_key: bool,
}

#[derive(Debug)]
struct Contact {
    link: Link,
    /// It has never been up, so nobody waits for what it owns: only a dead one is put down, or it would come and go for
    /// as long as its wires are cut.
    is_new: bool,
    /// What gossip says, if it knows the peer.
    rumour: Option<Rumour>,
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
        heard: Duration,
        /// Nobody listens there, or a newer incarnation does.
        gone: bool,
        /// It was broken for its silence.
        silent: bool,
    },
}

impl Suspicion {
    pub(super) fn new(silence_max: Duration) -> Suspicion {
        Suspicion {
            silence_max,
            contacts: HashMap::default(),
            ticked: Duration::ZERO,
            voters: Vec::new(),
            changed: None,
        }
    }

    /// Keeps contacts with the members of the view that are not down, and with nobody else.
    pub(super) fn members(&mut self, view: &View, me: Incarnation, now: Duration) {
        let live = |m: &crate::Member| m.state != State::Down && m.incarnation != me;
        self.contacts.retain(|peer, _| view.member_of(*peer).is_some_and(live));
        let voters: Vec<_> = view.voters().map(|m| m.incarnation).collect();
        if voters != self.voters && !self.voters.is_empty() {
            self.changed = Some(now);
        }
        self.voters = voters;
        for member in view.members.iter().filter(|m| live(m)) {
            let contact = self.contacts.entry(member.incarnation).or_insert_with(|| Contact {
                link: Link::Lost { since: now, heard: now, gone: false, silent: false },
                is_new: false,
                rumour: None,
                asked: None,
                agreed: HashMap::default(),
            });
            contact.is_new = member.state == State::Joining && !member.voter;
        }
        // Words that were given by another view count no more.
        self.contacts.values_mut().for_each(|contact| {
            contact.agreed.clear();
            contact.asked = None;
        });
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
        let are_many = self.are_many();
        if let Some(Contact { link, .. }) = self.contacts.get_mut(&peer)
            && let Link::Up { heard } = *link
        {
            let silent = now.saturating_sub(heard) >= self.silence_max;
            // One that hears nothing breaks the link itself, and was lost before.
            let since = if silent || are_many { now } else { heard };
            *link = Link::Lost { since, heard, gone: false, silent };
        }
    }

    /// Its process is dead, or so it seems. Whether this says anything new.
    pub(super) fn gone(&mut self, peer: Incarnation) -> bool {
        match self.contacts.get_mut(&peer) {
            Some(Contact { link: Link::Lost { gone, .. }, .. }) => !std::mem::replace(gone, true),
            _ => false,
        }
    }

    pub(super) fn signs(
        &mut self,
        peer: Incarnation,
        last: Duration,
        rumour: Option<Rumour>,
        now: Duration,
        out: &mut Vec<Effect>,
    ) {
        let Some(contact) = self.contacts.get_mut(&peer) else { return };
        contact.rumour = rumour;
        let (Link::Up { heard } | Link::Lost { heard, .. }) = &mut contact.link;
        *heard = (*heard).max(last);
        let silent = now.saturating_sub(*heard) >= self.silence_max;
        if silent && matches!(contact.link, Link::Up { .. }) {
            out.push(Effect::Reset(peer));
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
                Link::Lost { since, heard, gone, .. } => {
                    (*since, *heard) = (now, now);
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

    /// How long a member is silent before it is missed.
    pub(super) fn missed_after(&self) -> Duration {
        if self.are_many() { MISSED_AFTER_OF_MANY } else { MISSED_AFTER }
    }

    fn are_many(&self) -> bool {
        self.contacts.len() > PEERS_MANY
    }

    /// Members that act and are alive, as others hear, but have been silent to this node for so long; and how many links they
    /// lack.
    pub(super) fn missing<'a>(
        &'a self,
        view: &'a View,
        now: Duration,
        silent: Duration,
    ) -> impl Iterator<Item = (&'a Member, u16)> {
        let acting = view.members.iter().filter(|m| matches!(m.state, State::Up | State::Draining));
        acting.filter_map(move |member| {
            let Contact { link, rumour, .. } = self.contacts.get(&member.incarnation)?;
            let (Link::Up { heard } | Link::Lost { heard, gone: false, .. }) = link else { return None };
            let rumour = rumour.filter(|rumour| rumour.alive)?;
            (now.saturating_sub(*heard) >= silent).then_some((member, rumour.missing))
        })
    }

    /// Whether this node has lost the peer, too, and promises it nothing. One that is not in its view is lost.
    pub(super) fn agrees(&self, suspect: Incarnation, now: Duration) -> bool {
        self.contacts.get(&suspect).is_none_or(|contact| self.is_free(contact, now))
    }

    /// Whether nothing that this node has promised keeps it from giving up that peer: it is dead, or has not been
    /// heard for so long.
    fn is_free(&self, contact: &Contact, now: Duration) -> bool {
        let long_ago = |at: Duration| now.saturating_sub(at) >= self.silence_max.max(PROMISE);
        match contact.link {
            Link::Lost { gone: true, .. } => true,
            Link::Up { heard } | Link::Lost { heard, .. } => {
                long_ago(heard) && self.changed.is_none_or(long_ago)
            }
        }
    }

    /// The view in which all are down of whom a majority of the voters, this node among them, says that they are lost.
    /// Where they are even in number the store is one more voter. Asks where it is not known.
    pub(super) fn verdict(
        &mut self,
        view: &View,
        me: Incarnation,
        has_key: bool,
        now: Duration,
        out: &mut Vec<Effect>,
    ) -> Verdict {
        let mut verdict = Verdict { next: None, needs_key: false };
        if !view.member_of(me).is_some_and(|m| m.voter) {
            return verdict;
        }
        let is_suspect = |c: &Contact| c.is_suspect(self.silence_max, now) && self.is_free(c, now);
        let mut suspects: Vec<Incarnation> =
            self.contacts.iter().filter(|(_, c)| is_suspect(c)).map(|(i, _)| *i).collect();
        suspects.sort();
        for suspect in suspects {
            let contact = self.contacts.get(&suspect).expect("suspects are contacts");
            let agrees = |voter: Incarnation| voter == me || contact.is_agreed_by(voter, now);
            let others = || view.voters().map(|m| m.incarnation).filter(|voter| *voter != suspect);
            let (voters, agreed) = (view.voters().count(), others().filter(|v| agrees(*v)).count());
            // The store decides between those who cannot speak with each other, not against one who hears the suspect.
            let is_tie = 2 * agreed == voters && others().all(|v| agrees(v) || !self.is_linked(v));
            if 2 * agreed > voters || (is_tie && has_key) {
                let base = verdict.next.as_ref().unwrap_or(view);
                verdict.next = base.with_state(suspect, State::Down).or(verdict.next);
                continue;
            }
            verdict.needs_key |= is_tie;
            let contact = self.contacts.get_mut(&suspect).expect("suspects are contacts");
            if contact.asked.is_none_or(|at| now.saturating_sub(at) >= ASK_EVERY) {
                if contact.asked.is_none() {
                    metrics::counter!(crate::metrics::SUSPICIONS).increment(1);
                }
                contact.asked = Some(now);
                out.push(Effect::Ask { suspect });
            }
        }
        verdict.next = verdict.next.map(|next| view.next(next.members));
        verdict
    }
}

impl Contact {
    /// Whether that voter has said lately that it is lost.
    fn is_agreed_by(&self, voter: Incarnation, now: Duration) -> bool {
        self.agreed.get(&voter).is_some_and(|at| now.saturating_sub(*at) < VOTE_HOLDS)
    }

    fn is_suspect(&self, silence_max: Duration, now: Duration) -> bool {
        match self.link {
            Link::Up { .. } => false,
            Link::Lost { since, gone, silent, .. } => {
                let lost = now.saturating_sub(since);
                let patience = match (silent, self.rumour) {
                    (true, Some(Rumour { alive: true, .. })) => REDIAL_TIME_MAX,
                    (true, _) => Duration::ZERO,
                    (false, _) => silence_max,
                };
                gone || (lost >= patience && !self.is_new)
            }
        }
    }
}
