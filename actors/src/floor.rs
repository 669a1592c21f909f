//! Where actors run: on an arbiter's thread or, in a simulation, in the local set of their node.

use actix::{Actor, Addr, AsyncContext, Context};
use actix_rt::ArbiterHandle;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

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

    /// Comes back when everything is done that is to be done there already: how long that takes says how busy it is.
    pub fn turn(&self) -> impl Future<Output = ()> + use<> {
        let (done, turned) = oneshot::channel();
        // Dropped there, or with the thread.
        self.run(move || drop::<oneshot::Sender<()>>(done));
        async { drop(turned.await) }
    }

    /// Its thread, if it has one of its own.
    pub async fn thread(&self) -> Option<Handle> {
        let Self::Arbiter(arbiter) = self else { return None };
        let (tell, told) = oneshot::channel();
        arbiter.spawn_fn(move || drop(tell.send(Handle::current())));
        told.await.ok()
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
