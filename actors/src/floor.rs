//! Where actors run: on an arbiter's thread or, in a simulation, in the local set of their node.

use actix::{Actor, Addr, AsyncContext, Context};
use actix_rt::ArbiterHandle;

/// A place for actors.
#[derive(Clone)]
pub enum Floor {
    /// A thread.
    Arbiter(ArbiterHandle),
    /// The local set that is entered.
    Here,
}

impl Floor {
    /// Does something there, after what is to be done there already.
    pub fn run(&self, work: impl FnOnce() + Send + 'static) {
        match self {
            Self::Arbiter(arbiter) => drop(arbiter.spawn_fn(work)),
            Self::Here => drop(actix_rt::spawn(async move { work() })),
        }
    }

    /// Starts an actor that knows its address.
    pub fn start<A>(&self, make: impl FnOnce(Addr<A>) -> A + Send + 'static) -> Addr<A>
    where
        A: Actor<Context = Context<A>>,
    {
        match self {
            Self::Arbiter(arbiter) => A::start_in_arbiter(arbiter, |ctx| make(ctx.address())),
            Self::Here => A::create(|ctx| make(ctx.address())),
        }
    }
}
