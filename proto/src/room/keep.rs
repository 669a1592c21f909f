//! What of a room is in the store, and waiting for it: nothing is confirmed before it is durable.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::affiliations::{Affiliations, Entry};
use super::broadcast::traced;
use super::config::Config;
use super::history::History;
use super::{Room, Subject};
use crate::machine::{Env, Out, Timestamp};
use crate::stanza::{Condition, Stanza, StanzaError};
use crate::store::{Key, Page, Query, Reply, StoreError, Write, collection};

/// Requests that may wait for the store at once; more are told to come back later.
const WAITING_MAX: usize = 64;

/// Entries of the log read on loading, whatever the room is configured for.
const LOADED_MAX: usize = 1_000;

/// An entry of the directory of rooms ([`collection::ROOMS`]), as JSON: every persistent room, and every temporary one
/// that is public, has one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Listing {
    /// The room's name for people; may be empty.
    pub name: String,
    /// Whether everybody may find it.
    pub public: bool,
}

/// The document of a persistent room, as JSON.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Document {
    config: Config,
    /// The message that set the subject, as XML.
    subject: Option<String>,
    subject_at: Option<u64>,
}

/// What is under way to the store. No part of the state: it ends with the process.
#[derive(Clone, Debug, Default)]
pub(super) struct Writing {
    /// Answers to come.
    pending: usize,
    /// A change of configuration or affiliations is under way: the next waits, so that each sees what the former did.
    busy: bool,
    waiting: VecDeque<Stanza>,
    /// The document in the store is older than the subject.
    stale: bool,
    /// The directory knows a temporary room that died with its node.
    listed_dead: bool,
}

impl Listing {
    /// As it is stored.
    pub fn to_json(&self) -> Vec<u8> {
        json(self)
    }

    /// As it was stored; a damaged entry lists nothing.
    pub fn from_json(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }
}

impl Writing {
    pub(super) fn is_done(&self) -> bool {
        self.pending == 0 && self.waiting.is_empty()
    }

    pub(super) fn is_busy(&self) -> bool {
        self.busy
    }
}

/// What to ask before the first input.
pub(super) fn queries(address: &jid::BareJid) -> Vec<Query> {
    let key = |collection| Key::new(collection, address.as_str());
    let page = Page { limit: LOADED_MAX, newest: true, ..Page::default() };
    vec![
        Query::Document(key(collection::ROOM)),
        Query::Map(key(collection::AFFILIATIONS)),
        Query::Page(key(collection::HISTORY), page),
        Query::Field(directory(address), address.to_string()),
    ]
}

impl Room {
    /// Takes over what the store knows. Without a document there is no room, whatever else lies there.
    pub(super) fn restore(&mut self, replies: Vec<Reply>) {
        self.writing.listed_dead =
            matches!(replies.as_slice(), [Reply::Document(None), .., Reply::Document(Some(_))]);
        let mut replies = replies.into_iter();
        let Some(Reply::Document(Some(bytes))) = replies.next() else { return };
        let Ok(document) = serde_json::from_slice::<Document>(&bytes) else {
            tracing::error!("the stored configuration cannot be read: the room is closed");
            self.exists = true;
            self.config = Config { members_only: true, persistent: true, ..Config::default() };
            return;
        };
        self.exists = true;
        self.config = document.config;
        self.subject = Subject {
            message: document.subject.and_then(|xml| Stanza::parse(xml.as_bytes()).ok()),
            at: document.subject_at.map(Timestamp),
        };
        if let Some(Reply::Map(fields)) = replies.next() {
            self.affiliations = affiliations(fields);
        }
        if let Some(Reply::Page(entries)) = replies.next() {
            self.history = History::load(entries);
            self.history.shrink(self.config.history_max);
        }
    }

