//! Stanzas that a managed client may not have: how they are kept, and what becomes of them when it does not come back
//! (XEP-0198 §4).

use super::managed::Queued;
use super::{Change, Session};
use crate::features::carbons;
use crate::machine::{Env, Machine, Out, ToSocket};
use crate::session::delivery::{Fate, fate};
use crate::session::resume::stamped;
use crate::stanza::{Condition, Facts, Kind, MessageType, Stanza};

/// A client that is there may owe so many times more acknowledgements than may wait for one that is not: it is asked
/// for them, but a room with many occupants says a lot at once.
const ATTACHED_TIMES: usize = 8;

/// One message on its way to several of the account's clients.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Share {
    number: u64,
    /// A client that is not managed got it: nothing better can be done.
    read: bool,
    /// It waits for the acknowledgement of a client.
    queued: bool,
}

impl Session {
    /// What `give` delivers are copies of one message: if one of the clients has it, it needs not come back when
    /// another one is gone.
    pub(super) fn together<T>(
        &mut self,
        out: &mut Out<Self>,
        give: impl FnOnce(&mut Self, &mut Out<Self>) -> T,
    ) -> T {
        let number = self.shares + 1;
        let outer = self.under_way.share.replace(Share { number, ..Share::default() });
        let given = give(self, out);
        let share = std::mem::replace(&mut self.under_way.share, outer);
        if share.is_some_and(|share| share.read && share.queued) {
            self.commit(Change::Read(number), out);
        }
        given
    }

    /// Gives a stanza to the connection of a client, if there is one, and keeps it until it is acknowledged.
    pub(super) fn write(&mut self, sid: u64, stanza: Stanza, env: &Env<'_>, out: &mut Out<Self>) {
        let Some(resource) = self.resources.iter().find(|resource| resource.sid == sid) else { return };
        let share = self.under_way.share.as_mut().filter(|_| matches!(stanza.kind, Kind::Message(_)));
        let Some(managed) = &resource.managed else {
            share.into_iter().for_each(|share| share.read = true);
            return out.socket(resource.socket, ToSocket::Stanza(stanza));
        };
        if managed.is_attached() {
            let number = managed.sent.wrapping_add(1);
            out.socket(resource.socket, ToSocket::Counted(number, stanza.clone()));
        }
        let share = share.map_or(0, |share| {
            share.queued = true;
            share.number
        });
        self.commit(Change::Sent(sid, Queued { stanza, at: env.now, share }), out);
        if self.is_too_much(sid, env) && !self.under_way.overflowing.contains(&sid) {
            self.under_way.overflowing.push(sid);
        }
    }

    fn is_too_much(&self, sid: u64, env: &Env<'_>) -> bool {
        let managed = self.resource(sid).and_then(|resource| resource.managed.as_ref());
        let limits = &env.options.limits;
        managed.is_some_and(|managed| {
            let since = |sent: u32| usize::try_from(managed.sent.wrapping_sub(sent)).unwrap_or(usize::MAX);
            let is_long = match managed.detached {
                Some(detached) => since(detached.sent) > limits.resume_queue_max,
                None => managed.queue.len() > limits.resume_queue_max.saturating_mul(ATTACHED_TIMES),
            };
            is_long || managed.bytes > limits.resume_queue_bytes_max
        })
    }

    /// Ends those for whom too much waits.
    pub(super) fn relieve(&mut self, env: &Env<'_>, out: &mut Out<Self>) {
        while let Some(sid) = self.under_way.overflowing.pop() {
            self.expire(sid, env, out);
        }
    }

    /// A client that may not have these is gone: in order, they go where they would go without it.
    pub(super) fn send_on(&mut self, unacked: Vec<Queued>, env: &Env<'_>, out: &mut Out<Self>) {
        for queued in unacked {
            let is_held = |share| {
                let mut managed = self.resources.iter().filter_map(|resource| resource.managed.as_ref());
                managed.any(|managed| managed.holds(share))
            };
            if queued.is_read() || is_held(queued.share) {
                continue;
            }
            let Queued { stanza, at, .. } = queued;
            let stanza = match stanza.facts.contains(Facts::CARBON) {
                false => stanza,
                // The client that it was for is gone too.
                true => match carbons::original(&stanza, &self.address) {
                    Some(original) => original,
                    None => continue,
                },
            };
            match stanza.kind {
                Kind::Message(MessageType::Normal | MessageType::Chat) => {
                    let stanza = stamped(stanza, self.address.domain().as_str(), at);
                    self.send_message_on(stanza, env, out);
                }
                Kind::Iq(_) if stanza.is_request() && stanza.from.is_some() => {
                    out.refuse(&stanza, Condition::ServiceUnavailable);
                }
                // Answers to and news for nobody; a room that it has left needs no error.
                Kind::Message(_) | Kind::Presence(_) | Kind::Iq(_) => {}
            }
        }
    }

    /// As if it had come for the account.
    fn send_message_on(&mut self, stanza: Stanza, env: &Env<'_>, out: &mut Out<Self>) {
        match fate(stanza.kind, self.exists, None, &self.resources) {
            Fate::Deliver(sids) => {
                self.together(out, |session, out| session.hand_out(sids, &stanza, env, out));
            }
            Fate::Keep => self.keep(stanza, env, out),
            Fate::Refuse(condition) => out.refuse(&stanza, condition),
            Fate::Drop | Fate::Server => {}
        }
    }
}
