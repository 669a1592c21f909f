//! Who is in a room: occupants by nickname, each with the connections ("seats") that share it (XEP-0045 §7.2.8).

use std::collections::BTreeMap;

use jid::{BareJid, FullJid, Jid};
use serde::{Deserialize, Serialize};

use super::affiliations::{Affiliation, Role};
use crate::stanza::Stanza;

/// Everybody in a room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occupants {
    by_nick: BTreeMap<String, Occupant>,
    nicks: BTreeMap<FullJid, String>,
}

/// One nickname in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occupant {
    /// The occupant JID, `room@service/nick`.
    pub jid: FullJid,
    /// Whose it is.
    pub user: BareJid,
    /// What the user lastingly is.
    pub affiliation: Affiliation,
    /// What the occupant may do now.
    pub role: Role,
    /// Its connections, the one whose presence is shown last. Never empty.
    pub seats: Vec<Seat>,
}

/// One connection of an occupant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// The real full JID.
    pub jid: FullJid,
    /// Its presence, without what only the room may say.
    pub presence: Stanza,
}

impl Occupant {
    /// The nickname.
    pub fn nick(&self) -> &str {
        self.jid.resource().as_str()
    }

    /// The connection whose presence is shown.
    pub fn shown(&self) -> &Seat {
        self.seats.last().expect("an occupant has a seat")
    }

    /// The real JIDs of its connections.
    pub fn receivers(&self) -> impl Iterator<Item = Jid> {
        self.seats.iter().map(|seat| seat.jid.clone().into())
    }
}

impl Occupants {
    /// How many nicknames are in use.
    pub fn len(&self) -> usize {
        self.by_nick.len()
    }

    /// Whether nobody is there.
    pub fn is_empty(&self) -> bool {
        self.by_nick.is_empty()
    }

    /// How many connections there are.
    pub fn seats_len(&self) -> usize {
        self.nicks.len()
    }

    /// Everybody, in order of nicknames.
    pub fn iter(&self) -> impl Iterator<Item = &Occupant> {
        self.by_nick.values()
    }

    /// Who has this nickname.
    pub fn named(&self, nick: &str) -> Option<&Occupant> {
        self.by_nick.get(nick)
    }

    /// Whose connection this is.
    pub fn at(&self, seat: &FullJid) -> Option<&Occupant> {
        self.by_nick.get(self.nicks.get(seat)?)
    }

    /// All occupants of one user.
    pub fn of_user<'a>(&'a self, user: &'a BareJid) -> impl Iterator<Item = &'a Occupant> {
        self.iter().filter(move |occupant| occupant.user == *user)
    }

    /// Every connection.
    pub fn receivers(&self) -> Vec<Jid> {
        let mut all = Vec::with_capacity(self.nicks.len());
        all.extend(self.iter().flat_map(Occupant::receivers));
        all
    }

    pub(super) fn sit(&mut self, new: Occupant) {
        let nick = new.nick().to_owned();
        for seat in &new.seats {
            self.nicks.insert(seat.jid.clone(), nick.clone());
        }
        match self.by_nick.get_mut(&nick) {
            Some(occupant) => {
                occupant.seats.retain(|seat| new.seats.iter().all(|other| other.jid != seat.jid));
                occupant.seats.extend(new.seats);
            }
            None => {
                self.by_nick.insert(nick, new);
            }
        }
    }

    pub(super) fn rise(&mut self, jid: &FullJid) {
        let Some(nick) = self.nicks.remove(jid) else { return };
        let Some(occupant) = self.by_nick.get_mut(&nick) else { return };
        occupant.seats.retain(|seat| seat.jid != *jid);
        if occupant.seats.is_empty() {
            self.by_nick.remove(&nick);
        }
    }

    pub(super) fn show(&mut self, jid: &FullJid, presence: &Stanza) {
        let Some(occupant) = self.nicks.get(jid).and_then(|nick| self.by_nick.get_mut(nick)) else { return };
        occupant.seats.retain(|seat| seat.jid != *jid);
        occupant.seats.push(Seat { jid: jid.clone(), presence: presence.clone() });
    }

    pub(super) fn rename(&mut self, nick: &str, jid: &FullJid) {
        let Some(mut occupant) = self.by_nick.remove(nick) else { return };
        occupant.jid = jid.clone();
        let new = occupant.nick().to_owned();
        for seat in &occupant.seats {
            self.nicks.insert(seat.jid.clone(), new.clone());
        }
        self.by_nick.insert(new, occupant);
    }

    pub(super) fn set(&mut self, nick: &str, affiliation: Affiliation, role: Role) {
        if let Some(occupant) = self.by_nick.get_mut(nick) {
            (occupant.affiliation, occupant.role) = (affiliation, role);
        }
    }
}
