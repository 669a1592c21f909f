//! A room (XEP-0045): its occupants, its rules, its recent past.

mod admin;
pub mod affiliations;
mod broadcast;
pub mod config;
mod disco;
mod enter;
pub mod history;
mod invite;
mod judge;
mod keep;
mod leave;
mod message;
pub mod occupants;
mod owner;
mod relay;
mod request;
#[cfg(test)]
mod tests;

use jid::{BareJid, FullJid};
use serde::{Deserialize, Serialize};

pub use keep::Listing;
pub(crate) use leave::lost;

use crate::machine::{Env, Machine, Out, Timestamp};
use crate::ns;
use crate::session::LostAddresses;
use crate::stanza::{Condition, IqType, Kind, Stanza};
use crate::store::{Query, Reply};
use affiliations::{Affiliation, Affiliations, Entry, Role};
use config::Config;
use history::{History, Past};
use occupants::{Occupant, Occupants};

/// A room. Serialised, it is its own snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Room {
    /// Where it is.
    pub address: BareJid,
    /// Whether it has been created.
    exists: bool,
    /// Whether its creator has yet to configure it (§10.1).
    locked: bool,
    config: Config,
    subject: Subject,
    affiliations: Affiliations,
    occupants: Occupants,
    history: History,
    #[serde(skip)]
    writing: keep::Writing,
}

/// What is talked about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The message that set it, as it was reflected.
    pub message: Option<Stanza>,
    /// When.
    pub at: Option<Timestamp>,
}

/// What happens to a room.
pub enum Input {
    /// Somebody sent it, or one of its occupants, a stanza. `from` is a full JID.
    Stanza(Stanza),
    /// The sessions of these accounts died with their node: they have left.
    AddressesLost(LostAddresses),
}

/// Records of a room's log. Variants are only appended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// It was created.
    Created {
        /// What it starts with.
        config: Config,
        /// Whether its creator has yet to configure it.
        locked: bool,
    },
    /// Somebody entered, or one more connection of an occupant.
    Entered(Occupant),
    /// A connection's presence changed.
    Presence(FullJid, Stanza),
    /// A connection left.
    Left(FullJid),
    /// An occupant took another nickname: the old one, the new occupant JID.
    Renamed(String, FullJid),
    /// What an occupant, by nickname, is and may do.
    Standing(String, Affiliation, Role),
    /// An affiliation was given, or taken away.
    Affiliation(BareJid, Option<Entry>),
    /// It was configured, and is not locked any more.
    Configured(Config),
    /// It is talked about something else.
    Subject(Subject),
    /// A message that newcomers will get.
    Said(Past),
    /// The store has forgotten what newcomers do not get any more.
    Trimmed,
    /// It is gone.
    Destroyed,
}

impl Machine for Room {
    type Input = Input;
    type Change = Change;

    fn load(address: &BareJid) -> Vec<Query> {
        keep::queries(address)
    }

    fn new(address: BareJid, replies: Vec<Reply>) -> Self {
        let mut room = Self {
            address,
            exists: false,
            locked: false,
            config: Config::default(),
            subject: Subject::default(),
            affiliations: Affiliations::new(),
            occupants: Occupants::default(),
            history: History::default(),
            writing: keep::Writing::default(),
        };
        room.restore(replies);
        room
    }

