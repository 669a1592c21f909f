//! What is stored, as data: three shapes (document, map, log), the questions and the writes.
//!
//! A feature names a [`Collection`]; backends never learn what it means.

use serde::{Deserialize, Deserializer, Serialize, de::Error};

/// A named set of stored things of one shape, one per owner.
pub type Collection = &'static str;

/// One stored thing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Key {
    /// What kind of thing.
    #[serde(deserialize_with = "known")]
    pub collection: Collection,
    /// Whose it is: a bare JID or a domain. Its slot decides where it lies and who may write it.
    pub owner: Box<str>,
}

/// Reads the name of a collection of ours.
fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Collection, D::Error> {
    let name = String::deserialize(deserializer)?;
    let known = collection::ALL.into_iter().find(|known| *known == name);
    known.ok_or_else(|| D::Error::custom("no collection has this name"))
}

impl Key {
    /// The thing of this collection that belongs to `owner`.
    pub fn new(collection: Collection, owner: impl Into<Box<str>>) -> Self {
        Self { collection, owner: owner.into() }
    }
}

/// A question to the store. Answers arrive in the order in which one owner asked and wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// The value of a document.
    Document(Key),
    /// One field of a map, answered as [`Reply::Document`].
    Field(Key, String),
    /// All fields of a map.
    Map(Key),
    /// Entries of a log.
    Page(Key, Page),
    /// The number of fields of a map or entries of a log.
    Count(Key),
}

/// Which entries of a log. Entries come in rising order of id, whatever end they were taken from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Only entries with a greater id.
    pub after: Option<u64>,
    /// Only entries with a smaller id.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: usize,
    /// Take them from the newest end instead of the oldest.
    pub newest: bool,
}

/// What the store answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A write is durable.
    Done,
    /// A document or a field, if there is one.
    Document(Option<Vec<u8>>),
    /// Fields in order of their names.
    Map(Vec<(String, Vec<u8>)>),
    /// Entries in rising order of id.
    Page(Vec<(u64, Vec<u8>)>),
    /// A number.
    Count(u64),
}

/// A change to the store. All are idempotent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Write {
    /// Sets a document.
    Put(Key, Vec<u8>),
    /// Sets one field of a map.
    SetField(Key, String, Vec<u8>),
    /// Removes one field of a map.
    RemoveField(Key, String),
    /// Adds an entry to a log. Ids rise (microseconds since 1970, made unique by the owner) and stay below 2^53.
    Append(Key, u64, Vec<u8>),
    /// Removes the entries of a log up to and including this id.
    Trim(Key, u64),
    /// Removes one entry of a log.
    RemoveEntry(Key, u64),
    /// Removes a thing of any shape, whole.
    Remove(Key),
}

impl Write {
    /// What it changes.
    pub fn key(&self) -> &Key {
        match self {
            Self::Put(key, _)
            | Self::SetField(key, ..)
            | Self::RemoveField(key, _)
            | Self::Append(key, ..)
            | Self::Trim(key, _)
            | Self::RemoveEntry(key, _)
            | Self::Remove(key) => key,
        }
    }
}

impl Query {
    /// What it asks about.
    pub fn key(&self) -> &Key {
        match self {
            Self::Document(key)
            | Self::Field(key, _)
            | Self::Map(key)
            | Self::Page(key, _)
            | Self::Count(key) => key,
        }
    }
}

/// Why the store did not do as it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, or its queue is full. Trying again later may help.
    #[error("the store is not reachable: {0}")]
    Away(String),
    /// A newer owner of the slot has written. The writer is no longer the owner and must stop.
    #[error("the slot has a newer owner")]
    Stale,
    /// It answered with an error of its own.
    #[error("the store failed: {0}")]
    Failed(String),
}

/// The collections, with their shape, owner and content.
pub mod collection {
    use super::Collection;

    /// Document of an account: [`crate::sasl::Credentials`] as JSON. An account exists when this does.
    pub const CREDENTIALS: Collection = "credentials";
    /// Map of a domain: one field per account (bare JID), value empty.
    pub const ACCOUNTS: Collection = "accounts";
    /// Map of an account: one field per contact (bare JID), value JSON.
    pub const ROSTER: Collection = "roster";
    /// Map of an account: pending inbound subscription requests, field = bare JID, value = the presence as XML.
    pub const REQUESTS: Collection = "requests";
    /// Log of an account: messages that wait for it, as XML.
    pub const OFFLINE: Collection = "offline";
    /// Document of an account: its vCard as XML.
    pub const VCARD: Collection = "vcard";
    /// Map of an account: private XML (XEP-0049), field = name and namespace, value = the element.
    pub const PRIVATE: Collection = "private";
    /// All that belongs to one account and goes with it.
    pub const OF_ACCOUNT: [Collection; 6] = [CREDENTIALS, ROSTER, REQUESTS, OFFLINE, VCARD, PRIVATE];
    /// Map of a conference domain: one field per persistent or public room (bare JID), value JSON (name, public).
    pub const ROOMS: Collection = "rooms";
    /// Document of a room: configuration, subject, JSON.
    pub const ROOM: Collection = "room";
    /// Map of a room: one field per affiliated bare JID, value JSON.
    pub const AFFILIATIONS: Collection = "affiliations";
    /// Log of a room: its recent messages, as XML.
    pub const HISTORY: Collection = "history";
    /// All there are.
    pub const ALL: [Collection; 11] = [
        CREDENTIALS,
        ACCOUNTS,
        ROSTER,
        REQUESTS,
        OFFLINE,
        VCARD,
        PRIVATE,
        ROOMS,
        ROOM,
        AFFILIATIONS,
        HISTORY,
    ];
}
