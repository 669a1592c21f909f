//! An owned actor: a session or a room, living on the arbiter of its slot.
//!
//! It loads its machine from the store, feeds it, commits its changes and performs its effects. It decides nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, SpawnHandle, WrapFuture};
use jid::BareJid;
use muster_cluster::{Lsn, Role};
use muster_proto::machine::{Effect, Machine, Out, SocketId, Then, Timestamp, ToSocket};
use muster_proto::stanza::{Condition, Stanza};
use muster_proto::store::{Reply, StoreError};

use crate::copies::Copies;
use crate::copying::Copying;
use crate::keys;
use crate::mail::{Letter, Mail};
use crate::office::Office;
use crate::remote::Remote;
use crate::storage::{Batch, Fence};
use crate::world::{World, now};

/// How long an owned actor with nothing to keep stays, in case more comes.
const LINGER: Duration = Duration::from_secs(10);
/// A socket is told of every so many of its client's stanzas that they were handled; a fraction of its window.
const RECEIPT_EVERY: u64 = 16;

/// An alarm that is due, or was before a step that panicked, does not ring more often.
const ALARM_WAIT_MIN: Duration = Duration::from_millis(100);

/// A link that is full is tried again after this.
const GIVE_AGAIN: Duration = Duration::from_millis(20);

/// An owner without a lease looks for it again after this.
const LEASE_AGAIN: Duration = Duration::from_millis(50);
/// Steps whose effects may wait for the lease; what comes beyond is refused with `resource-constraint`.
const FENCED_MAX: usize = 1_024;

/// A machine that an [`Owner`] runs.
pub trait Owned: Machine<Input: Unpin> + Clone + Send + Unpin {
    /// Whose ring says where it lives.
    const ROLE: Role;
    /// What it is called in logs.
    const NAME: &'static str;

    /// Where actors of this kind are found.
    fn office(world: &World) -> &Office<Self>;

    /// Where copies of this kind are kept.
    fn copies(world: &World) -> &Copies<Self>;

    /// The stanza that an input carries, for refusing it.
    fn stanza(input: &Self::Input) -> Option<&Stanza>;

    /// What the client is told whose stanza was refused on its way; its socket writes it.
    fn refusal(input: &Self::Input, condition: Condition) -> Option<Stanza> {
        Self::stanza(input).and_then(|stanza| stanza.error(condition))
    }

    /// Refuses an input that carries no stanza.
    fn refuse(world: &Arc<World>, input: Self::Input, condition: Condition);

    /// Sends an input to the node that owns the address.
    ///
    /// # Errors
    /// Gives it back with the reason.
    fn send(
        world: &World,
        to: u64,
        address: &BareJid,
        call: Call<Self>,
    ) -> Result<(), (Call<Self>, Condition)>;

    /// Sends the machine to its new owner.
    ///
    /// # Errors
    /// Gives it back with the reason, as [`World::send`] names it.
    fn give(self, world: &World, to: u64) -> Result<(), (Self, Condition)>;

    /// The word that carries all of the machine to its backup, with the number of its last change.
    fn copy(self, lsn: Lsn) -> Remote;

    /// The word that carries changes to its backup, with the number of the last.
    fn changes(&self, lsn: Lsn, changes: Vec<Self::Change>) -> Remote;
}

/// What an owner is told.
pub enum Call<M: Machine> {
    /// Something happens to its machine; then tell the socket, if named, that so many stanzas were handled.
    Input(M::Input, Option<(SocketId, u64)>),
    /// The slot moves to this node.
    Leave(u64),
    /// That node holds a copy with every change up to this one.
    Backed(u64, Lsn),
    /// That node does not hold the copy, or not any more.
    Lacking(u64),
    /// The slot's backup may be another one.
    Copy,
    /// The slot was lost, or the node was ousted: forget everything at once.
    Forget,
}

/// The actor.
pub struct Owner<M: Owned> {
    world: Arc<World>,
    address: BareJid,
    slot: u16,
    state: State<M>,
    copying: Copying,
    /// Effects whose changes are not committed yet.
    held: VecDeque<(Lsn, Vec<Effect<M>>)>,
    /// Questions to the store that are open.
    asked: usize,
    /// The slot's new owner, when it is to leave.
    leaving: Option<u64>,
    lingering: bool,
    /// It looks for the lease again.
    fenced: bool,
    /// What wakes it for its machine.
    timer: Option<(Timestamp, SpawnHandle)>,
}