    fn handle(&mut self, input: Input, env: &Env<'_>, out: &mut Out<Self>) {
        match input {
            Input::Stanza(stanza) => self.take(stanza, env, out),
            Input::AddressesLost(lost) => self.lose(&lost, out),
        }
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Created { config, locked } => {
                (self.exists, self.locked) = (true, locked);
                self.config = config;
            }
            Change::Entered(occupant) => self.occupants.sit(occupant),
            Change::Presence(seat, presence) => self.occupants.show(&seat, &presence),
            Change::Left(seat) => self.occupants.rise(&seat),
            Change::Renamed(nick, jid) => self.occupants.rename(&nick, &jid),
            Change::Standing(nick, affiliation, role) => self.occupants.set(&nick, affiliation, role),
            Change::Affiliation(user, Some(entry)) => {
                self.affiliations.insert(user, entry);
            }
            Change::Affiliation(user, None) => {
                self.affiliations.remove(&user);
            }
            Change::Configured(config) => {
                self.locked = false;
                self.history.shrink(config.history_max);
                self.config = config;
            }
            Change::Subject(subject) => self.subject = subject,
            Change::Said(past) => self.history.push(past, self.config.history_max),
            Change::Trimmed => self.history.trimmed(),
            Change::Destroyed => self.reset(),
        }
    }

    fn is_idle(&self) -> bool {
        self.occupants.is_empty() && self.writing.is_done()
    }
}

impl Room {
    /// Takes a stanza, now or when the store has answered.
    fn take(&mut self, stanza: Stanza, env: &Env<'_>, out: &mut Out<Self>) {
        self.unlist_the_dead(out);
        let (trace, before) = (stanza.trace, out.effects.len());
        match stanza.kind {
            Kind::Presence(kind) => self.presence(kind, stanza, env, out),
            Kind::Message(kind) => self.message(kind, stanza, env, out),
            Kind::Iq(kind) if stanza.to.as_ref().is_some_and(|to| to.is_full()) => {
                self.relay(kind, stanza, out);
            }
            Kind::Iq(kind) => self.iq(kind, stanza, env, out),
        }
        broadcast::traced(trace, &mut out.effects[before..]);
    }

    /// An IQ to the room itself (§17.4).
    fn iq(&mut self, kind: IqType, iq: Stanza, env: &Env<'_>, out: &mut Out<Self>) {
        let Some(from) = iq.from.as_ref().filter(|_| iq.is_request()) else { return };
        let user = from.to_bare();
        // A locked room does not exist yet for anybody but its owner (§7.2.10).
        if !self.exists || (self.locked && self.affiliation(&user, env) < Affiliation::Owner) {
            return out.refuse(&iq, Condition::ItemNotFound);
        }
        let payload = iq.payload.as_ref().map(|payload| (&*payload.ns, &*payload.name));
        match (kind, payload) {
            (IqType::Get, Some((ns::DISCO_INFO, "query"))) => self.disco_info(&iq, env, out),
            (IqType::Get, Some((ns::DISCO_ITEMS, "query"))) => self.disco_items(&iq, out),
            (IqType::Get, Some((ns::PING, "ping"))) => out.route(iq.result(None)),
            (IqType::Get, Some((ns::MUC_ADMIN, "query"))) => self.list(&iq, &user, env, out),
            (IqType::Get, Some((ns::MUC_OWNER, "query"))) => self.show_config(&iq, &user, env, out),
            (IqType::Set, Some((ns::MUC_ADMIN | ns::MUC_OWNER, "query"))) if self.writing.is_busy() => {
                self.wait(iq, out);
            }
            (IqType::Set, Some((ns::MUC_ADMIN, "query"))) => self.administer(iq, &user, env, out),
            (IqType::Set, Some((ns::MUC_OWNER, "query"))) => self.own(iq, &user, env, out),
            _ => out.refuse(&iq, Condition::ServiceUnavailable),
        }
    }

    /// The occupant that a stanza comes from.
    fn sender(&self, stanza: &Stanza) -> Option<&Occupant> {
        self.occupants.at(stanza.from.as_ref()?.try_as_full().ok()?)
    }

    /// The nickname that a stanza is addressed to.
    fn addressee(stanza: &Stanza) -> Option<&str> {
        Some(stanza.to.as_ref()?.resource()?.as_str())
    }

    fn reset(&mut self) {
        (self.exists, self.locked) = (false, false);
        self.config = Config::default();
        self.subject = Subject::default();
        self.affiliations.clear();
        self.occupants = Occupants::default();
        self.history = History::default();
    }
}
