//! An owned actor: a session or a room, living on the arbiter of its slot.
//!
//! It loads its machine from the store, feeds it, commits its changes and performs its effects. It decides nothing.

mod kind;
mod leave;
mod perform;
mod said;
mod strain;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, SpawnHandle, WrapFuture};
use jid::BareJid;
use muster_cluster::{Lsn, hash64};
use muster_proto::machine::{Effect, Env, Out, Timestamp};
use muster_proto::stanza::Condition;
use muster_proto::store::{Reply, StoreError};

use crate::copying::Copying;
use crate::intake::Intake;
use crate::ledger::{Ledger, Note, SILENT_SECONDS};
use crate::mail::{Later, Letter, Mail, later};
use crate::receipt::Via;
use crate::world::{World, now};
pub use kind::{Call, Known, Owned, Spoken};
use strain::Share;
pub use strain::Strain;

/// How long an owned actor with nothing to keep stays, in case more comes.
const LINGER: Duration = Duration::from_secs(10);

/// An alarm that is due, or was before a step that panicked, does not ring more often.
const ALARM_WAIT_MIN: Duration = Duration::from_millis(100);

/// A link that is full is tried again after this.
const GIVE_AGAIN: Duration = Duration::from_millis(20);

/// A machine on its way waits so long for what it said to be safe; then it goes, and what is not safe is said again.
const LEAVE_WAIT_MAX: Duration = Duration::from_secs(2);
/// What is safe is told to the second copy along with the next change, or after this.
const DONE_WAIT: Duration = Duration::from_secs(1);

/// An owner without a lease, or before a full link, looks again after this.
const RELEASE_AGAIN: Duration = Duration::from_millis(50);
/// Steps whose effects may wait for that; what comes beyond is refused with `resource-constraint`.
const HALTED_MAX: usize = 1_024;

/// The actor.
pub struct Owner<M: Owned> {
    world: Arc<World>,
    address: BareJid,
    slot: u16,
    /// Its address, hashed.
    name: u64,
    mail: OwnerMail<M>,
    state: State<M>,
    copying: Copying,
    /// What it knows beside its machine.
    ledger: Ledger,
    /// What of that is safe and was not told to the second copy.
    done: Vec<u32>,
    /// What its clients said and is not safe yet.
    intake: Intake<M::Input>,
    /// Who asks and waits: until when, and where in the intake.
    asking: VecDeque<(Instant, u64, u64)>,
    /// A timer runs for the first of them.
    hurrying: bool,
    /// Until then something that changed its machine may come again, and must be known.
    remembers: Option<Instant>,
    /// Clients that come back, and wait for that.
    resuming: Vec<(M::Input, Via)>,
    /// Effects whose changes are not committed yet.
    held: VecDeque<Held<M>>,
    /// Questions to the store that are open.
    asked: usize,
    /// Writes of a former owner that are made again.
    writes_again: usize,
    /// What came again and waits for their answers.
    known: Vec<Via>,
    /// What it hears when links have less to carry.
    put_off: VecDeque<Letter<Call<M>>>,
    /// The slot's new owner, when it is to leave.
    leaving: Option<(u64, Instant)>,
    lingering: bool,
    /// It is about to tell a silent client what was handled.
    telling: bool,
    /// It looks again whether it may perform what is committed.
    halted: bool,
    /// What wakes it for its machine.
    timer: Option<(Timestamp, SpawnHandle)>,
}

/// Effects that wait for their changes to be committed.
struct Held<M: Owned> {
    lsn: Lsn,
    effects: Vec<Effect<M>>,
    /// What led to them.
    via: Via,
    /// The number under which the ledger keeps them.
    post: Option<u32>,
    /// Whether they follow from changes.
    commits: bool,
    _share: Option<Share>,
}

enum State<M: Owned> {
    Loading(VecDeque<Letter<Call<M>>>),
    /// It was another owner's until now. What that did not see safe is done again, and only then what has come since: who hears
    /// the later first takes the earlier for known.
    Inherited(Box<M>, VecDeque<Letter<Call<M>>>),
    Ready(Box<M>),
    Gone,
}

