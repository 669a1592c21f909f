//! How long this node may act as an owner. Pure: times are arguments, all by this node's own clock.
//!
//! A peer that answers a ping promises not to vote this node down for [`PROMISE`] from then on. This node acts only for
//! [`LEASE`] from when it *sent* pings that a majority of the voters have answered. The first is longer than the second,
//! a majority is needed to put a node down, and two majorities have a member in common: so an owner stops before the next
//! one starts. Where the voters are even in number the store is one more, through a key that one node holds at a time.

use std::time::Duration;

use crate::map::HashMap;
use crate::{Incarnation, View};

/// How long an answer is good for, from when its ping was sent.
pub(crate) const LEASE: Duration = Duration::from_secs(2);
/// How long who has heard a peer does not vote it down: the lease, and a margin for clocks that run unlike.
pub(crate) const PROMISE: Duration = Duration::from_millis(2500);
/// The store is asked for its key if the peers' answers do not last so long.
const KEY_EARLY: Duration = Duration::from_secs(1);
/// And again after this time.
const KEY_EVERY: Duration = Duration::from_millis(400);

/// What this node knows of its right to act.
#[derive(Debug)]
pub(crate) struct Lease {
    me: Incarnation,
    /// It has no network: nobody else can be an owner.
    alone: bool,
    epoch: u64,
    voters: Vec<Incarnation>,
    /// The epoch of the last view that had more voters than the one before.
    grown: Option<u64>,
    peers: HashMap<Incarnation, Peer>,
    /// When the store was last asked for the key, and when it was asked that it last gave it.
    asked: Option<Duration>,
    key: Option<Duration>,
}

#[derive(Debug, Default)]
struct Peer {
    /// When the last ping was sent that it has answered.
    answered: Option<Duration>,
    /// The highest epoch that it said it knows.
    knows: u64,
    /// Since when it is proved to be dead.
    dead: Option<Duration>,
}

impl Lease {
    pub(crate) fn new(me: Incarnation, alone: bool) -> Lease {
        let (voters, peers) = (Vec::new(), HashMap::default());
        Lease { me, alone, epoch: 0, voters, grown: None, peers, asked: None, key: None }
    }

    /// Another view is the current one.
    pub(crate) fn view(&mut self, view: &View) {
        let voters: Vec<_> = view.voters().map(|m| m.incarnation).collect();
        if self.epoch > 0 && voters.len() > self.voters.len() {
            self.grown = Some(view.epoch);
        }
        (self.epoch, self.voters) = (view.epoch, voters);
        self.peers.retain(|peer, _| view.member_of(*peer).is_some());
    }

    /// A peer that knew no newer view than this node has answered the ping that was sent then.
    pub(crate) fn answered(&mut self, peer: Incarnation, sent: Duration) {
        let peer = self.peers.entry(peer).or_default();
        if peer.dead.is_none_or(|since| sent > since) {
            peer.dead = None;
            peer.answered = peer.answered.max(Some(sent));
        }
    }

    /// A peer knows the view of that epoch.
    pub(crate) fn knows(&mut self, peer: Incarnation, epoch: u64) {
        let known = &mut self.peers.entry(peer).or_default().knows;
        *known = epoch.max(*known);
    }

    /// A peer's process is dead, or so it seems: it may have the same proof of this one's death, so what it promised
    /// counts no more.
    pub(crate) fn gone(&mut self, peer: Incarnation, now: Duration) {
        let peer = self.peers.entry(peer).or_default();
        peer.answered = None;
        peer.dead = Some(now);
    }

    /// The store was asked for the key then, and gave it or did not.
    pub(crate) fn claimed(&mut self, asked: Duration, given: bool) {
        self.key = if given { Some(asked) } else { None };
    }

    /// Until when this node may act; [`Duration::MAX`]: for ever.
    pub(crate) fn until(&self) -> Duration {
        if self.alone {
            return Duration::MAX;
        }
        let key = self.key.filter(|_| self.is_even() && self.is_settled()).map(|asked| asked + LEASE);
        self.nth_vote(self.peers_votes().chain(key).collect())
    }

    /// Whether this node holds the store's key, and its vote counts.
    pub(crate) fn has_key(&self, now: Duration) -> bool {
        self.is_even() && self.is_settled() && self.key.is_some_and(|asked| now < asked + LEASE)
    }

    /// Whether the store is to be asked for its key now: soon this node will need it to go on, or needs it to put a peer
    /// down. If so, it is being asked.
    pub(crate) fn claims(&mut self, needs: bool, now: Duration) -> bool {
        let recently = self.asked.is_some_and(|asked| now < asked + KEY_EVERY);
        if self.alone || recently || !self.is_even() || !self.is_settled() || !self.voters.contains(&self.me)
        {
            return false;
        }
        let fresh = self.peers_votes().filter(|until| *until > now).count();
        let tips = fresh + 1 >= self.majority();
        let claims = needs || (tips && self.nth_vote(self.peers_votes().collect()) < now + KEY_EARLY);
        if claims {
            self.asked = Some(now);
        }
        claims
    }

