//! What a stream wants of the world, done.

use std::sync::Arc;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use jid::BareJid;
use muster_cluster::Slot;
use muster_proto::features::account::creation;
use muster_proto::sasl::Credentials;
use muster_proto::session::{Ask, Word};
use muster_proto::stanza::{Condition, Stanza, Trace};
use muster_proto::store::{Key, Query, Reply, StoreError, collection};
use muster_proto::stream::{Effect, Input, StreamCondition, StreamError};

use super::said::Said;
use super::{Socket, State, ending_name};
use crate::gate::{Entry, Want};
use crate::keys;
use crate::storage::{Batch, Storage};

/// Keeps the numbers of what different connections say far from each other: 2^64 by the golden ratio.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

impl Socket {
    /// Feeds the stream and does what it asks, in order.
    pub(super) fn feed(&mut self, input: Input<'_>, ctx: &mut Context<Self>) {
        let mut effects = Vec::new();
        let world = self.world.clone();
        self.stream.handle(input, &world.env(), &mut effects);
        for effect in effects {
            self.perform(effect, ctx);
        }
    }

    fn perform(&mut self, effect: Effect, ctx: &mut Context<Self>) {
        match effect {
            Effect::Write(bytes) => {
                self.unsent.buffer().extend_from_slice(&bytes);
                self.check_unsent(ctx);
            }
            Effect::StartTls => self.state = State::Upgrading,
            Effect::Lookup(account) => self.look_up(account, ctx),
            Effect::Derive(derivation) => {
                let derived = keys::apart(move || derivation.run());
                ctx.spawn(derived.into_actor(self).map(|derived, socket, ctx| {
                    if let Ok(derived) = derived {
                        socket.feed(Input::Derived(derived), ctx);
                        socket.wake();
                    }
                }));
            }
            Effect::LoggedIn(_) => metrics::counter!("muster_log_ins_total").increment(1),
            Effect::LogInFailed(account) => {
                metrics::counter!("muster_log_in_failures_total").increment(1);
                let account_shown = account.as_ref().map(|account| self.world.shown(account).to_string());
                tracing::info!(peer = %self.peer(), jid = account_shown, stream = %self.stream.id(), "log-in failed");
                self.world.throttle.failed(self.peer(), account.as_ref(), self.listener.guarded);
            }
            Effect::Register { account, password } => self.register(account, password, ctx),
            Effect::Enter(ask) => self.attach(ask, ctx),
            Effect::Stanza(mut stanza) => {
                self.note(&mut stanza);
                self.say(Said::Client(stanza));
            }
            Effect::Word(mut word) => {
                if let Word::Stanza(_, stanza) = &mut word {
                    self.note(stanza);
                }
                self.say(Said::Word(word));
            }
            Effect::Close(ending) => {
                let jid = self.stream.account().map(|account| self.world.shown(account).to_string());
                let (stream, why) = (self.stream.id(), ending_name(&ending));
                tracing::debug!(socket = self.id.number, %stream, peer = %self.peer(), jid, why, "stream ended");
                self.ending(ending.is_resumable(), ctx);
            }
        }
    }

    fn look_up(&mut self, account: BareJid, ctx: &mut Context<Self>) {
        if self.listener.guarded && self.world.throttle.is_blocked(self.peer(), &account) {
            metrics::counter!("muster_log_ins_throttled_total").increment(1);
            let throttled = Err(StoreError::Away("too many failed log-ins".into()));
            return self.feed(Input::Credentials(throttled), ctx);
        }
        let key = Key::new(collection::CREDENTIALS, account.as_str());
        let entered = self.enter(Want::LogIn, ctx, |socket, ctx| {
            let answer = socket.world.storage.query(Query::Document(key));
            ctx.spawn(answer.into_actor(socket).map(|answer, socket, ctx| {
                socket.pass = None;
                socket.feed(Input::Credentials(answer.and_then(read_credentials)), ctx);
                socket.wake();
            }));
        });
        if !entered {
            let full = Err(StoreError::Away("too many log in".into()));
            self.feed(Input::Credentials(full), ctx);
        }
    }

