//! What clients say to an owner: in order, and told to be handled when all that it led to is safe.

use std::time::Duration;

use actix::{AsyncContext, Context};
use muster_proto::machine::{Out, SocketId, ToSocket};
use tokio::time::Instant;

use super::{Call, Owned, Owner, Spoken};
use crate::intake::{Done, Next, is_due};
use crate::mail::later;
use crate::receipt::{Label, Open, Via};
use crate::world::now;

/// How long a client that asks what was handled waits for what it said before; then it hears what is safe so far, and
/// the rest when it is.
const ASK_WAIT_MAX: Duration = Duration::from_millis(250);

/// A client that is silent is told after this that all it said was handled: until then its socket keeps it.
const TELL_WAIT: Duration = Duration::from_secs(2);

impl<M: Owned> Owner<M> {
    /// Takes an input: once, and in its place.
    pub(super) fn hear(&mut self, input: M::Input, via: Via, ctx: &mut Context<Self>) {
        match (M::spoken(&input), via.said) {
            (Spoken::Says { sid, number, counts }, Some(said)) => {
                self.hear_said(input, sid, number, counts, said, ctx);
            }
            (Spoken::Asks { sid }, Some(said)) => {
                let index = self.intake.wait(sid, said, input);
                self.pump(sid, ctx);
                if self.intake.is_waiting(sid, index) {
                    self.asking.push_back((Instant::now() + ASK_WAIT_MAX, sid, index));
                    self.hurry_later(ctx);
                }
            }
            (Spoken::Resumes, _) if !self.intake.is_clear() => {
                self.resuming.push((input, via));
                self.await_all();
                ctx.run_later(ASK_WAIT_MAX, |owner, ctx| {
                    owner.hear_resuming(ctx);
                    owner.settle(ctx);
                });
            }
            _ => {
                if via.label.is_some_and(|label| self.ledger.see(label, now())) {
                    metrics::counter!("muster_deliveries_known_total").increment(1);
                    return self.came_before(via, ctx);
                }
                self.feed(input, via, true, ctx);
            }
        }
    }

    fn hear_said(
        &mut self,
        input: M::Input,
        sid: u64,
        number: Option<u32>,
        counts: bool,
        said: (SocketId, u64),
        ctx: &mut Context<Self>,
    ) {
        let is_alone = self.world.is_alone();
        if is_alone && number.is_none() {
            self.feed(input, Via::default(), false, ctx);
            if is_due(said.1) {
                self.world.tell(said.0, ToSocket::Handled(said.1));
            }
            return;
        }
        let (receipt, open) = Open::new();
        self.intake.open(sid, said, number, open);
        let mut via = Via::new(receipt, None);
        if !is_alone && counts {
            let (kind, number) = match number {
                Some(number) => (sid << 1 | 1, number),
                None => (sid << 1, u32::try_from(said.1 & u64::from(u32::MAX)).unwrap_or_default()),
            };
            via.label = Some(Label::new(self.name, kind, number));
        }
        // A request is answered again: its answer may have been lost.
        let is_request = M::stanza(&input).is_some_and(|stanza| stanza.is_request());
        let is_known = via.label.is_some_and(|label| match number {
            // The machine itself knows what has come; this knows what it did under a former owner.
            Some(_) => self.ledger.knows(label),
            None => self.ledger.see(label, now()),
        });
        match if is_known && !is_request { M::known(input) } else { Some(input) } {
            Some(input) => self.feed(input, via, false, ctx),
            None => self.came_before(via, ctx),
        }
        self.pump(sid, ctx);
        self.tell_later(ctx);
    }

    /// What comes again is known, and perhaps not safe yet: it is when all is that is under way by now.
    fn came_before(&mut self, via: Via, ctx: &mut Context<Self>) {
        match self.asked {
            0 => drop(self.step(ctx, via, |_, _, _| {})),
            _ => self.known.push(via),
        }
    }

    /// The store has answered all that it was asked: what came again before that waits for nothing else.
    pub(super) fn all_are_answered(&mut self, ctx: &mut Context<Self>) {
        std::mem::take(&mut self.known).into_iter().for_each(|via| self.came_before(via, ctx));
    }

