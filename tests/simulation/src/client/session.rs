//! What a client keeps of its session, so that it can go on with it on another connection (XEP-0198).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tokio::time::Instant;

/// What is said to whom.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// To an account.
    Chat,
    /// To a room.
    Room,
}

/// A message, as the oracle knows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Saying {
    /// To an account or a room.
    pub kind: Kind,
    /// Who says it.
    pub from: usize,
    /// To which account or room.
    pub to: usize,
    /// Its number among what the sender said to it.
    pub number: u32,
}

impl Saying {
    /// The id on the wire, with the sender's session.
    pub fn id(&self, session: u32) -> String {
        let kind = if self.kind == Kind::Chat { 'c' } else { 'r' };
        format!("{kind}-{}-{}-{}-{session}", self.from, self.to, self.number)
    }

    /// Reads an id.
    pub fn read(id: &str) -> Option<(Self, u32)> {
        let mut parts = id.split('-');
        let kind = match parts.next()? {
            "c" => Kind::Chat,
            "r" => Kind::Room,
            _ => return None,
        };
        let mut number = || parts.next()?.parse::<u32>().ok();
        let (from, to, count, session) = (number()?, number()?, number()?, number()?);
        let at = |number: u32| usize::try_from(number).unwrap_or_default();
        Some((Self { kind, from: at(from), to: at(to), number: count }, session))
    }
}

/// A stanza that was said and not acknowledged.
#[derive(Clone, Debug)]
pub struct Said {
    /// As it was said.
    pub xml: String,
    /// What it was, if the oracle cares.
    pub saying: Option<Saying>,
}

/// A session of a client.
#[derive(Debug, Default)]
pub struct Session {
    /// Which one of this client's.
    pub number: u32,
    /// By which it is resumed.
    pub id: String,
    /// Stanzas that came.
    pub heard: u32,
    /// Stanzas that were said.
    pub said: u32,
    /// And of these, how many were acknowledged.
    pub acked: u32,
    /// The others.
    pub unacked: VecDeque<Said>,
    /// Who is in each room, as this client was told.
    pub rooms: BTreeMap<usize, BTreeSet<String>>,
    /// What said that it is not in a room any more: it may be for its former session, if what it asked in this one is answered.
    pub put_out: BTreeMap<usize, String>,
    /// When it asked to be let in.
    pub asked: BTreeMap<usize, Instant>,
}

impl Session {
    /// The server has handled so many: what that acknowledges.
    ///
    /// # Errors
    /// It cannot be true.
    pub fn acknowledged(&mut self, h: u32) -> Result<Vec<Said>, String> {
        if h < self.acked {
            return Err(format!("h fell from {} to {h}", self.acked));
        }
        if h > self.said {
            return Err(format!("h is {h}, but only {} were said", self.said));
        }
        let fresh = usize::try_from(h - self.acked).unwrap_or(usize::MAX);
        self.acked = h;
        Ok(self.unacked.drain(..fresh).collect())
    }

    /// What may not have been heard.
    pub fn unsaid(self) -> impl Iterator<Item = Saying> {
        self.unacked.into_iter().filter_map(|said| said.saying)
    }

    /// Whether this client is in a room.
    pub fn is_in(&self, room: usize, nick: &str) -> bool {
        self.rooms.get(&room).is_some_and(|occupants| occupants.contains(nick))
    }
}
