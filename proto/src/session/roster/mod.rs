//! The roster (RFC 6121 §2): who is on it, and which version of it this is.

mod persist;
mod query;

use std::collections::{BTreeMap, BTreeSet};

use jid::BareJid;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub(super) use persist::read_requests;

/// The contacts of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roster {
    items: BTreeMap<BareJid, Item>,
    /// The exclusive or of a digest of each item: equal rosters have equal versions, whatever happened to them.
    digest: u64,
}

/// One contact. A pending inbound request is not part of it (RFC 6121 §A.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Item {
    /// What the user calls it.
    pub name: Option<String>,
    /// The groups it is in.
    pub groups: BTreeSet<String>,
    /// The user gets the contact's presence.
    pub to: bool,
    /// The contact gets the user's presence.
    pub from: bool,
    /// The user has asked for the contact's presence.
    pub ask: bool,
    /// The user has approved the contact before being asked (RFC 6121 §3.4).
    pub approved: bool,
}

impl Roster {
    /// One item.
    pub fn item(&self, contact: &BareJid) -> Option<&Item> {
        self.items.get(contact)
    }

    /// All items, in order of their addresses.
    pub fn iter(&self) -> impl Iterator<Item = (&BareJid, &Item)> {
        self.items.iter()
    }

    /// The number of items.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether nobody is on it.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Its version (RFC 6121 §2.6): derived from what is on it, so it needs no counter in the store.
    pub fn version(&self) -> String {
        format!("{:016x}-{}", self.digest, self.items.len())
    }

    /// Whether the account gets the contact's presence.
    pub fn is_to(&self, contact: &BareJid) -> bool {
        self.item(contact).is_some_and(|item| item.to)
    }

    /// Whether the contact gets the account's presence.
    pub fn is_from(&self, contact: &BareJid) -> bool {
        self.item(contact).is_some_and(|item| item.from)
    }

    /// Sets or removes an item.
    pub(super) fn set(&mut self, contact: &BareJid, item: Option<Item>) {
        if let Some(old) = self.items.remove(contact) {
            self.digest ^= old.digest(contact);
        }
        if let Some(item) = item {
            self.digest ^= item.digest(contact);
            self.items.insert(contact.clone(), item);
        }
    }
}

impl Item {
    fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an item is text and flags")
    }

    fn digest(&self, contact: &BareJid) -> u64 {
        let mut hash = Sha256::new();
        let flags = [self.to, self.from, self.ask, self.approved, self.name.is_some()].map(u8::from);
        hash.update(flags);
        // Lengths keep two different items from looking alike.
        let texts = [contact.as_str(), self.name.as_deref().unwrap_or_default()];
        for text in texts.into_iter().chain(self.groups.iter().map(String::as_str)) {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        let digest: [u8; 32] = hash.finalize().into();
        u64::from_be_bytes(*digest.first_chunk().expect("a SHA-256 has more than 8 bytes"))
    }
}
