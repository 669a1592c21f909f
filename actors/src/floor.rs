//! Where actors run: on an arbiter's thread or, in a simulation, in the local set of their node.

use actix::{Actor, Addr, Context};
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
    /// Starts an actor.
    pub fn start<A>(&self, make: impl FnOnce() -> A + Send + 'static) -> Addr<A>
    where
        A: Actor<Context = Context<A>>,
    {
        match self {
            Self::Arbiter(arbiter) => A::start_in_arbiter(arbiter, |_| make()),
            Self::Here => A::create(|_| make()),
        }
    }
}
