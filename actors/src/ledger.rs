//! What an owner knows beside its machine, in both copies: what it has had already, and what its changes led to that is
//! not safe yet.

use std::collections::VecDeque;

use jid::{BareJid, Jid};
use muster_proto::machine::{Effect, Machine, Timestamp};
use muster_proto::session::{Order, is_ahead};
use muster_proto::stanza::{Facts, Stanza};
use muster_proto::store::Write;
use serde::{Deserialize, Serialize};

use crate::receipt::Label;
use crate::sabotage;

/// A source that has been silent for so many seconds has no input under way any more: a client that lost its connection
/// resumes within [`muster_proto::options::Limits::resume_seconds_max`], ten minutes unless configured, and says then
/// again what may have come.
pub const SILENT_SECONDS: u64 = 660;
/// Sources beyond which silent ones are looked for.
const SOURCES_FEW: usize = 8;
/// Sources known at most; then the one that has been silent longest is forgotten.
const SOURCES_MAX: usize = 4_096;
/// How far numbers fall behind the clock, in milliseconds: a day. They go round in 49.
const BEHIND_MAX: u32 = 86_400_000;
/// Numbers below the highest of which is known whether they came.
const WINDOW: u32 = 64;

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// In the order of their names: some have been in hundreds of rooms lately, and each input asks for one.
    sources: Vec<Source>,
    posts: VecDeque<Post>,
    last: u32,
}

/// Somebody from whom inputs came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Source {
    name: u64,
    /// The highest number that came.
    highest: u32,
    /// When, in seconds.
    at: u32,
    /// Which of those below it came.
    below: u64,
}

/// What a step led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    /// Its number.
    pub number: u32,
    /// What others must hear, and the store.
    pub items: Vec<Item>,
}

/// One effect that must not be lost with its owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Item {
    Route(Stanza),
    Fanout(Stanza, Vec<Jid>),
    Order(BareJid, Order),
    Store(Vec<Write>),
}

/// What goes to the second copy along with changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// This was handled.
    pub seen: Option<Label>,
    /// This came of it.
    pub post: Option<Post>,
    /// These are safe.
    pub done: Vec<u32>,
}

impl Item {
    /// What is kept of an effect; answers, questions and what a socket is told need not be.
    fn of<M: Machine>(effect: &Effect<M>) -> Option<Self> {
        Some(match effect {
            Effect::Route(stanza) => Self::Route(stanza.clone()),
            Effect::Fanout { stanza, to } => Self::Fanout(stanza.clone(), to.clone()),
            Effect::Order(account, order) => Self::Order(account.clone(), order.clone()),
            Effect::Store(writes, _) => Self::Store(writes.clone()),
            Effect::Socket(..) | Effect::Ask(..) | Effect::Derive(..) => return None,
        })
    }

    /// Whom an effect is for, if it goes to somebody; many are nobody in particular.
    pub fn receiver_of<M: Machine>(effect: &Effect<M>) -> Option<&str> {
        match effect {
            Effect::Route(stanza) => stanza.to.as_ref().map(|to| to.as_str()),
            Effect::Order(account, _) => Some(account.as_str()),
            Effect::Fanout { .. } => Some(""),
            Effect::Socket(..) | Effect::Ask(..) | Effect::Store(..) | Effect::Derive(..) => None,
        }
    }

    /// The same of what was kept of it.
    pub fn receiver(&self) -> Option<&str> {
        match self {
            Self::Route(stanza) => stanza.to.as_ref().map(|to| to.as_str()),
            Self::Order(account, _) => Some(account.as_str()),
            Self::Fanout(..) => Some(""),
            Self::Store(_) => None,
        }
    }

    fn is_worth_keeping(&self) -> bool {
        match self {
            Self::Route(stanza) | Self::Fanout(stanza, _) => {
                stanza.facts == Facts::empty() || !stanza.facts.only_chat_state()
            }
            Self::Order(..) | Self::Store(_) => true,
        }
    }
}

impl Ledger {
    /// Keeps what a step led to, if there is anything to keep.
    pub fn post<M: Machine>(&mut self, effects: &[Effect<M>], now: Timestamp) -> Option<Post> {
        let items: Vec<Item> = effects.iter().filter_map(Item::of).collect();
        if !items.iter().any(Item::is_worth_keeping) {
            return None;
        }
        // Numbers rise over the life of this ledger and of those before it, at most one each millisecond on average. One by one,
        // so that what is overtaken is within the window.
        let clock = u32::try_from(now.0 & u64::from(u32::MAX)).unwrap_or_default();
        let next = self.last.wrapping_add(1);
        let begins = self.last == 0 || is_ahead(clock, next.wrapping_add(BEHIND_MAX));
        self.last = if begins { clock } else { next };
        let post = Post { number: self.last, items };
        self.posts.push_back(post.clone());
        Some(post)
    }

    /// What a step led to is safe.
    pub fn done(&mut self, number: u32) {
        self.posts.retain(|post| post.number != number);
    }

    /// What is not safe yet, in order.
    pub fn posts(&self) -> impl Iterator<Item = &Post> {
        self.posts.iter()
    }

    /// Whether it knows nothing.
    pub fn is_blank(&self) -> bool {
        self.sources.is_empty() && self.posts.is_empty()
    }

    /// Whether all is safe.
    pub fn is_clear(&self) -> bool {
        self.posts.is_empty()
    }

    /// Whether it has come before.
    pub fn knows(&self, label: Label) -> bool {
        let known = self.place(label.source).is_some_and(|place| {
            let mut source = self.sources[place];
            source.see(label.number)
        });
        known && !sabotage::is_on(sabotage::DEDUP_OFF)
    }