impl<M: Owned> Owner<M> {
    /// One that loads its machine from the store, or takes it from a former owner.
    pub fn new(
        world: Arc<World>,
        address: BareJid,
        slot: u16,
        mail: OwnerMail<M>,
        known: Option<Known<M>>,
    ) -> Self {
        let (state, ledger, formers) = match known {
            Some(Known { machine, ledger, formers }) => {
                (State::Inherited(machine, VecDeque::new()), ledger, formers)
            }
            None => (State::Loading(VecDeque::new()), Ledger::default(), vec![]),
        };
        let remembers = (!ledger.is_blank()).then(|| Instant::now() + Duration::from_secs(SILENT_SECONDS));
        Self {
            copying: Copying::new(world.epoch(), formers),
            name: hash64(address.as_str().as_bytes()),
            world,
            address,
            slot,
            mail,
            state,
            ledger,
            done: Vec::new(),
            intake: Intake::default(),
            asking: VecDeque::new(),
            hurrying: false,
            remembers,
            resuming: Vec::new(),
            held: VecDeque::new(),
            asked: 0,
            writes_again: 0,
            known: Vec::new(),
            put_off: VecDeque::new(),
            leaving: None,
            lingering: false,
            telling: false,
            halted: false,
            timer: None,
        }
    }

