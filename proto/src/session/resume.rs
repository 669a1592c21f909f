//! Stream management (XEP-0198): what managed clients say, how they lose their connection, and how they come back.

use super::managed::{self, Detached, Ended, Managed, Queued, Word};
use super::under_way::Came;
use super::{Change, Session};
use crate::machine::{Env, Machine, Out, Resumption, SocketId, Timestamp, ToSocket};
use crate::stanza::{Facts, Kind, Stanza};
use crate::stream::error::{StreamCondition, StreamError};

/// Who may stay away for so many seconds may stay a little longer, by chance up to a tenth: many may be lost at once, and shall
/// not all end at once.
const LONG_SECONDS: u64 = 60;
/// How much longer, at most.
const MORE_MILLIS_MAX: u64 = 60_000;

impl Session {
    /// A client says something that has its place among its stanzas.
    pub(super) fn word(
        &mut self,
        sid: u64,
        socket: SocketId,
        word: Word,
        env: &Env<'_>,
        out: &mut Out<Self>,
    ) {
        let Some(resource) = self.resource(sid).filter(|resource| resource.socket == socket) else { return };
        match (&resource.managed, word) {
            (None, Word::Enable { resume, max }) => self.enable(sid, socket, resume, max, env, out),
            // Its stream lets it ask once: the answer was lost with a node.
            (Some(managed), Word::Enable { .. }) => out.socket(socket, enabled(sid, managed)),
            (Some(managed), word) if managed.is_attached() => self.managed_word(sid, word, env, out),
            // Late words of a connection that is given up: the client says them again when it resumes.
            (Some(_) | None, _) => {}
        }
    }

    fn managed_word(&mut self, sid: u64, word: Word, env: &Env<'_>, out: &mut Out<Self>) {
        match word {
            Word::Stanza(number, stanza) => {
                if self.is_next(sid, number, out) {
                    self.client(sid, stanza, env, out);
                }
            }
            Word::Answered(number, answer) => {
                if let (true, Some(answer)) = (self.is_next(sid, number, out), answer) {
                    self.deliver(sid, answer, env, out);
                }
            }
            Word::Acked(h) => self.acked(sid, h, env, out),
            Word::AckRequested(number) => {
                let Some((socket, heard)) =
                    self.managed(sid).map(|(socket, managed)| (socket, managed.heard))
                else {
                    return;
                };
                out.socket(socket, ToSocket::Ack(heard));
                if is_ahead(number, self.came(sid, heard).last) {
                    // Even if it was asked before: that may have been lost.
                    self.ask_again(sid, out);
                }
            }
            Word::Enable { .. } => {}
        }
    }

    /// Whether a stanza is the next. One that came before is not handled again, and after a gap nothing is: its socket
    /// must say again what is missing. It is counted when it is handled and all that it led to is safe.
    fn is_next(&mut self, sid: u64, number: u32, out: &mut Out<Self>) -> bool {
        let Some((_, managed)) = self.managed(sid) else { return false };
        let next = self.came(sid, managed.heard).last.wrapping_add(1);
        if number == next {
            // Before it is handled: if that panics, it is not tried again and again.
            self.note_came(Came { sid, last: number, asked: false });
        } else if is_ahead(number, next) && !self.came(sid, managed.heard).asked {
            self.ask_again(sid, out);
        }
        number == next
    }

    /// Asks the socket of a client to say again what is missing.
    fn ask_again(&mut self, sid: u64, out: &mut Out<Self>) {
        let Some((socket, managed)) = self.managed(sid) else { return };
        let came = self.came(sid, managed.heard);
        out.socket(socket, ToSocket::Repeat(came.last.wrapping_add(1)));
        self.note_came(Came { asked: true, ..came });
    }

    fn note_came(&mut self, came: Came) {
        let all = &mut self.under_way.came;
        all.retain(|known| known.sid != came.sid);
        all.push(came);
    }

    /// What came, if so many were counted.
    fn came(&self, sid: u64, heard: u32) -> Came {
        let came = self.under_way.came.iter().find(|came| came.sid == sid).copied();
        came.filter(|came| !is_ahead(heard, came.last)).unwrap_or(Came { sid, last: heard, asked: false })
    }

    /// All that the client of a managed session has led to, up to the stanza of that number, is safe: that counts as handled.
    pub fn count(&mut self, sid: u64, number: u32, out: &mut Out<Self>) {
        let heard = self.managed(sid).map(|(_, managed)| managed.heard);
        let Some(came) = heard.map(|heard| self.came(sid, heard)) else {
            return self.under_way.came.retain(|known| known.sid != sid);
        };
        // A late word of a connection that is given up did not come.
        if heard.is_some_and(|heard| is_ahead(number, heard)) && !is_ahead(number, came.last) {
            self.commit(Change::Counted(sid, number), out);
        }
        if came.last == number && !came.asked {
            self.under_way.came.retain(|known| known.sid != sid);
        }
    }