    /// Asks the owner for a session when there is a place.
    fn attach(&mut self, ask: Ask, ctx: &mut Context<Self>) {
        let want = match ask {
            Ask::Bind { .. } => Want::Bind,
            Ask::Resume { .. } => Want::Resume,
        };
        let entered = self.enter(want, ctx, move |socket, _| socket.ask(ask));
        if !entered {
            let why = "too many log in; please come back a little later";
            self.end(StreamError::because(StreamCondition::ResourceConstraint, why), ctx);
        }
    }

    /// Goes on when there is a place at the gate; whether it may even wait for one.
    fn enter(
        &mut self,
        want: Want,
        ctx: &mut Context<Self>,
        then: impl FnOnce(&mut Self, &mut Context<Self>) + 'static,
    ) -> bool {
        match self.world.gate.enter(want) {
            Entry::Now(pass) => {
                self.pass = Some(pass);
                then(self, ctx);
            }
            Entry::Later(turn) => {
                ctx.spawn(turn.into_actor(self).map(|pass, socket, ctx| {
                    // While it waited the stream may have ended, and the client may have left.
                    let goes_on = !matches!(socket.state, State::Ending | State::Gone);
                    if let Ok(pass) = pass
                        && goes_on
                        && socket.is_there(ctx)
                    {
                        socket.pass = Some(pass);
                        then(socket, ctx);
                    }
                }));
            }
            Entry::Full => {
                metrics::counter!("muster_log_ins_refused_total").increment(1);
                return false;
            }
        }
        true
    }

    /// Makes an account for a stranger. Every attempt counts as a failed log-in does: nobody makes many.
    fn register(&mut self, account: BareJid, password: String, ctx: &mut Context<Self>) {
        let blocked = self.listener.guarded && self.world.throttle.is_blocked(self.peer(), &account);
        self.world.throttle.failed(self.peer(), None, self.listener.guarded);
        if blocked {
            return self.feed(Input::Registered(Err(Condition::ResourceConstraint.into())), ctx);
        }
        let rounds = self.world.options.sasl_iterations;
        let made = create(self.world.storage.clone(), account, password, rounds);
        ctx.spawn(made.into_actor(self).map(|made, socket, ctx| {
            socket.feed(Input::Registered(made.map_err(Into::into)), ctx);
            socket.wake();
        }));
    }

    /// A stanza was read: names it in the logs.
    fn note(&self, stanza: &mut Stanza) {
        let source = self.id.node.wrapping_add(self.id.number << 32);
        stanza.trace = Trace(source.wrapping_mul(SPREAD).wrapping_add(self.said + 1));
        let account = self.stream.account();
        tracing::trace!(
            trace = stanza.trace.0,
            slot = account.map(|account| Slot::of(account.as_str().as_bytes()).0),
            jid = account.map(|account| display(self.world.shown(account))),
            socket = self.id.number,
            stream = %self.stream.id(),
            kind = stanza.kind.name(),
            "read"
        );
        crate::metrics::stanza(stanza.kind);
    }
}

fn read_credentials(reply: Reply) -> Result<Option<Credentials>, StoreError> {
    let Reply::Document(Some(bytes)) = reply else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| StoreError::Failed(error.to_string()))
}

async fn create(
    storage: Arc<dyn Storage>,
    account: BareJid,
    password: String,
    rounds: u32,
) -> Result<(), Condition> {
    let key = Key::new(collection::CREDENTIALS, account.as_str());
    let away = |_: StoreError| Condition::ResourceConstraint;
    if let Reply::Document(Some(_)) = storage.query(Query::Document(key)).await.map_err(away)? {
        return Err(Condition::Conflict);
    }
    let derived = keys::apart(move || keys::derive(&password, rounds)).await;
    let credentials =
        derived.map_err(|_| Condition::InternalServerError)?.map_err(|_| Condition::NotAcceptable)?;
    storage.write(Batch::unfenced(creation(&account, &credentials))).await.map_err(away)?;
    tracing::info!("an account was registered");
    metrics::counter!("muster_registrations_total").increment(1);
    Ok(())
}