    /// Sets the one timer for all who ask, unless it is set.
    fn hurry_later(&mut self, ctx: &mut Context<Self>) {
        if let (Some((until, ..)), false) = (self.asking.front(), self.hurrying) {
            self.hurrying = true;
            let wait = until.saturating_duration_since(Instant::now());
            later(ctx, wait, |owner, ctx| {
                owner.hurrying = false;
                owner.hurry(ctx);
                owner.settle(ctx);
            });
        }
    }

    /// Handles what has waited long enough, although not all before it is safe.
    fn hurry(&mut self, ctx: &mut Context<Self>) {
        let now = Instant::now();
        while let Some((_, sid, index)) = self.asking.pop_front_if(|(until, ..)| *until <= now) {
            if let Some(input) = self.intake.hurry(sid, index, M::again) {
                self.feed(input, Via::default(), false, ctx);
            }
        }
        while self.asking.pop_front_if(|(_, sid, index)| !self.intake.is_waiting(*sid, *index)).is_some() {}
        self.hurry_later(ctx);
    }

    /// What somebody waited for is safe.
    pub(super) fn safe(&mut self, sid: u64, ctx: &mut Context<Self>) {
        self.pump(sid, ctx);
        if !self.resuming.is_empty() && self.intake.is_clear() {
            self.hear_resuming(ctx);
        }
    }

    /// Says what can be said of one session's client, and handles what waited for it.
    fn pump(&mut self, sid: u64, ctx: &mut Context<Self>) {
        while let Some(next) = self.intake.next(sid, M::again) {
            match next {
                Next::Tell(done) => self.tell_safe(done, true, ctx),
                Next::Await(open) => self.await_safe(sid, &open),
                Next::Handle(index, input, done) => {
                    let (receipt, open) = Open::new();
                    self.intake.begin(sid, index, open);
                    self.step(ctx, Via::new(receipt, None), |machine, env, out| {
                        done.into_iter().for_each(|done| tell(machine, done, false, out));
                        machine.handle(input, env, out);
                    });
                }
            }
        }
    }

    /// Is told when something of all that clients said is safe.
    pub(super) fn await_all(&self) {
        for (sid, open) in self.intake.under_way() {
            self.await_safe(sid, &open);
        }
    }

    fn await_safe(&self, sid: u64, open: &Open) {
        let mail = self.mail.clone();
        open.watch(move || drop(mail.send(Call::Safe(sid), usize::MAX)));
    }

    /// Tells clients what is safe when they have been silent for a while.
    fn tell_later(&mut self, ctx: &mut Context<Self>) {
        if self.intake.is_empty() || std::mem::replace(&mut self.telling, true) {
            return;
        }
        later(ctx, TELL_WAIT, |owner, ctx| {
            owner.telling = false;
            owner.tell_all(true, ctx);
            owner.intake.tidy();
            owner.tell_later(ctx);
            owner.settle(ctx);
        });
    }

    fn hear_resuming(&mut self, ctx: &mut Context<Self>) {
        for (input, via) in std::mem::take(&mut self.resuming) {
            self.feed(input, via, true, ctx);
        }
    }

    /// Says of all clients what can be said: before something else happens to them.
    pub(super) fn tell_all_safe(&mut self, ctx: &mut Context<Self>) {
        if !self.intake.is_empty() {
            self.tell_all(false, ctx);
        }
    }

    fn tell_all(&mut self, sockets_too: bool, ctx: &mut Context<Self>) {
        for done in self.intake.tell_all() {
            self.tell_safe(done, sockets_too || done.is_due, ctx);
        }
    }

    fn tell_safe(&mut self, done: Done, socket_too: bool, ctx: &mut Context<Self>) {
        if done.number.is_some() || socket_too {
            self.step(ctx, Via::default(), |machine, _, out| tell(machine, done, socket_too, out));
        }
    }
}

/// Tells a machine, and perhaps the socket, what is safe of a client's words.
pub(super) fn tell<M: Owned>(machine: &mut M, done: Done, socket_too: bool, out: &mut Out<M>) {
    if let Some(number) = done.number {
        machine.count(done.sid, number, out);
    }
    if socket_too {
        let (socket, said) = done.said;
        out.socket(socket, ToSocket::Handled(said));
    }
}