    /// Whether it has come before; if not, it has now.
    pub fn see(&mut self, label: Label, now: Timestamp) -> bool {
        let at = u32::try_from(now.0 / 1_000).unwrap_or(u32::MAX);
        let Some(place) = self.place(label.source) else {
            self.make_room(at);
            let place = self.sources.partition_point(|source| source.name < label.source);
            self.sources.insert(place, Source { name: label.source, highest: label.number, at, below: 0 });
            return false;
        };
        let source = &mut self.sources[place];
        source.at = at;
        source.see(label.number) && !sabotage::is_on(sabotage::DEDUP_OFF)
    }

    /// Where a source is.
    fn place(&self, name: u64) -> Option<usize> {
        self.sources.binary_search_by_key(&name, |source| source.name).ok()
    }

    fn make_room(&mut self, now: u32) {
        if self.sources.len() >= SOURCES_FEW && self.sources.len() == self.sources.capacity() {
            let silent = u32::try_from(SILENT_SECONDS).unwrap_or(u32::MAX);
            self.sources.retain(|source| now.saturating_sub(source.at) <= silent);
        }
        if self.sources.len() >= SOURCES_MAX {
            let oldest = self.sources.iter().enumerate().min_by_key(|(_, source)| source.at);
            if let Some((oldest, _)) = oldest {
                self.sources.remove(oldest);
            }
        }
    }

    /// What its second copy does with a note.
    pub fn apply(&mut self, note: Note, now: Timestamp) {
        if let Some(label) = note.seen {
            self.see(label, now);
        }
        for number in note.done {
            self.done(number);
        }
        if let Some(post) = note.post {
            self.last = post.number;
            self.posts.push_back(post);
        }
    }
}

impl Source {
    fn see(&mut self, number: u32) -> bool {
        if number == self.highest {
            return true;
        }
        if is_ahead(number, self.highest) {
            let by = number.wrapping_sub(self.highest);
            self.below = self.below.checked_shl(by).unwrap_or(0);
            if by <= WINDOW {
                self.below |= 1 << (by - 1);
            }
            self.highest = number;
            return false;
        }
        let behind = self.highest.wrapping_sub(number);
        if behind > WINDOW {
            return true;
        }
        let bit = 1 << (behind - 1);
        let came = self.below & bit != 0;
        self.below |= bit;
        came
    }
}

impl Note {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.seen.is_none() && self.post.is_none() && self.done.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use muster_proto::session::Session;
    use muster_proto::stanza::MessageType;

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn label(source: u64, number: u32) -> Label {
        Label { source, number }
    }

    #[test]
    fn what_came_before_is_known_also_if_it_was_overtaken() {
        let mut ledger = Ledger::default();
        let mut see = |number| ledger.see(label(1, number), NOW);
        assert_eq!([3, 3, 1, 1, 2, 2].map(&mut see), [false, true, false, true, false, true]);
        assert_eq!([67, 4, 4, 3, 2].map(&mut see), [false, false, true, true, true]);
        assert_eq!([200, 136, 135].map(&mut see), [false, false, true], "too old to be new");
        assert!(!ledger.see(label(2, 3), NOW), "of another source");
    }

    #[test]
    fn sources_are_found_in_whatever_order_they_came() {
        let mut ledger = Ledger::default();
        let sources = [5, 9, 1, 7, 3, 8, 0, 6, 2, 4];
        assert!(sources.iter().all(|source| !ledger.see(label(*source, 1), NOW)));
        assert!(
            sources.iter().all(|source| ledger.knows(label(*source, 1)) && !ledger.knows(label(*source, 2)))
        );
        assert!(sources.iter().all(|source| ledger.see(label(*source, 1), NOW)));
    }

    #[test]
    fn numbers_go_round() {
        let mut ledger = Ledger::default();
        let mut see = |number| ledger.see(label(1, number), NOW);
        assert_eq!([u32::MAX, 0, 1, u32::MAX, 0].map(&mut see), [false, false, false, true, true]);
    }

    #[test]
    fn who_is_silent_is_forgotten_and_nobody_else() {
        let mut ledger = Ledger::default();
        for source in 0..100 {
            ledger.see(label(source, 1), Timestamp(NOW.0 + source * 20_000));
        }
        assert!(ledger.sources.len() < 80);
        assert!((70..100).all(|source| ledger.see(label(source, 1), Timestamp(NOW.0 + 2_000_000))));
        for source in 0..5_000 {
            ledger.see(label(source, 1), NOW);
        }
        assert_eq!(ledger.sources.len(), SOURCES_MAX);
    }

    #[test]
    fn a_copy_that_gets_the_notes_knows_the_same() {
        let (mut owner, mut copy) = (Ledger::default(), Ledger::default());
        let route = |body: &str| {
            Effect::<Session>::Route(
                Stanza::message(MessageType::Chat)
                    .with_to(format!("{body}@capulet.lit").parse::<Jid>().expect("a JID")),
            )
        };
        let mut done = vec![];
        for number in 1..=3 {
            let seen = Some(label(1, number));
            owner.see(label(1, number), NOW);
            let post = owner.post(&[route("romeo"), route("juliet")], NOW);
            copy.apply(Note { seen, post, done: std::mem::take(&mut done) }, NOW);
            assert_eq!(owner, copy);
            let first = owner.posts().next().map(|post| post.number).expect("it was posted");
            owner.done(first);
            done.push(first);
        }
        assert!(owner.is_clear() && !copy.is_clear());
        assert!(owner.post(&[Effect::<Session>::Ask(query(), Box::new(|_, _, _, _| {}))], NOW).is_none());
    }

    fn query() -> muster_proto::store::Query {
        muster_proto::store::Query::Count(muster_proto::store::Key::new("offline", "romeo"))
    }
}
