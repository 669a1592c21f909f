//! The end of an account, and of its streams.

use super::{Change, Session};
use crate::machine::{Env, Machine, Out};
use crate::stanza::{PresenceType, Stanza};
use crate::store::{Key, Write, collection};
use crate::stream::error::StreamCondition;

impl Session {
    /// Its password was changed or it was disabled: every client has to log in again.
    pub(super) fn end_streams(&mut self, env: &Env<'_>, out: &mut Out<Self>) {
        for sid in self.sids() {
            self.end(sid, StreamCondition::NotAuthorized, env, out);
        }
    }

    /// The administrator ends one client's session (XEP-0133 §4.5).
    pub(super) fn end_resource(&mut self, name: &str, env: &Env<'_>, out: &mut Out<Self>) {
        if let Some(sid) = self.resource_named(name).map(|resource| resource.sid) {
            self.end(sid, StreamCondition::NotAuthorized, env, out);
        }
    }

    /// The account was removed (XEP-0077 §3.2): contacts and clients are told, and all that was kept is forgotten.
    pub(super) fn remove(&mut self, env: &Env<'_>, out: &mut Out<Self>) {
        let sids = self.sids();
        for sid in sids {
            self.end(sid, StreamCondition::NotAuthorized, env, out);
        }
        let mut goodbye = vec![];
        for (contact, item) in self.roster.iter() {
            if item.to || item.ask {
                goodbye.push((PresenceType::Unsubscribe, contact.clone()));
            }
            if item.from {
                goodbye.push((PresenceType::Unsubscribed, contact.clone()));
            }
        }
        goodbye.extend(self.requests.keys().map(|contact| (PresenceType::Unsubscribed, contact.clone())));
        for (kind, contact) in goodbye {
            out.route(Stanza::presence(kind).with_from(self.address.clone()).with_to(contact));
        }
        let remove = |collection| Write::Remove(Key::new(collection, self.address.as_str()));
        out.store(collection::OF_ACCOUNT.map(remove).to_vec(), |_, _, _, _| {});
        self.commit(Change::Forgotten, out);
    }

    fn sids(&self) -> Vec<u64> {
        self.resources.iter().map(|resource| resource.sid).collect()
    }
}
