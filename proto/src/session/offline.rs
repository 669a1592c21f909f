//! Messages for someone who is not there (XEP-0160), each with the time at which it came (XEP-0203).

use minidom::Element;
use serde::{Deserialize, Serialize};

use super::{Change, Session, condition};
use crate::machine::{Env, Machine, Out, Timestamp};
use crate::stanza::{Condition, Facts, Kind, MessageType, Stanza};
use crate::store::{Key, Page, Query, Reply, Write, collection};
use crate::xml::{Build, el};
use crate::{datetime, ns};

/// So many messages are read from the store at once.
const PAGE_MESSAGES: usize = 100;

/// What is known of the messages that wait in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offline {
    /// So many wait.
    pub count: u64,
    /// The greatest id given so far.
    pub id_last: u64,
    /// Those up to this id were handed over.
    pub taken: u64,
}

impl Offline {
    /// Reads the number of messages and the newest one.
    pub(super) fn read(count: &Reply, newest: &Reply) -> Self {
        let count = if let Reply::Count(count) = count { *count } else { 0 };
        let id_last = match newest {
            Reply::Page(entries) => entries.last().map_or(0, |(id, _)| *id),
            Reply::Done | Reply::Document(_) | Reply::Map(_) | Reply::Count(_) => 0,
        };
        Self { count, id_last, taken: 0 }
    }
}

impl Session {
    /// Whether a message is for later if it cannot be read now (XEP-0160 §3, XEP-0334 §4).
    pub(super) fn is_worth_keeping(&self, stanza: &Stanza) -> bool {
        let kind = matches!(stanza.kind, Kind::Message(MessageType::Normal | MessageType::Chat));
        let facts = stanza.facts;
        kind && !facts.contains(Facts::NO_STORE) && !facts.is_empty() && !facts.only_chat_state()
    }

    /// Keeps a message that nobody can read now.
    pub(super) fn keep(&mut self, mut stanza: Stanza, env: &Env<'_>, out: &mut Out<Self>) {
        if !self.is_worth_keeping(&stanza) {
            return;
        }
        if !self.has_room(env) {
            return out.refuse(&stanza, Condition::ServiceUnavailable);
        }
        let original = stanza.clone();
        let domain = self.address.domain();
        // One that comes from a client which is gone says already when it was sent.
        if !says_delay(&stanza, domain.as_str()) {
            stanza.push(&delay(domain.as_str(), env.now, Some("Offline Storage")));
        }
        let id = (env.now.0 * 1_000).max(self.offline.id_last + 1);
        self.commit(Change::Kept(id), out);
        self.under_way.keeping += 1;
        let write = Write::Append(self.offline_key(), id, stanza.to_xml());
        out.store(vec![write], move |session, reply, env, out| {
            session.under_way.keeping = session.under_way.keeping.saturating_sub(1);
            let Err(error) = reply else { return session.hand_over(out) };
            session.commit(Change::Lost, out);
            // The user may have come meanwhile.
            let readers = session.readers();
            if readers.is_empty() {
                out.refuse(&original, condition(&error));
            }
            session.together(out, |session, out| {
                for sid in readers {
                    session.deliver(sid, original.clone(), env, out);
                }
            });
        });
    }

    /// Whether one more message may wait.
    pub(super) fn has_room(&self, env: &Env<'_>) -> bool {
        !self.anonymous && self.offline.count < env.options.limits.offline_messages_max as u64
    }

    /// Gives what waits to the clients that want messages: once, in order, and removed only after it is handed over. It is for
    /// whose presence came first (XEP-0160 §2): who comes while that is under way gets what comes since.
    pub(super) fn hand_over(&mut self, out: &mut Out<Self>) {
        if self.offline.count > 0 && !self.under_way.handing_over {
            self.hand_over_to(self.readers(), self.offline.id_last, out);
        }
    }

    /// Goes on with what waits: up to that id it is for these.
    fn hand_over_to(&mut self, mut first: Vec<u64>, until: u64, out: &mut Out<Self>) {
        if self.offline.count == 0 || first.is_empty() {
            return;
        }
        self.under_way.handing_over = true;
        let page = Page { after: Some(self.offline.taken), limit: PAGE_MESSAGES, ..Page::default() };
        out.ask(Query::Page(self.offline_key(), page), move |session, reply, env, out| {
            session.under_way.handing_over = false;
            session.under_way.unreadable = reply.is_err();
            let Ok(Reply::Page(messages)) = reply else { return };
            let all = session.readers();
            first.retain(|sid| all.contains(sid));
            if first.is_empty() {
                return session.hand_over(out); // gone again: it waits for others
            }
            let Some((last, _)) = messages.last() else {
                if session.under_way.is_keeping() {
                    return; // handed over as soon as it is written
                }
                let Offline { count, taken, .. } = session.offline;
                return session.commit(Change::Taken(count, taken), out);
            };
            let last = *last;
            session.commit(Change::Taken(messages.len() as u64, last), out);
            for (id, text) in &messages {
                let Ok(message) = Stanza::parse(text) else { continue };
                session.together(out, |session, out| {
                    for sid in if *id <= until { &first } else { &all } {
                        session.deliver(*sid, message.clone(), env, out);
                    }
                });
            }
            // If this fails they may be heard again after the machine was put away: better twice than never.
            out.store(vec![Write::Trim(session.offline_key(), last)], |_, _, _, _| {});
            session.hand_over_to(first, until, out);
        });
    }

    /// The clients that get what waits.
    pub(super) fn readers(&self) -> Vec<u64> {
        self.resources
            .iter()
            .filter(|resource| resource.wants_messages())
            .map(|resource| resource.sid)
            .collect()
    }

    fn offline_key(&self) -> Key {
        Key::new(collection::OFFLINE, self.address.as_str())
    }
}

/// XEP-0203 §2: the server's name, the time, and why.
pub(super) fn delay(domain: &str, at: Timestamp, why: Option<&str>) -> Element {
    let delay = el("delay", ns::DELAY).with("from", domain).with("stamp", datetime::stamp(at));
    delay.text_of(why.unwrap_or_default())
}

fn says_delay(stanza: &Stanza, domain: &str) -> bool {
    let is_ours = |child: &Element| child.is("delay", ns::DELAY) && child.attr("from") == Some(domain);
    stanza.facts.contains(Facts::DELAY) && stanza.children().iter().any(is_ours)
}