enum State<M: Owned> {
    Loading(VecDeque<Letter<Call<M>>>),
    Ready(Box<M>),
    Gone,
}

impl<M: Owned> Owner<M> {
    /// One that loads its machine from the store, or takes it from a former owner.
    pub fn new(world: Arc<World>, address: BareJid, slot: u16, machine: Option<Box<M>>) -> Self {
        let state = machine.map_or_else(|| State::Loading(VecDeque::new()), State::Ready);
        let (copying, held) = (Copying::new(world.epoch()), VecDeque::new());
        Self {
            world,
            address,
            slot,
            state,
            copying,
            held,
            asked: 0,
            leaving: None,
            lingering: false,
            fenced: false,
            timer: None,
        }
    }

    fn loaded(&mut self, replies: Result<Vec<Reply>, StoreError>, ctx: &mut Context<Self>) {
        let State::Loading(letters) = std::mem::replace(&mut self.state, State::Gone) else { return };
        match replies {
            Ok(replies) => {
                let machine =
                    self.world.warden.guard(self.address.as_str(), || M::new(self.address.clone(), replies));
                if let Ok(machine) = machine {
                    self.state = State::Ready(Box::new(machine));
                    for letter in letters {
                        self.take(letter.body, ctx);
                    }
                    return self.settle(ctx);
                }
                self.refuse_all(letters, Condition::InternalServerError);
            }
            Err(error) => {
                tracing::warn!(slot = self.slot, jid = %self.world.shown(&self.address), %error, "{} could not be loaded", M::NAME);
                self.refuse_all(letters, Condition::ResourceConstraint);
            }
        }
        self.retire(ctx);
    }

    /// Strikes itself off. Letters that came before are taken on their way again; none can come after.
    fn retire(&mut self, ctx: &mut Context<Self>) {
        self.state = State::Gone;
        M::office(&self.world).retire(self.slot, &self.address);
        ctx.run_later(Duration::ZERO, |_, ctx| ctx.stop());
    }

    fn refuse_all(&mut self, letters: VecDeque<Letter<Call<M>>>, condition: Condition) {
        for letter in letters {
            match letter.body {
                Call::Input(input, _) => self.world.refuse::<M>(input, condition),
                Call::Leave(_) => self.world.moves.left(M::ROLE, self.slot, &self.world),
                Call::Backed(..) | Call::Lacking(_) | Call::Copy | Call::Forget => {}
            }
        }
    }

    fn take(&mut self, call: Call<M>, ctx: &mut Context<Self>) {
        match call {
            Call::Input(input, receipt) => match self.state {
                State::Gone => self.world.clone().call::<M>(&self.address, Call::Input(input, receipt)),
                State::Loading(_) | State::Ready(_) => {
                    self.feed(input, ctx);
                    if let Some((socket, handled)) = receipt.filter(|(_, said)| said % RECEIPT_EVERY == 0) {
                        self.world.tell(socket, ToSocket::Handled(handled));
                    }
                }
            },
            Call::Leave(to) => self.leaving = Some(to),
            Call::Backed(by, lsn) => {
                self.copying.backed(by, lsn);
                self.release(ctx);
            }
            Call::Lacking(by) => {
                if let State::Ready(machine) = &self.state {
                    self.copying.lacking(&self.world, self.slot, machine.as_ref(), by);
                }
                self.release(ctx);
            }
            Call::Copy => {
                self.copy();
                self.release(ctx);
            }
            Call::Forget => {
                self.state = State::Gone;
                ctx.stop();
            }
        }
    }

    fn feed(&mut self, input: M::Input, ctx: &mut Context<Self>) {
        if self.world.warden.is_over_budget(self.address.as_str()) {
            return self.world.refuse::<M>(input, Condition::InternalServerError);
        }
        if self.fenced && self.held.len() >= FENCED_MAX {
            return self.world.refuse::<M>(input, Condition::ResourceConstraint);
        }
        let request = M::stanza(&input).filter(|stanza| stanza.is_request()).cloned();
        let stepped = self.step(ctx, |machine, env, out| machine.handle(input, env, out));
        if let (false, Some(request)) = (stepped, request) {
            self.world.route_all(request.error(Condition::InternalServerError));
        }
    }

