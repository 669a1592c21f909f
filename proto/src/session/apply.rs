//! How a session's records change it: the only code that mutates what is copied.

use super::managed::Managed;
use super::{Change, Offline, Resource, Roster, Session};

/// Sessions whose time was over that one account may have had.
const ENDED_MAX: usize = 4;

impl Session {
    pub(super) fn apply_change(&mut self, change: Change) {
        match change {
            Change::Exists => self.exists = true,
            Change::Bound(resource, anonymous) => {
                self.sid_last = resource.sid;
                // Nearly every account has one, and room for three more would be an eighth of an idle session.
                self.resources.reserve_exact(1);
                self.resources.push(resource);
                self.anonymous |= anonymous;
                self.exists |= anonymous;
            }
            Change::Unbound(sid) => {
                self.resources.retain(|resource| resource.sid != sid);
                if self.anonymous && self.resources.is_empty() {
                    self.forget();
                }
            }
            Change::Managed(..)
            | Change::Counted(..)
            | Change::Sent(..)
            | Change::Acked(..)
            | Change::Read(_)
            | Change::Detached(..)
            | Change::Attached(..)
            | Change::Ended(_)
            | Change::EndedForgotten(_) => self.apply_managed(change),
            Change::Presence(sid, presence) => self.change(sid, |resource| {
                if presence.is_none() {
                    // Who had it directly was told with all others (RFC 6121 §4.6.3).
                    resource.directed.clear();
                }
                let (stanza, priority) = presence.unzip();
                (resource.presence, resource.priority) = (stanza, priority.unwrap_or_default());
            }),
            Change::Interested(sid) => self.change(sid, |resource| resource.interested = true),
            Change::Carbons(sid, on) => self.change(sid, |resource| resource.carbons = on),
            Change::Directed(sid, to, on) => self.change(sid, |resource| {
                resource.directed.retain(|known| *known != to);
                if on {
                    resource.directed.push(to);
                }
            }),
            Change::Item(contact, item) => self.roster.set(&contact, item),
            Change::Request(contact, Some(request)) => {
                self.requests.insert(contact, request);
            }
            Change::Request(contact, None) => {
                self.requests.remove(&contact);
            }
            Change::Kept(id) => {
                self.offline.id_last = id;
                self.offline.count += 1;
            }
            Change::Lost => self.offline.count = self.offline.count.saturating_sub(1),
            Change::Taken(count, id) => {
                self.offline.count = self.offline.count.saturating_sub(count);
                self.offline.taken = id;
            }
            Change::Forgotten => self.forget(),
            // So both copies know that it came.
            Change::Refused => {}
        }
    }

    /// What belongs to managed streams (XEP-0198).
    fn apply_managed(&mut self, change: Change) {
        match change {
            Change::Managed(sid, managed) => {
                self.change(sid, |resource| resource.managed = Some(Box::new(managed)));
            }
            Change::Counted(sid, number) => self.manage(sid, |managed| managed.heard = number),
            Change::Sent(sid, queued) => {
                self.shares = self.shares.max(queued.share);
                self.manage(sid, |managed| managed.push(queued));
            }
            Change::Acked(sid, h) => {
                let shares = self.manage(sid, |managed| managed.trim(h));
                self.mark_read(shares);
            }
            Change::Read(share) => self.mark_read(vec![share]),
            Change::Detached(sid, detached) => {
                self.manage(sid, |managed| managed.detached = Some(detached));
            }
            Change::Attached(sid, socket, h) => {
                self.change(sid, |resource| resource.socket = socket);
                let shares = self.manage(sid, |managed| managed.resume(h));
                self.mark_read(shares);
            }
            Change::Ended(ended) => {
                self.ended.push(ended);
                self.ended.drain(..self.ended.len().saturating_sub(ENDED_MAX));
            }
            Change::EndedForgotten(now) => self.ended.retain(|ended| ended.until > now),
            _ => {}
        }
    }

    fn change(&mut self, sid: u64, change: impl FnOnce(&mut Resource)) {
        if let Some(resource) = self.resources.iter_mut().find(|resource| resource.sid == sid) {
            change(resource);
        }
    }

    fn manage<T: Default>(&mut self, sid: u64, change: impl FnOnce(&mut Managed) -> T) -> T {
        let resource = self.resources.iter_mut().find(|resource| resource.sid == sid);
        resource.and_then(|resource| resource.managed.as_deref_mut()).map(change).unwrap_or_default()
    }

    /// One of the clients has what is shared under these numbers.
    fn mark_read(&mut self, mut shares: Vec<u64>) {
        if shares.is_empty() {
            return;
        }
        shares.sort_unstable();
        for managed in self.resources.iter_mut().filter_map(|resource| resource.managed.as_mut()) {
            managed.mark_read(&shares);
        }
    }

    /// All but the number of the last session, so that a late word about an old one finds nothing.
    fn forget(&mut self) {
        self.exists = false;
        self.anonymous = false;
        self.resources.clear();
        self.ended.clear();
        self.roster = Roster::default();
        self.requests.clear();
        self.offline = Offline { count: 0, ..self.offline.clone() };
    }
}
