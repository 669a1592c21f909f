//! What was said lately, and how much of it a newcomer gets (XEP-0045 §7.2.13, §7.2.14).

use std::collections::VecDeque;

use jid::{BareJid, FullJid};
use minidom::Element;
use serde::{Deserialize, Serialize};

use super::{Change, Room};
use crate::machine::{Env, Machine, Out, Timestamp};
use crate::stanza::{Facts, Stanza};
use crate::store::{Key, Write, collection};
use crate::xml::{Build, el};
use crate::{datetime, ns};

/// Log entries that may outlive their message in the store before they are trimmed together.
const SURPLUS_MAX: usize = 16;

/// The recent messages, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    messages: VecDeque<Past>,
    /// Forgotten here, but not yet in the store.
    surplus: usize,
    /// The newest id ever given.
    last_id: u64,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// Its id in the store's log.
    pub id: u64,
    /// When it was said.
    pub at: Timestamp,
    /// As it was reflected, with its delay stamp.
    pub stanza: Stanza,
}

/// What a newcomer wants to hear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    chars_max: Option<usize>,
    stanzas_max: Option<usize>,
    since: Option<Timestamp>,
}

impl Wanted {
    /// Reads `<history/>` inside the `<x/>` of a joining client. What cannot be read limits nothing.
    pub(super) fn parse(x: Option<&Element>, now: Timestamp) -> Self {
        let Some(history) = x.and_then(|x| x.get_child("history", ns::MUC)) else { return Self::default() };
        let number = |name: &str| history.attr(name).and_then(|text| text.trim().parse::<u64>().ok());
        let size = |name: &str| number(name).map(|value| usize::try_from(value).unwrap_or(usize::MAX));
        let seconds =
            number("seconds").map(|seconds| Timestamp(now.0.saturating_sub(seconds.saturating_mul(1_000))));
        let since = history.attr("since").and_then(datetime::parse);
        Self { chars_max: size("maxchars"), stanzas_max: size("maxstanzas"), since: seconds.max(since) }
    }
}

impl History {
    /// Builds it from the store's log.
    pub(super) fn load(entries: Vec<(u64, Vec<u8>)>) -> Self {
        let mut history = Self { last_id: entries.last().map_or(0, |(id, _)| *id), ..Self::default() };
        let read = |(id, xml): (u64, Vec<u8>)| {
            let stanza = Stanza::parse(&xml).ok()?;
            // Ids are microseconds.
            Some(Past { id, at: Timestamp(id / 1_000), stanza })
        };
        history.messages = entries.into_iter().filter_map(read).collect();
        history
    }

    /// Every message, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Past> {
        self.messages.iter()
    }

    /// The newest messages that meet every wish, oldest first.
    fn select(&self, wanted: Wanted, stanzas_max: usize) -> Vec<&Past> {
        let stanzas_max = wanted.stanzas_max.map_or(stanzas_max, |wish| wish.min(stanzas_max));
        let mut chars = 0usize;
        let fits = |past: &&Past| {
            // Characters of the complete stanza count, not bytes (XEP-0045 §7.2.14).
            chars = chars.saturating_add(match wanted.chars_max {
                Some(_) => String::from_utf8_lossy(&past.stanza.to_xml()).chars().count(),
                None => 0,
            });
            wanted.chars_max.is_none_or(|max| chars <= max && max > 0)
        };
        let recent = |past: &&Past| wanted.since.is_none_or(|since| past.at >= since);
        let mut chosen: Vec<_> =
            self.messages.iter().rev().take(stanzas_max).take_while(recent).take_while(fits).collect();
        chosen.reverse();
        chosen
    }

    pub(super) fn push(&mut self, past: Past, messages_max: usize) {
        self.last_id = past.id;
        self.messages.push_back(past);
        self.shrink(messages_max);
    }

    /// Forgets the oldest.
    pub(super) fn shrink(&mut self, messages_max: usize) {
        while self.messages.len() > messages_max {
            self.messages.pop_front();
            self.surplus += 1;
        }
    }

    pub(super) fn trimmed(&mut self) {
        self.surplus = 0;
    }

    pub(super) fn last_id(&self) -> u64 {
        self.last_id
    }
}

/// The stamp of a message that comes later than it was said; `from` is the room (XEP-0045 §7.2.13).
pub(super) fn delay(room: &BareJid, at: Timestamp) -> Element {
    el("delay", ns::DELAY).with("from", room.as_str()).with("stamp", datetime::stamp(at))
}

impl Room {
    pub(super) fn history_key(&self) -> Key {
        Key::new(collection::HISTORY, self.address.as_str())
    }

    /// Keeps a message for those who come later.
    pub(super) fn remember(&mut self, said: &Stanza, env: &Env<'_>, out: &mut Out<Self>) {
        let worth_it =
            said.facts.intersects(Facts::BODY | Facts::STORE) && !said.facts.contains(Facts::NO_STORE);
        if !worth_it || self.config.history_max == 0 {
            return;
        }
        let id = (env.now.0.saturating_mul(1_000)).max(self.history.last_id() + 1);
        let stanza = said.clone().with(&delay(&self.address, env.now));
        let past = Past { id, at: env.now, stanza };
        if self.config.persistent {
            self.write_behind(vec![Write::Append(self.history_key(), id, past.stanza.to_xml())], out);
        }
        self.commit(Change::Said(past), out);
        self.trim(out);
    }

    /// Removes from the store what was forgotten, several at once.
    pub(super) fn trim(&mut self, out: &mut Out<Self>) {
        if self.history.surplus < SURPLUS_MAX {
            return;
        }
        if self.config.persistent {
            let kept = self.history.messages.front().map_or(self.history.last_id + 1, |past| past.id);
            self.write_behind(vec![Write::Trim(self.history_key(), kept.saturating_sub(1))], out);
        }
        self.commit(Change::Trimmed, out);
    }

    /// Sends a newcomer what was said lately.
    pub(super) fn send_history(&self, seat: &FullJid, wanted: Wanted, out: &mut Out<Self>) {
        for past in self.history.select(wanted, self.config.history_max) {
            out.route(past.stanza.clone().with_to(seat.clone()));
        }
    }
}
