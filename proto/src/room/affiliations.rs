//! Affiliations and roles (XEP-0045 §5): who is what in a room, lastingly and while there.

use std::collections::BTreeMap;

use jid::BareJid;
use serde::{Deserialize, Serialize};

use super::Room;
use super::config::Config;
use crate::machine::Env;

/// What a user lastingly is to a room, in rising order (XEP-0045 §5.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Affiliation {
    Outcast,
    #[default]
    None,
    Member,
    Admin,
    Owner,
}

/// What an occupant may do while there, in rising order (XEP-0045 §5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Role {
    #[default]
    None,
    Visitor,
    Participant,
    Moderator,
}

/// One user's affiliation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// What the user is.
    pub affiliation: Affiliation,
    /// The nickname that is kept for the user (XEP-0045 §9.3).
    pub nick: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// All affiliations but `none`, by bare JID or, for outcasts, domain.
pub(super) type Affiliations = BTreeMap<BareJid, Entry>;

impl Affiliation {
    const ALL: [Self; 5] = [Self::Outcast, Self::None, Self::Member, Self::Admin, Self::Owner];

    /// The value of the attribute.
    pub fn name(self) -> &'static str {
        match self {
            Self::Outcast => "outcast",
            Self::None => "none",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|affiliation| affiliation.name() == name)
    }

    /// The role on entering (XEP-0045 §5.1.2).
    pub(super) fn default_role(self, config: &Config) -> Role {
        match self {
            Self::Outcast => Role::None,
            Self::None if config.moderated => Role::Visitor,
            Self::None | Self::Member => Role::Participant,
            Self::Admin | Self::Owner => Role::Moderator,
        }
    }
}

impl Role {
    const ALL: [Self; 4] = [Self::None, Self::Visitor, Self::Participant, Self::Moderator];

    /// The value of the attribute.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Visitor => "visitor",
            Self::Participant => "participant",
            Self::Moderator => "moderator",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// The role of somebody whose affiliation changes while there (XEP-0045 §5.1.3, the note): what an affiliation
    /// implies is gained with it, and a moderator by affiliation stops being one without it.
    pub(super) fn after(self, old: Affiliation, new: Affiliation, config: &Config) -> Self {
        match (old, new) {
            (_, Affiliation::Outcast) => Self::None,
            (_, Affiliation::Admin | Affiliation::Owner) => Self::Moderator,
            (Affiliation::Admin | Affiliation::Owner, _) => new.default_role(config),
            (_, Affiliation::Member) => self.max(Self::Participant),
            (_, Affiliation::None) => self,
        }
    }
}

impl Room {
    /// What a user is here. Administrators of the domain own every room of it.
    pub(super) fn affiliation(&self, user: &BareJid, env: &Env<'_>) -> Affiliation {
        if self.is_service_admin(user, env) {
            return Affiliation::Owner;
        }
        if let Some(entry) = self.affiliations.get(user) {
            return entry.affiliation;
        }
        // A whole domain may be banned (XEP-0045 §9.2).
        let domain = BareJid::from_parts(None, user.domain());
        match self.affiliations.get(&domain) {
            Some(entry) if entry.affiliation == Affiliation::Outcast => Affiliation::Outcast,
            _ => Affiliation::None,
        }
    }

    /// Whether a user administers the domain that this room belongs to.
    pub(super) fn is_service_admin(&self, user: &BareJid, env: &Env<'_>) -> bool {
        env.options
            .conference(self.address.domain().as_str())
            .is_some_and(|domain| domain.admins.contains(user))
    }

    /// Whether a nickname is kept for somebody else.
    pub(super) fn is_reserved(&self, nick: &str, user: &BareJid) -> bool {
        self.affiliations.iter().any(|(other, entry)| other != user && entry.nick.as_deref() == Some(nick))
    }
}
