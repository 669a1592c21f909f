//! A node in this process: started, told to reload, stopped. `muster serve` is this, and tests use it too.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use muster_actors::System;
use tokio::sync::{mpsc, oneshot};

use crate::config::{Config, Kind};
use crate::error::StartError;
use crate::life;
use crate::shared::Shared;

/// What a running node can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Read certificates and the log level again.
    Reload,
    /// Hand everything over, then end.
    Stop,
    /// End at once and tell nobody, as a process that is killed.
    Kill,
}

/// One node.
pub struct Node;

impl Node {
    /// Starts a node on a thread of its own. Returns once its ports are bound; it is ready when [`Running::is_ready`]
    /// says so.
    ///
    /// # Errors
    /// A port, a certificate or a file cannot be used.
    pub fn start(config: Config) -> Result<Running, StartError> {
        let (commands, orders) = mpsc::unbounded_channel();
        let (bound, is_bound) = oneshot::channel();
        let shared = Arc::new(Shared::new(&config)?);
        let thread = std::thread::Builder::new().name(format!("node {}", config.node.id));
        let inside = shared.clone();
        let thread = thread
            .spawn(move || actix_rt::System::new().block_on(life::live(config, inside, orders, bound)))
            .map_err(StartError::Thread)?;
        match is_bound.blocking_recv() {
            Ok(addresses) => Ok(Running { addresses, commands, shared, thread: Some(thread) }),
            // It ended before its ports were bound, and says why.
            Err(_) => Err(finish(thread).err().unwrap_or(StartError::Stopped)),
        }
    }
}

/// A node that runs. Dropping it kills it.
pub struct Running {
    addresses: Vec<(Kind, SocketAddr)>,
    commands: mpsc::UnboundedSender<Command>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<(), StartError>>>,
}

impl Running {
    /// The addresses of its TCP listeners, in the order of the configuration; those of port 0 have their real one.
    pub fn addresses(&self, kind: Kind) -> Vec<SocketAddr> {
        self.addresses.iter().filter(|(of, _)| *of == kind).map(|(_, address)| *address).collect()
    }

    /// Its actors, once they run.
    pub fn system(&self) -> Option<System> {
        self.shared.system()
    }

    /// Whether clients may be sent here.
    pub fn is_ready(&self) -> bool {
        self.shared.is_ready().is_ok()
    }

    /// Waits until it is ready, has ended, or the time is over.
    pub fn wait_until_ready(&self, most: Duration) -> bool {
        let deadline = Instant::now() + most;
        while !self.is_ready() {
            if Instant::now() >= deadline || self.has_ended() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }

    /// Whether its thread is over.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// A way to tell it things from elsewhere.
    pub fn commands(&self) -> mpsc::UnboundedSender<Command> {
        self.commands.clone()
    }

    /// Waits until it ends by itself or by a command.
    ///
    /// # Errors
    /// What it did not start for.
    pub fn wait(mut self) -> Result<(), StartError> {
        self.thread.take().map_or(Ok(()), finish)
    }

    /// Hands everything over and ends.
    ///
    /// # Errors
    /// What it did not start for.
    pub fn stop(self) -> Result<(), StartError> {
        self.tell(Command::Stop);
        self.wait()
    }

    /// Ends at once and tells nobody.
    pub fn kill(self) {
        drop(self);
    }

    /// Tells it something.
    pub fn tell(&self, command: Command) {
        // An ended node has nothing left to do.
        let _ = self.commands.send(command);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.tell(Command::Kill);
            let _ = finish(thread);
        }
    }
}

fn finish(thread: JoinHandle<Result<(), StartError>>) -> Result<(), StartError> {
    match thread.join() {
        Ok(end) => end,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