    /// A socket outlived the node that held this account: it goes on here, and gets what it did not write yet.
    pub(super) fn reattach(&mut self, sid: u64, socket: SocketId, wrote: Option<u32>, out: &mut Out<Self>) {
        let resource = self.resource(sid).filter(|resource| resource.socket == socket);
        let managed = resource.map(|resource| resource.managed.as_deref());
        match (managed, wrote) {
            (Some(Some(managed)), Some(wrote)) if managed.is_attached() && managed.handled(wrote).is_ok() => {
                let first = managed.acked();
                self.say_again(sid, socket, first, wrote, |queued| queued.stanza.clone(), out);
            }
            (Some(None), None) => {}
            // It asked to be managed, and its answer is under way.
            (Some(Some(managed)), None) if managed.is_attached() => {}
            _ => {
                let why = "the node that held this session is gone; please come back";
                let why = StreamError::because(StreamCondition::SystemShutdown, why);
                out.socket(socket, ToSocket::Interrupt(why));
            }
        }
    }

    /// The client's queue, from its first number on, without what was written up to `wrote`.
    fn say_again(
        &self,
        sid: u64,
        socket: SocketId,
        first: u32,
        wrote: u32,
        stanza: impl Fn(&Queued) -> Stanza,
        out: &mut Out<Self>,
    ) {
        let Some((_, managed)) = self.managed(sid) else { return };
        let mut number = first;
        for queued in &managed.queue {
            number = number.wrapping_add(1);
            if is_ahead(number, wrote) {
                out.socket(socket, ToSocket::Counted(number, stanza(queued)));
            }
        }
    }

    fn enable(
        &mut self,
        sid: u64,
        socket: SocketId,
        resume: bool,
        max: Option<u32>,
        env: &Env<'_>,
        out: &mut Out<Self>,
    ) {
        let limit = u32::try_from(env.options.limits.resume_seconds_max).unwrap_or(u32::MAX);
        // Who has no account has another address next time.
        let seconds_max = if resume && !self.anonymous { max.unwrap_or(limit).min(limit) } else { 0 };
        let managed = Managed { nonce: env.random, seconds_max, ..Managed::default() };
        let answer = enabled(sid, &managed);
        self.commit(Change::Managed(sid, managed), out);
        out.socket(socket, answer);
    }

    fn acked(&mut self, sid: u64, h: u32, env: &Env<'_>, out: &mut Out<Self>) {
        let Some((socket, managed)) = self.managed(sid) else { return };
        match managed.handled(h) {
            Ok(0) => {}
            Ok(_) => self.commit(Change::Acked(sid, h), out),
            Err(managed::TooHigh) => {
                out.socket(socket, ToSocket::End(StreamError::handled_too_high(h, managed.sent)));
                self.close(sid, env, out);
            }
        }
    }

    /// A connection has logged in and wants to go on where another one was lost (§5).
    pub(super) fn resume(&mut self, socket: SocketId, id: &str, h: u32, env: &Env<'_>, out: &mut Out<Self>) {
        self.expire_all(env, out);
        let found = managed::read_id(id).and_then(|(sid, nonce)| {
            let resource = self.resource(sid)?;
            let managed = resource.managed.as_ref()?;
            (managed.nonce == nonce && managed.is_resumable()).then_some((resource, managed))
        });
        let Some((resource, managed)) = found else {
            let known =
                |(sid, nonce)| self.ended.iter().find(|ended| (ended.sid, ended.nonce) == (sid, nonce));
            let h = managed::read_id(id).and_then(known).map(|ended| ended.heard);
            return out.socket(socket, ToSocket::NotResumed(h));
        };
        let sid = resource.sid;
        if resource.socket != socket && managed.is_attached() {
            let why = StreamError::because(StreamCondition::Conflict, "resumed by another connection");
            out.socket(resource.socket, ToSocket::End(why));
        }
        if managed.handled(h).is_err() {
            out.socket(socket, ToSocket::End(StreamError::handled_too_high(h, managed.sent)));
            return self.close(sid, env, out);
        }
        self.commit(Change::Attached(sid, socket, h), out);
        self.replay(sid, env, out);
    }

    /// Tells a client that it is back, and then all that it may have missed, in order.
    fn replay(&mut self, sid: u64, env: &Env<'_>, out: &mut Out<Self>) {
        let Some(resource) = self.resource(sid) else { return };
        let (socket, Some(managed)) = (resource.socket, &resource.managed) else { return };
        let sent = managed.acked();
        let resumption =
            Resumption { sid, jid: resource.jid.clone(), heard: managed.heard, sent, bytes: managed.bytes };
        out.socket(socket, ToSocket::Resumed(Box::new(resumption)));
        let domain = self.address.domain().as_str();
        let late = |queued: &Queued| stamped(queued.stanza.clone(), domain, queued.at);
        self.say_again(sid, socket, sent, sent, late, out);
        tracing::debug!(sid, h = managed.heard, again = managed.queue.len(), now = env.now.0, "resumed");
    }

