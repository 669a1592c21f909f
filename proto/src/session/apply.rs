//! How a session's records change it: the only code that mutates what is copied.

use super::{Change, Offline, Resource, Roster, Session};

impl Session {
    pub(super) fn apply_change(&mut self, change: &Change) {
        match change {
            Change::Exists => self.exists = true,
            Change::Bound(resource, anonymous) => {
                self.sid_last = resource.sid;
                self.resources.push(resource.clone());
                self.anonymous |= *anonymous;
                self.exists |= *anonymous;
            }
            Change::Unbound(sid) => {
                self.resources.retain(|resource| resource.sid != *sid);
                if self.anonymous && self.resources.is_empty() {
                    self.forget();
                }
            }
            Change::Presence(sid, presence) => self.change(*sid, |resource| {
                resource.presence = presence.as_ref().map(|(stanza, _)| stanza.clone());
                resource.priority = presence.as_ref().map_or(0, |(_, priority)| *priority);
                if presence.is_none() {
                    // Who had it directly was told with all others (RFC 6121 §4.6.3).
                    resource.directed.clear();
                }
            }),
            Change::Interested(sid) => self.change(*sid, |resource| resource.interested = true),
            Change::Carbons(sid, on) => self.change(*sid, |resource| resource.carbons = *on),
            Change::Directed(sid, to, on) => self.change(*sid, |resource| {
                resource.directed.retain(|known| known != to);
                if *on {
                    resource.directed.push(to.clone());
                }
            }),
            Change::Item(contact, item) => self.roster.set(contact, item.clone()),
            Change::Request(contact, Some(request)) => {
                self.requests.insert(contact.clone(), request.clone());
            }
            Change::Request(contact, None) => {
                self.requests.remove(contact);
            }
            Change::Kept(id) => {
                self.offline.id_last = *id;
                self.offline.count += 1;
            }
            Change::Lost => self.offline.count = self.offline.count.saturating_sub(1),
            Change::Taken(count, id) => {
                self.offline.count = self.offline.count.saturating_sub(*count);
                self.offline.taken = *id;
            }
            Change::Forgotten => self.forget(),
        }
    }

    fn change(&mut self, sid: u64, change: impl FnOnce(&mut Resource)) {
        if let Some(resource) = self.resources.iter_mut().find(|resource| resource.sid == sid) {
            change(resource);
        }
    }

    /// All but the number of the last session, so that a late word about an old one finds nothing.
    fn forget(&mut self) {
        self.exists = false;
        self.anonymous = false;
        self.resources.clear();
        self.roster = Roster::default();
        self.requests.clear();
        self.offline = Offline { count: 0, ..self.offline.clone() };
    }
}