    fn loaded(&mut self, replies: Result<Vec<Reply>, StoreError>, ctx: &mut Context<Self>) {
        let State::Loading(letters) = std::mem::replace(&mut self.state, State::Gone) else { return };
        match replies {
            Ok(replies) => {
                let machine = self.span("load").in_scope(|| {
                    self.world.warden.guard(self.address.as_str(), || M::new(self.address.clone(), replies))
                });
                if let Ok(machine) = machine {
                    self.state = State::Ready(Box::new(machine));
                    letters.into_iter().for_each(|letter| self.receive(letter, ctx));
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

    /// Names the address in what a machine says: machines do not know whether they may.
    fn span(&self, what: &'static str) -> tracing::Span {
        tracing::error_span!("of", what, slot = self.slot, jid = %self.world.shown(&self.address))
    }

    /// Strikes itself off. Letters that came before are taken on their way again; none can come after.
    fn retire(&mut self, ctx: &mut Context<Self>) {
        self.state = State::Gone;
        M::office(&self.world).retire(self.slot, &self.address, &self.mail);
        ctx.run_later(Duration::ZERO, |_, ctx| ctx.stop());
    }

    fn refuse_all(&mut self, letters: VecDeque<Letter<Call<M>>>, condition: Condition) {
        for letter in letters {
            match letter.body {
                Call::Input(input, via) => self.world.refuse::<M>(input, condition, via),
                Call::Leave(_) => self.world.moves.left(M::ROLE, self.slot, &self.address, &self.world),
                Call::Safe(..) | Call::Done(_) | Call::Resume => {}
                Call::Backed(..) | Call::Lacking(_) | Call::Copy | Call::Forget => {}
            }
        }
    }

    fn take(&mut self, call: Call<M>, ctx: &mut Context<Self>) {
        match call {
            Call::Input(input, via) => match self.state {
                State::Gone => self.world.clone().call::<M>(&self.address, Call::Input(input, via)),
                State::Loading(_) | State::Inherited(..) | State::Ready(_) => self.hear(input, via, ctx),
            },
            Call::Safe(sid) => self.safe(sid, ctx),
            Call::Done(number) => self.posted_is_done(number, ctx),
            Call::Resume => self.inherit(ctx),
            Call::Leave(_) if matches!(self.state, State::Gone) => {
                self.world.moves.left(M::ROLE, self.slot, &self.address, &self.world);
            }
            Call::Leave(to) => {
                self.leaving = Some((to, Instant::now()));
                self.await_all();
                ctx.run_later(LEAVE_WAIT_MAX, |owner, ctx| owner.settle(ctx));
            }
            Call::Backed(by, lsn) => {
                self.copying.backed::<M>(&self.world, &self.address, by, lsn);
                self.release(ctx);
            }
            Call::Lacking(by) => {
                if let State::Ready(machine) = &self.state {
                    let copied = (machine.as_ref(), &self.ledger);
                    self.copying.lacking(&self.world, self.slot, copied, by);
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

    /// Runs the step that an input makes. `counting`: it is not what a client said, so what is safe of that is counted
    /// in the same step, before something else happens to the client.
    fn feed(&mut self, input: M::Input, via: Via, counting: bool, ctx: &mut Context<Self>) {
        if self.world.warden.is_over_budget(self.address.as_str()) {
            return self.world.refuse::<M>(input, Condition::InternalServerError, via);
        }
        if (self.halted && self.held.len() >= HALTED_MAX) || self.copying.waits_in_vain() {
            return self.world.refuse::<M>(input, Condition::ResourceConstraint, via);
        }
        let request = M::stanza(&input).filter(|stanza| stanza.is_request()).cloned();
        let done = counting.then(|| self.intake.tell_all());
        let stepped = self.step(ctx, via, |machine, env, out| {
            for done in done.into_iter().flatten() {
                said::tell(machine, done, done.is_due, out);
            }
            machine.handle(input, env, out);
        });
        if let (false, Some(request)) = (stepped, request) {
            let error = request.error(Condition::InternalServerError);
            error.into_iter().for_each(|error| self.world.route(error, Via::default()));
        }
    }

    /// Runs one step of the machine, commits its changes and releases its effects.
    fn step(
        &mut self,
        ctx: &mut Context<Self>,
        via: Via,
        step: impl FnOnce(&mut M, &Env<'_>, &mut Out<M>),
    ) -> bool {
        let State::Ready(machine) = &mut self.state else { return false };
        let world = self.world.clone();
        let mut out = Out { is_unrecorded: self.copying.is_unwatched(&world), ..Out::default() };
        let env = world.env();
        let stepped = world.warden.guard(self.address.as_str(), || step(machine, &env, &mut out)).is_ok();
        if !stepped {
            self.copying.distrust(&world);
            via.receipt.settle();
            return false;
        }
        let mut note = Note::default();
        if out.changed && !world.is_alone() {
            if let Some(label) = via.label {
                self.ledger.see(label, env.now);
                self.remembers = Some(Instant::now() + Duration::from_secs(SILENT_SECONDS));
            }
            let post = self.ledger.post(&out.effects, env.now);
            note = Note { seen: via.label, post, done: std::mem::take(&mut self.done) };
        }
        let post = note.post.as_ref().map(|post| post.number);
        let copied = (machine.as_ref(), &self.ledger);
        let commits = out.changed;
        let lsn = match commits {
            true => self.copying.append(&world, self.slot, copied, out.changes, note),
            false => self.copying.appended(),
        };
        let _share = (M::MULTIPLIES && !world.is_alone()).then(|| world.strain.share(&out.effects));
        let held = Held { lsn, effects: out.effects, via, post, commits, _share };
        if self.held.is_empty() && self.may_release(&held, ctx) {
            self.perform_all(held, ctx);
        } else {
            self.held.push_back(held);
            self.release(ctx);
        }
        true
    }

    /// What a step led to is safe: the second copy needs not know of it any more.
    fn posted_is_done(&mut self, number: u32, ctx: &mut Context<Self>) {
        self.ledger.done(number);
        self.done.push(number);
        if self.done.len() == 1 {
            later(ctx, DONE_WAIT, |owner, _| {
                let note = Note { done: std::mem::take(&mut owner.done), ..Note::default() };
                if let (State::Ready(machine), false) = (&owner.state, note.is_empty()) {
                    owner.copying.note(&owner.world, owner.slot, machine.as_ref(), note);
                }
            });
        }
    }

    /// Sees to it that the slot's backup has a copy.
    fn copy(&mut self) {
        let State::Ready(machine) = &self.state else { return };
        let nobody_waits = self.held.is_empty();
        if machine.is_idle() && self.ledger.is_blank() {
            // There is nothing to copy, and who has one may be about to leave.
            if nobody_waits {
                self.copying.end::<M>(&self.world, &self.address);
            }
            return;
        }
        let copied = (machine.as_ref(), &self.ledger);
        if self.leaving.is_some() {
            return self.copying.mourn(&self.world, self.slot, copied);
        }
        let may_wait = nobody_waits && self.copying.is_behind(&self.world, M::ROLE, self.slot);
        if may_wait && !self.world.replication.has_room() {
            self.copying.lack(&self.world, M::ROLE, self.slot);
            return self.world.copy_later(M::ROLE, self.slot, self.address.clone());
        }
        self.copying.refresh(&self.world, self.slot, copied);
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
            self.tell_all_safe(ctx);
            self.step(ctx, Via::default(), |machine, env, out| machine.ring(env, out));
        }
    }

    /// After a step: leaves if it must, goes away if there is nothing to keep.
    fn settle(&mut self, ctx: &mut Context<Self>) {
        self.set_timer(ctx);
        if !matches!(self.state, State::Ready(_)) || self.asked > 0 {
            return;
        }
        self.all_are_answered(ctx);
        if !self.held.is_empty() {
            return;
        }
        if let Some((to, since)) = self.leaving {
            let is_safe = self.ledger.is_clear() && self.intake.is_clear();
            if is_safe || since.elapsed() >= LEAVE_WAIT_MAX {
                self.tell_all_safe(ctx);
                if self.held.is_empty() {
                    self.leave(to, ctx);
                }
            }
            return;
        }
        if self.is_idle() && !self.lingering {
            self.lingering = true;
            let until = self.remembers.map(|until| until.saturating_duration_since(Instant::now()));
            ctx.run_later(until.unwrap_or_default().max(LINGER), |owner, ctx| {
                owner.lingering = false;
                if !owner.is_idle() || owner.asked > 0 || owner.leaving.is_some() {
                    return;
                }
                if owner.remembers.is_some_and(|until| until > Instant::now()) {
                    return owner.settle(ctx);
                }
                if M::office(&owner.world).retire_if_quiet(owner.slot, &owner.address) {
                    owner.copying.end::<M>(&owner.world, &owner.address);
                    owner.state = State::Gone;
                    ctx.stop();
                } else {
                    owner.settle(ctx);
                }
            });
        }
    }

    /// Whether nothing is lost when it is put away.
    fn is_idle(&mut self) -> bool {
        let State::Ready(machine) = &self.state else { return false };
        machine.is_idle() && self.ledger.is_clear() && self.intake.is_clear()
    }
}

impl<M: Owned> Actor for Owner<M> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
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
            M::office(&self.world).retire(self.slot, &self.address, &self.mail);
        }
    }
}

impl<M: Owned> Handler<Letter<Call<M>>> for Owner<M> {
    type Result = ();

    fn handle(&mut self, letter: Letter<Call<M>>, ctx: &mut Context<Self>) {
        match &mut self.state {
            State::Loading(letters) => return letters.push_back(letter),
            State::Inherited(_, letters) if !matches!(letter.body, Call::Resume | Call::Forget) => {
                return letters.push_back(letter);
            }
            State::Inherited(..) | State::Ready(_) | State::Gone => {}
        }
        self.receive(letter, ctx);
        self.settle(ctx);
    }
}

impl<M: Owned> Handler<Later<Self>> for Owner<M> {
    type Result = ();

    fn handle(&mut self, later: Later<Self>, ctx: &mut Context<Self>) {
        later.run(self, ctx);
    }
}

/// The mailbox of an owned actor.
pub type OwnerMail<M> = Mail<Owner<M>>;

#[cfg(test)]
mod tests;
