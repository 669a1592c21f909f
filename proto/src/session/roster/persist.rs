//! A change of the roster: in memory at once, in the store before anybody is told, and taken back if it cannot be kept.

use std::collections::BTreeMap;

use jid::BareJid;

use super::{Item, Roster};
use crate::machine::{Env, Machine, Out};
use crate::session::{Change, Session, condition};
use crate::stanza::{Condition, Stanza};
use crate::store::{Key, Reply, Write, collection};

impl Session {
    /// Sets an item and the request of a contact, and goes on when both are durable, or could not be kept.
    pub(in crate::session) fn persist(
        &mut self,
        contact: BareJid,
        item: Option<Item>,
        request: Option<Stanza>,
        env: &Env<'_>,
        out: &mut Out<Self>,
        then: impl FnOnce(&mut Self, Result<(), Condition>, &Env<'_>, &mut Out<Self>) + Send + 'static,
    ) {
        let old = (self.roster.item(&contact).cloned(), self.requests.get(&contact).cloned());
        let new = (item, request);
        let mut writes = vec![];
        if old.0 != new.0 {
            let value = new.0.as_ref().map(Item::to_json);
            writes.push(field(collection::ROSTER, &self.address, &contact, value));
            self.commit(Change::Item(contact.clone(), new.0.clone()), out);
        }
        if old.1 != new.1 {
            let value = new.1.as_ref().map(Stanza::to_xml);
            writes.push(field(collection::REQUESTS, &self.address, &contact, value));
            self.commit(Change::Request(contact.clone(), new.1.clone()), out);
        }
        if writes.is_empty() || self.anonymous {
            return then(self, Ok(()), env, out);
        }
        out.store(writes, move |session, reply, env, out| {
            let Err(error) = reply else { return then(session, Ok(()), env, out) };
            session.take_back(contact, old, new, out);
            then(session, Err(condition(&error)), env, out);
        });
    }

    /// Takes back what could not be kept, unless something else has changed it since.
    fn take_back(&mut self, contact: BareJid, old: Kept, new: Kept, out: &mut Out<Self>) {
        if self.roster.item(&contact) == new.0.as_ref() && old.0 != new.0 {
            self.commit(Change::Item(contact.clone(), old.0), out);
        }
        if self.requests.get(&contact) == new.1.as_ref() && old.1 != new.1 {
            self.commit(Change::Request(contact, old.1), out);
        }
    }
}

/// What is kept of a contact.
type Kept = (Option<Item>, Option<Stanza>);

fn field(
    collection: crate::store::Collection,
    owner: &BareJid,
    contact: &BareJid,
    value: Option<Vec<u8>>,
) -> Write {
    let key = Key::new(collection, owner.as_str());
    match value {
        Some(value) => Write::SetField(key, contact.to_string(), value),
        None => Write::RemoveField(key, contact.to_string()),
    }
}

impl Roster {
    /// Reads what the store has.
    pub(in crate::session) fn read(reply: Reply) -> Self {
        let mut roster = Self::default();
        for (contact, value) in fields(reply) {
            let (Ok(contact), Ok(item)) = (BareJid::new(&contact), serde_json::from_slice(&value)) else {
                tracing::error!("a stored roster item cannot be read");
                continue;
            };
            roster.set(&contact, Some(item));
        }
        roster
    }
}

/// Reads the pending requests that the store has.
pub(in crate::session) fn read_requests(reply: Reply) -> BTreeMap<BareJid, Stanza> {
    let read = |(contact, value): (String, Vec<u8>)| {
        Some((BareJid::new(&contact).ok()?, Stanza::parse(&value).ok()?))
    };
    fields(reply).into_iter().filter_map(read).collect()
}

fn fields(reply: Reply) -> Vec<(String, Vec<u8>)> {
    match reply {
        Reply::Map(fields) => fields,
        Reply::Done | Reply::Document(_) | Reply::Page(_) | Reply::Count(_) => vec![],
    }
}