    /// Writes, and goes on when it is durable; the request is refused if it cannot be. Meanwhile later changes wait.
    pub(super) fn durably<F>(
        &mut self,
        writes: Vec<Write>,
        request: Stanza,
        env: &Env<'_>,
        out: &mut Out<Self>,
        then: F,
    ) where
        F: FnOnce(&mut Self, &Stanza, &Env<'_>, &mut Out<Self>) + Send + 'static,
    {
        if writes.is_empty() {
            return then(self, &request, env, out);
        }
        self.writing.busy = true;
        self.writing.pending += 1;
        out.store(writes, move |room, reply, env, out| {
            room.writing.pending = room.writing.pending.saturating_sub(1);
            room.writing.busy = false;
            let before = out.effects.len();
            match reply {
                Ok(_) => then(room, &request, env, out),
                Err(error) => out.refuse(&request, refusal(&error)),
            }
            traced(request.trace, &mut out.effects[before..]);
            room.write_stale(out);
            room.go_on(env, out);
            room.end_if_deserted(out);
        });
    }

    /// Writes what nobody waits for.
    pub(super) fn write_behind(&mut self, writes: Vec<Write>, out: &mut Out<Self>) {
        self.writing.pending += 1;
        out.store(writes, |room, reply, _, _| {
            room.writing.pending = room.writing.pending.saturating_sub(1);
            if let Err(error) = reply {
                tracing::warn!(%error, "this of the room is not stored");
            }
        });
    }

    /// Lets a request wait until the change under way is durable.
    pub(super) fn wait(&mut self, request: Stanza, out: &mut Out<Self>) {
        if self.writing.waiting.len() >= WAITING_MAX {
            return out.refuse(&request, Condition::ResourceConstraint);
        }
        self.writing.waiting.push_back(request);
    }

    /// Writes a new subject, or leaves it to the end of the change under way, which carries the old one.
    pub(super) fn keep_subject(&mut self, out: &mut Out<Self>) {
        self.writing.stale = self.config.persistent;
        self.write_stale(out);
    }

    fn write_stale(&mut self, out: &mut Out<Self>) {
        if !self.writing.stale || self.writing.busy || !self.config.persistent {
            return;
        }
        self.writing.stale = false;
        self.writing.pending += 1;
        let document = self.document(&self.config);
        out.store(vec![document], |room, reply, _, _| {
            room.writing.pending = room.writing.pending.saturating_sub(1);
            if let Err(error) = reply {
                tracing::warn!(%error, "the subject is not stored; it will be with the next change");
                room.writing.stale = true;
            }
        });
    }

    fn go_on(&mut self, env: &Env<'_>, out: &mut Out<Self>) {
        while !self.writing.busy {
            let Some(request) = self.writing.waiting.pop_front() else { return };
            self.take(request, env, out);
        }
    }

    /// The write of the room's document with this configuration.
    pub(super) fn document(&self, config: &Config) -> Write {
        let subject = self
            .subject
            .message
            .as_ref()
            .map(|message| String::from_utf8_lossy(&message.to_xml()).into_owned());
        let subject_at = self.subject.at.map(|at| at.0);
        let document = Document { config: config.clone(), subject, subject_at };
        Write::Put(Key::new(collection::ROOM, self.address.as_str()), json(&document))
    }

    /// The write of one affiliation.
    pub(super) fn affiliation_write(&self, user: &jid::BareJid, entry: Option<&Entry>) -> Write {
        let key = Key::new(collection::AFFILIATIONS, self.address.as_str());
        match entry {
            Some(entry) => Write::SetField(key, user.to_string(), json(entry)),
            None => Write::RemoveField(key, user.to_string()),
        }
    }

    /// The writes that keep everything of the room.
    pub(super) fn everything(&self, config: &Config) -> Vec<Write> {
        let mut writes = vec![self.document(config), self.listing(config)];
        writes
            .extend(self.affiliations.iter().map(|(user, entry)| self.affiliation_write(user, Some(entry))));
        let append =
            |past: &super::history::Past| Write::Append(self.history_key(), past.id, past.stanza.to_xml());
        writes.extend(self.history.iter().map(append));
        writes
    }

    /// The writes that remove everything of the room.
    pub(super) fn nothing(&self) -> Vec<Write> {
        let key = |collection| Key::new(collection, self.address.as_str());
        vec![
            Write::Remove(key(collection::ROOM)),
            Write::Remove(key(collection::AFFILIATIONS)),
            Write::Remove(key(collection::HISTORY)),
            self.unlisting(),
        ]
    }

    /// The write of the room's line in the directory.
    pub(super) fn listing(&self, config: &Config) -> Write {
        let listing = Listing { name: config.name.clone(), public: config.public };
        Write::SetField(directory(&self.address), self.address.to_string(), listing.to_json())
    }

    /// The write that removes it from there.
    pub(super) fn unlisting(&self) -> Write {
        Write::RemoveField(directory(&self.address), self.address.to_string())
    }

    /// A temporary room is in the directory as long as it is public and open.
    pub(super) fn relist(&mut self, was_listed: bool, out: &mut Out<Self>) {
        match (was_listed, self.is_listed()) {
            (_, true) => self.write_behind(vec![self.listing(&self.config)], out),
            (true, false) => self.write_behind(vec![self.unlisting()], out),
            (false, false) => {}
        }
    }

    /// Whether a temporary room is in the directory.
    pub(super) fn is_listed(&self) -> bool {
        self.exists && !self.locked && !self.config.persistent && self.config.public
    }

    /// Nobody is to find a room that died with its node.
    pub(super) fn unlist_the_dead(&mut self, out: &mut Out<Self>) {
        if std::mem::take(&mut self.writing.listed_dead) {
            self.write_behind(vec![self.unlisting()], out);
        }
    }
}

fn directory(address: &jid::BareJid) -> Key {
    Key::new(collection::ROOMS, address.domain().as_str())
}

fn affiliations(fields: Vec<(String, Vec<u8>)>) -> Affiliations {
    fields
        .into_iter()
        .filter_map(|(user, json)| Some((user.parse().ok()?, serde_json::from_slice(&json).ok()?)))
        .collect()
}

fn refusal(error: &StoreError) -> StanzaError {
    match error {
        StoreError::Away(_) => Condition::ResourceConstraint.into(),
        StoreError::Stale | StoreError::Failed(_) => Condition::InternalServerError.into(),
    }
}

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain structures are always JSON")
}
