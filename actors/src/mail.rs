//! Bounded mailboxes.
//!
//! actix bounds a mailbox only for those who may wait, and an owner must never wait for another. So the bound is
//! counted here, every letter carries a ticket that gives its place back, and this is the one file that uses `do_send`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message};

use crate::floor::Floor;

/// The address of an actor, with a count of what waits for it.
pub struct Mail<A: Actor> {
    addr: Addr<A>,
    waiting: Arc<AtomicUsize>,
}

/// What is sent: the body, and the place it takes until it is read.
pub struct Letter<B> {
    /// What it says.
    pub body: B,
    _ticket: Ticket,
}

struct Ticket(Arc<AtomicUsize>);

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

type Deed<A> = dyn FnOnce(&mut A, &mut <A as Actor>::Context) + Send;

/// Something that an actor does later.
pub struct Later<A: Actor>(Box<Deed<A>>);

impl<A: Actor> Later<A> {
    /// Does it.
    pub fn run(self, actor: &mut A, ctx: &mut A::Context) {
        (self.0)(actor, ctx);
    }
}

impl<A: Actor> Message for Later<A> {
    type Result = ();
}

/// Has an actor do something after a while. What `run_later` keeps is polled each time that anything wakes the actor; this is
/// not, so it is for what waits while much happens.
pub fn later<A>(ctx: &Context<A>, wait: Duration, then: impl FnOnce(&mut A, &mut Context<A>) + Send + 'static)
where
    A: Actor<Context = Context<A>> + Handler<Later<A>>,
{
    let actor = ctx.address().downgrade();
    actix_rt::spawn(async move {
        tokio::time::sleep(wait).await;
        if let Some(actor) = actor.upgrade() {
            #[allow(clippy::disallowed_methods)] // whoever waits sees to it that there is one of a kind
            actor.do_send(Later(Box::new(then)));
        }
    });
}

impl<B: Send> Message for Letter<B> {
    type Result = ();
}

impl<A: Actor> Clone for Mail<A> {
    fn clone(&self) -> Self {
        Self { addr: self.addr.clone(), waiting: self.waiting.clone() }
    }
}

impl<A: Actor> Mail<A> {
    /// Starts an actor that knows its own mailbox.
    pub fn start(floor: &Floor, actor: impl FnOnce(Self) -> A + Send + 'static) -> Self
    where
        A: Actor<Context = Context<A>>,
    {
        let waiting = Arc::<AtomicUsize>::default();
        let (own, count) = (waiting.clone(), waiting);
        let addr = floor.start(move |addr| actor(Self { addr, waiting: own }));
        Self { addr, waiting: count }
    }

    /// Sends, unless `bound` letters wait already or the actor is gone.
    ///
    /// # Errors
    /// Gives the body back.
    pub fn send<B>(&self, body: B, bound: usize) -> Result<(), B>
    where
        A: Handler<Letter<B>, Context = actix::Context<A>>,
        B: Send + 'static,
    {
        if self.waiting.fetch_add(1, Ordering::AcqRel) >= bound || !self.addr.connected() {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            return Err(body);
        }
        #[allow(clippy::disallowed_methods)] // bounded above
        self.addr.do_send(Letter { body, _ticket: Ticket(self.waiting.clone()) });
        Ok(())
    }

    /// Whether this is the mailbox of the same actor.
    pub fn is(&self, other: &Self) -> bool {
        self.addr == other.addr
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.load(Ordering::Acquire) == 0
    }

    /// Whether the actor is there to read.
    pub fn connected(&self) -> bool {
        self.addr.connected()
    }
}
