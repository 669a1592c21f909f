//! Directed presence (RFC 6121 §4.6): goes where it is sent, unchanged, and is taken back when its sender leaves.

use jid::Jid;

use super::{Change, LostAddresses, Resource, Session};
use crate::machine::{Env, Machine, Out};
use crate::room;
use crate::stanza::{Condition, PresenceType, Stanza};

impl Session {
    /// A client has sent available or unavailable presence to somebody.
    pub(super) fn direct(
        &mut self,
        sid: u64,
        kind: PresenceType,
        stanza: Stanza,
        env: &Env<'_>,
        out: &mut Out<Self>,
    ) {
        let (Some(to), Some(resource)) = (stanza.to.clone(), self.resource(sid)) else { return };
        let is_tracked = resource.directed.contains(&to);
        let stale = self.stale(sid, &to, env);
        if kind == PresenceType::Available {
            let is_full = resource.directed.len() >= stale.len() + env.options.limits.directed_presence_max;
            let is_told = resource.is_available() && self.hears_broadcasts(&to);
            if !is_tracked && !is_told {
                if is_full {
                    return self.bounce(sid, &stanza, Condition::ResourceConstraint, env, out);
                }
                self.commit(Change::Directed(sid, to.clone(), true), out);
            }
        } else if is_tracked {
            self.commit(Change::Directed(sid, to.clone(), false), out);
        }
        for jid in stale {
            self.commit(Change::Directed(sid, jid, false), out);
        }
        if self.is_own(&to) {
            self.arrive(stanza, env, out);
        } else {
            out.route(stanza);
        }
    }

    /// These rooms died with their node: who was in them is not any more, and can enter again (XEP-0045 §11.1).
    pub(super) fn rooms_lost(&mut self, lost: &LostAddresses, env: &Env<'_>, out: &mut Out<Self>) {
        let is_lost =
            |jid: &&Jid| env.options.conference(jid.domain().as_str()).is_some() && lost(&jid.to_bare());
        let of = |resource: &Resource| -> Vec<_> {
            let seats = resource.directed.iter().filter(is_lost);
            seats.map(|seat| (resource.sid, resource.jid.clone(), seat.clone())).collect()
        };
        let seats: Vec<_> = self.resources.iter().flat_map(of).collect();
        for (sid, me, seat) in seats {
            self.commit(Change::Directed(sid, seat.clone(), false), out);
            self.deliver(sid, room::lost(seat).with_to(me), env, out);
        }
    }

    /// Other nicknames in the same room: a client is in a room once, so the newest address is enough to leave it by.
    fn stale(&self, sid: u64, to: &Jid, env: &Env<'_>) -> Vec<Jid> {
        if env.options.conference(to.domain().as_str()).is_none() {
            return vec![];
        }
        let room = to.to_bare();
        let directed = self.resource(sid).into_iter().flat_map(|resource| &resource.directed);
        directed.filter(|jid| *jid != to && jid.to_bare() == room).cloned().collect()
    }
}