    /// A connection is gone.
    pub(super) fn closed(&mut self, socket: SocketId, resumable: bool, env: &Env<'_>, out: &mut Out<Self>) {
        let Some(resource) = self.resources.iter().find(|resource| resource.socket == socket) else { return };
        let sid = resource.sid;
        match resource.managed.as_ref().map(|managed| managed.is_attached()) {
            Some(false) => {} // known, or replaced
            Some(true) if resumable => self.lost(sid, env, out),
            Some(true) | None => self.close(sid, env, out),
        }
    }

    /// Every socket of that node is gone.
    pub(super) fn node_lost(&mut self, node: u64, env: &Env<'_>, out: &mut Out<Self>) {
        let lost = self.resources.iter().filter(|resource| resource.socket.node == node);
        for socket in lost.map(|resource| resource.socket).collect::<Vec<_>>() {
            self.closed(socket, true, env, out);
        }
    }

    /// A client has lost its connection: it may come back for a while.
    fn lost(&mut self, sid: u64, env: &Env<'_>, out: &mut Out<Self>) {
        let Some((_, managed)) = self.managed(sid) else { return };
        if !managed.is_resumable() {
            return self.close(sid, env, out);
        }
        let seconds = u64::from(managed.seconds_max);
        let more = if seconds < LONG_SECONDS { 0 } else { env.random % MORE_MILLIS_MAX.min(seconds * 100) };
        let until = Timestamp(env.now.0 + seconds * 1_000 + more);
        self.commit(Change::Detached(sid, Detached { until, sent: managed.sent }), out);
    }

    /// The time of a client is over, or too much waits for it.
    pub(super) fn expire(&mut self, sid: u64, env: &Env<'_>, out: &mut Out<Self>) {
        let Some((socket, managed)) = self.managed(sid) else { return };
        if managed.is_attached() {
            let why = StreamError::because(StreamCondition::PolicyViolation, "too much is not acknowledged");
            out.socket(socket, ToSocket::End(why));
        }
        if managed.is_resumable() {
            let until = Timestamp(env.now.0 + env.options.limits.resume_seconds_max * 1_000);
            let (nonce, heard) = (managed.nonce, managed.heard);
            self.commit(Change::Ended(Ended { sid, nonce, heard, until }), out);
        }
        self.close(sid, env, out);
    }

    /// Ends those whose time is over, and forgets those that have ended long ago.
    pub(super) fn expire_all(&mut self, env: &Env<'_>, out: &mut Out<Self>) {
        for sid in self.due(|until| until <= env.now) {
            self.expire(sid, env, out);
        }
        if self.ended.iter().any(|ended| ended.until <= env.now) {
            self.commit(Change::EndedForgotten(env.now), out);
        }
    }

    /// When time does something to it the next time.
    pub(super) fn next_alarm(&self) -> Option<Timestamp> {
        let detached = self.detached().map(|(_, detached)| detached.until);
        detached.chain(self.ended.iter().map(|ended| ended.until)).min()
    }

    /// Gives up the client that is closest to its end, so that another one can be bound.
    pub(super) fn make_room(&mut self, env: &Env<'_>, out: &mut Out<Self>) {
        let first = self.detached().min_by_key(|(_, detached)| detached.until).map(|(sid, _)| sid);
        if let Some(sid) = first {
            self.expire(sid, env, out);
        }
    }

    fn due(&self, is_due: impl Fn(Timestamp) -> bool) -> Vec<u64> {
        self.detached().filter(|(_, detached)| is_due(detached.until)).map(|(sid, _)| sid).collect()
    }

    fn detached(&self) -> impl Iterator<Item = (u64, Detached)> {
        self.resources
            .iter()
            .filter_map(|resource| Some((resource.sid, resource.managed.as_ref()?.detached?)))
    }

    fn managed(&self, sid: u64) -> Option<(SocketId, &Managed)> {
        let resource = self.resource(sid)?;
        Some((resource.socket, resource.managed.as_deref()?))
    }
}

/// How a managed stream may be resumed.
fn enabled(sid: u64, managed: &Managed) -> ToSocket {
    let id = managed.is_resumable().then(|| managed::id(sid, managed.nonce));
    ToSocket::Enabled { id, max: managed.seconds_max }
}

/// Whether a number is more than another; numbers go round at 2^32.
pub fn is_ahead(number: u32, of: u32) -> bool {
    number != of && number.wrapping_sub(of) <= u32::MAX / 2
}

/// A message that comes late says when it was sent (XEP-0203 §2), unless it does already.
pub(super) fn stamped(mut stanza: Stanza, domain: &str, at: Timestamp) -> Stanza {
    if matches!(stanza.kind, Kind::Message(_)) && !stanza.facts.contains(Facts::DELAY) {
        stanza.push(&super::offline::delay(domain, at, None));
    }
    stanza
}