    /// Whether a majority of the voters is known to know that there are as many of them. Until then others may still count
    /// by the view before, in which the store had no vote, or they one more of their own.
    pub(crate) fn is_settled(&self) -> bool {
        let Some(grown) = self.grown else { return true };
        let knows = |voter: &&Incarnation| {
            let peer = self.peers.get(voter);
            **voter == self.me || peer.is_some_and(|peer| peer.knows >= grown || peer.dead.is_some())
        };
        2 * self.voters.iter().filter(knows).count() > self.voters.len()
    }

    fn is_even(&self) -> bool {
        self.voters.len().is_multiple_of(2)
    }

    /// How many votes are needed, the store's included if it has one.
    fn majority(&self) -> usize {
        let store = usize::from(self.is_even() && !self.voters.is_empty());
        (self.voters.len() + store) / 2 + 1
    }

    /// Until when the vote of each voter counts that has given one; this node's own does for ever.
    fn peers_votes(&self) -> impl Iterator<Item = Duration> {
        self.voters.iter().filter_map(|voter| match self.peers.get(voter) {
            _ if *voter == self.me => Some(Duration::MAX),
            peer => peer?.answered.map(|sent| sent + LEASE),
        })
    }

    /// Until when enough of these votes count.
    fn nth_vote(&self, mut votes: Vec<Duration>) -> Duration {
        votes.sort_unstable_by(|a, b| b.cmp(a));
        votes.get(self.majority() - 1).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Member, NodeId, Roles, State};

    const ME: Incarnation = Incarnation(1);

    fn view(epoch: u64, voters: u64) -> View {
        let member = |number: u64| Member {
            node: NodeId::new(&format!("n{number}")).unwrap(),
            incarnation: Incarnation(number),
            zone: String::new(),
            weight: 100,
            roles: Roles::all(),
            state: State::Up,
            voter: true,
            link: None,
        };
        View { epoch, members: (1..=voters).map(member).collect(), trail: vec![] }
    }

    fn lease(voters: u64) -> Lease {
        let mut lease = Lease::new(ME, false);
        lease.view(&view(1, voters));
        lease
    }

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn it_ends_two_seconds_after_the_ping_that_completes_a_majority_was_sent() {
        let mut lease = lease(5);
        for (peer, sent) in [(2, 100), (3, 300), (4, 200)] {
            lease.answered(Incarnation(peer), at(sent));
        }
        assert_eq!(lease.until(), at(2200));
        lease.answered(Incarnation(4), at(150));
        assert_eq!(lease.until(), at(2200), "an older answer takes nothing back");
        lease.gone(Incarnation(3), at(400));
        assert_eq!(lease.until(), at(2100));
        lease.answered(Incarnation(3), at(350));
        assert_eq!(lease.until(), at(2100), "what was sent before it died is void");
    }

    #[test]
    fn a_voter_alone_has_it_for_ever_and_who_is_no_voter_has_none_without_the_others() {
        assert_eq!(lease(1).until(), Duration::MAX);
        assert_eq!(Lease::new(ME, true).until(), Duration::MAX);
        assert_eq!(Lease::new(ME, false).until(), Duration::ZERO);
        let mut stranger = Lease::new(Incarnation(9), false);
        stranger.view(&view(1, 1));
        assert_eq!(stranger.until(), Duration::ZERO);
    }

    #[test]
    fn of_two_the_one_with_the_key_goes_on() {
        let mut lease = lease(2);
        lease.answered(Incarnation(2), at(1000));
        assert!(!lease.claims(false, at(1500)), "there is time");
        assert!(lease.claims(false, at(2001)));
        assert!(!lease.claims(false, at(2100)), "it has just been asked");
        lease.claimed(at(2001), true);
        assert_eq!(lease.until(), at(4001));
        assert!(lease.has_key(at(4000)) && !lease.has_key(at(4001)));
        lease.claimed(at(3500), false);
        assert_eq!(lease.until(), at(3000));
    }

    #[test]
    fn the_key_is_not_taken_by_one_whom_it_does_not_help() {
        let mut lease = lease(4);
        assert!(!lease.claims(false, at(1000)), "two votes of five are none");
        lease.answered(Incarnation(2), at(900));
        assert!(lease.claims(false, at(1000)));
    }

    #[test]
    fn the_key_does_not_count_until_a_majority_knows_that_there_are_more_of_them() {
        let mut lease = lease(3);
        lease.view(&view(2, 4));
        lease.answered(Incarnation(2), at(1000));
        assert!(!lease.claims(true, at(1000)));
        lease.knows(Incarnation(4), 2);
        assert!(!lease.is_settled());
        lease.gone(Incarnation(3), at(1100));
        assert!(lease.is_settled() && lease.claims(false, at(1000)));
    }
}