    /// Runs one step of the machine, commits its changes and releases its effects.
    fn step(
        &mut self,
        ctx: &mut Context<Self>,
        step: impl FnOnce(&mut M, &muster_proto::machine::Env<'_>, &mut Out<M>),
    ) -> bool {
        let State::Ready(machine) = &mut self.state else { return false };
        let mut out = Out::default();
        let world = self.world.clone();
        let env = world.env();
        let stepped = world.warden.guard(self.address.as_str(), || step(machine, &env, &mut out)).is_ok();
        if !stepped {
            self.copying.distrust();
            return false;
        }
        let lsn = self.copying.append(&world, self.slot, machine.as_ref(), out.changes);
        self.held.push_back((lsn, out.effects));
        self.release(ctx);
        true
    }

    /// Sees to it that the slot's backup has a copy.
    fn copy(&mut self) {
        if let State::Ready(machine) = &self.state
            && !machine.is_idle()
        {
            self.copying.refresh(&self.world, self.slot, machine.as_ref());
        }
    }

    /// Performs the effects whose changes are committed, in order. Without a lease they wait for it.
    fn release(&mut self, ctx: &mut Context<Self>) {
        if !self.held.is_empty() && self.world.is_fenced() {
            return self.release_later(ctx);
        }
        while let Some((_, effects)) = self.held.pop_front_if(|(lsn, _)| self.copying.is_committed(*lsn)) {
            for effect in effects {
                self.perform(effect, ctx);
            }
        }
    }

    fn release_later(&mut self, ctx: &mut Context<Self>) {
        if !self.fenced {
            self.fenced = true;
            ctx.run_later(LEASE_AGAIN, |owner, ctx| {
                owner.fenced = false;
                owner.release(ctx);
                owner.settle(ctx);
            });
        }
    }

    fn perform(&mut self, effect: Effect<M>, ctx: &mut Context<Self>) {
        match effect {
            Effect::Route(stanza) => self.world.route(stanza),
            Effect::Fanout { stanza, to } => self.world.fanout(stanza, to),
            Effect::Socket(socket, message) => self.world.tell(socket, message),
            Effect::Order(account, order) => self.world.order(&account, order),
            Effect::Ask(query, then) => {
                let answer = self.world.storage.query(query);
                self.expect(answer, then, ctx);
            }
            Effect::Store(writes, then) => {
                let fence = Some(Fence { slot: self.slot, epoch: self.world.epoch() });
                let written = self.world.storage.write(Batch { fence, writes });
                self.expect(async move { written.await.map(|()| Reply::Done) }, then, ctx);
            }
            Effect::Derive(password, then) => {
                self.asked += 1;
                let derived = keys::apart(move || keys::derive(&password));
                ctx.spawn(derived.into_actor(self).map(move |credentials, owner, ctx| {
                    owner.asked -= 1;
                    match credentials {
                        Ok(Ok(credentials)) => {
                            owner.step(ctx, |machine, env, out| then(machine, credentials, env, out));
                        }
                        // Machines check passwords before they ask.
                        Ok(Err(error)) => tracing::error!(%error, "a password could not be turned into keys"),
                        Err(error) => tracing::error!(%error, "a derivation did not end"),
                    }
                    owner.settle(ctx);
                }));
            }
        }
    }

    fn expect<F>(&mut self, answer: F, then: Then<M>, ctx: &mut Context<Self>)
    where
        F: Future<Output = Result<Reply, StoreError>> + 'static,
    {
        self.asked += 1;
        ctx.spawn(answer.into_actor(self).map(move |reply, owner, ctx| {
            owner.asked -= 1;
            if reply == Err(StoreError::Stale) {
                tracing::warn!(slot = owner.slot, jid = %owner.world.shown(&owner.address), "another node owns this slot now");
            }
            owner.step(ctx, |machine, env, out| then(machine, reply, env, out));
            owner.settle(ctx);
        }));
    }

    /// Sees to it that the machine is woken at the time it wants to be.
    fn set_timer(&mut self, ctx: &mut Context<Self>) {
        let State::Ready(machine) = &self.state else { return };
        let alarm = machine.alarm();
        // One that rings too early is set again; so nothing is done for an alarm that is put off.
        match (alarm, self.timer) {
            (None, None) => return,
            (Some(alarm), Some((set, _))) if set <= alarm => return,
            (_, Some((_, timer))) => drop(ctx.cancel_future(timer)),
            (Some(_), None) => {}
        }
        self.timer = alarm.map(|alarm| {
            let wait = Duration::from_millis(alarm.0.saturating_sub(now().0)).max(ALARM_WAIT_MIN);
            let timer = ctx.run_later(wait, |owner, ctx| {
                owner.timer = None;
                owner.ring(ctx);
                owner.settle(ctx);
            });
            (alarm, timer)
        });
    }

    fn ring(&mut self, ctx: &mut Context<Self>) {
        let State::Ready(machine) = &self.state else { return };
        if machine.alarm().is_some_and(|alarm| alarm <= now()) {
            self.step(ctx, |machine, env, out| machine.ring(env, out));
        }
    }

    /// After a step: leaves if it must, goes away if there is nothing to keep.
    fn settle(&mut self, ctx: &mut Context<Self>) {
        self.set_timer(ctx);
        let State::Ready(machine) = &self.state else { return };
        if self.asked > 0 || !self.held.is_empty() {
            return;
        }
        if let Some(to) = self.leaving {
            return self.leave(to, ctx);
        }
        if machine.is_idle() && !self.lingering {
            self.lingering = true;
            ctx.run_later(LINGER, |owner, ctx| {
                owner.lingering = false;
                let State::Ready(machine) = &owner.state else { return };
                if !machine.is_idle() || owner.asked > 0 {
                    return;
                }
                if M::office(&owner.world).retire_if_quiet(owner.slot, &owner.address) {
                    owner.copying.end(&owner.world, M::ROLE, &owner.address);
                    owner.state = State::Gone;
                    ctx.stop();
                } else {
                    owner.settle(ctx);
                }
            });
        }
    }

    fn leave(&mut self, to: u64, ctx: &mut Context<Self>) {
        let State::Ready(machine) = std::mem::replace(&mut self.state, State::Gone) else { return };
        let given = if machine.is_idle() { Ok(()) } else { machine.give(&self.world, to) };
        match given {
            Ok(()) => self.left(ctx),
            Err((machine, Condition::ResourceConstraint)) => {
                self.state = State::Ready(Box::new(machine));
                ctx.run_later(GIVE_AGAIN, |owner, ctx| owner.settle(ctx));
            }
            Err((_, _)) => self.is_lost(ctx),
        }
    }

    fn left(&mut self, ctx: &mut Context<Self>) {
        self.retire(ctx);
        self.world.moves.left(M::ROLE, self.slot, &self.world);
    }

    fn is_lost(&mut self, ctx: &mut Context<Self>) {
        tracing::warn!(slot = self.slot, jid = %self.world.shown(&self.address), "its new owner is gone; {} is lost", M::NAME);
        self.left(ctx);
    }
}

impl<M: Owned> Actor for Owner<M> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        // A machine that another node gave us may wait for a time.
        self.set_timer(ctx);
        self.copy();
        if matches!(self.state, State::Loading(_)) {
            let queries = M::load(&self.address).into_iter().map(|query| self.world.storage.query(query));
            let replies = futures_util::future::try_join_all(queries.collect::<Vec<_>>());
            ctx.spawn(replies.into_actor(self).map(|replies, owner, ctx| owner.loaded(replies, ctx)));
        }
    }
}

impl<M: Owned> Drop for Owner<M> {
    /// Whatever ended it, a later letter starts another one.
    fn drop(&mut self) {
        if std::thread::panicking() {
            M::office(&self.world).retire(self.slot, &self.address);
        }
    }
}

impl<M: Owned> Handler<Letter<Call<M>>> for Owner<M> {
    type Result = ();

    fn handle(&mut self, letter: Letter<Call<M>>, ctx: &mut Context<Self>) {
        if let State::Loading(letters) = &mut self.state {
            letters.push_back(letter);
            return;
        }
        self.take(letter.body, ctx);
        self.settle(ctx);
    }
}

/// The mailbox of an owned actor.
pub type OwnerMail<M> = Mail<Owner<M>>;

#[cfg(test)]
mod tests;
