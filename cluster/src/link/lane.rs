//! The lane of a link: the connection on which its messages go. It runs on one of the application's threads, so that
//! messages have no third thread to pass, and what keeps the cluster together does not wait behind them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::ReadHalf;
use tokio::runtime::Handle;
use tokio::sync::{OwnedMutexGuard, oneshot};
use tokio::task::JoinSet;

use super::connection::{self, Begun};
use super::stream::Stream;
use super::{Ground, LinkError, Remote};
use crate::map::HashMap;
use crate::wire::frame::{self, Kind, PAYLOAD_MAX};
use crate::wire::{Control, codec};
use crate::{NodeId, metrics as names, simulation};

/// Received messages are confirmed after so many bytes, at the latest with the next beat.
const CONFIRM_BYTES: usize = 128 << 10;
/// And after so many messages.
const CONFIRM_MESSAGES: u64 = 512;
/// How much is read at once.
const READ_BYTES: usize = 64 << 10;

/// The threads on which lanes run.
#[derive(Debug)]
pub(crate) struct Lanes {
    runtimes: Vec<Handle>,
    next: AtomicUsize,
}

impl Lanes {
    /// These in turn; without any, the one that asks.
    pub(crate) fn new(runtimes: Vec<Handle>) -> Lanes {
        Lanes { runtimes, next: AtomicUsize::new(0) }
    }

    /// Runs one until it or the set ends. `turn` is given back when it has ended.
    pub(super) fn start(
        &self,
        ground: &Ground,
        remote: &Arc<Remote>,
        lane: Begun,
        turn: OwnedMutexGuard<()>,
    ) -> JoinSet<Result<(), LinkError>> {
        let mut alone = JoinSet::new();
        let (ground, remote) = (ground.clone(), remote.clone());
        let body = async move {
            let _turn = turn;
            run(&ground, &remote, lane).await
        };
        match self.runtimes.len() {
            0 => alone.spawn_local(body),
            count => alone.spawn_on(body, &self.runtimes[self.next.fetch_add(1, Ordering::Relaxed) % count]),
        };
        alone
    }
}

async fn run(ground: &Ground, remote: &Remote, mut lane: Begun) -> Result<(), LinkError> {
    lane.stream.settle()?;
    let (reader, writer) = tokio::io::split(lane.stream);
    tokio::select! {
        biased;
        end = read(ground, remote, reader, lane.buffer) => end,
        end = connection::write(&remote.outbox, writer) => end,
    }
}

async fn read(
    ground: &Ground,
    remote: &Remote,
    mut reader: ReadHalf<Stream>,
    mut buffer: bytes::BytesMut,
) -> Result<(), LinkError> {
    let messages = metrics::counter!(names::MESSAGES, "direction" => "in");
    let bytes = metrics::counter!(names::BYTES, "direction" => "in");
    let mut unconfirmed = (0, 0);
    loop {
        let mut count = 0;
        while let Some((kind, payload)) = frame::split(&mut buffer, PAYLOAD_MAX)? {
            if kind == Kind::Control {
                let Control::Ack { received } = codec::take(&payload)? else { return Err(LinkError::Turn) };
                remote.outbox.confirm(received);
                continue;
            }
            if remote.gone.load(Ordering::Relaxed) {
                return Err(LinkError::Reset);
            }
            count += 1;
            unconfirmed.1 += payload.len();
            // Counted before it is handed on: if the connection breaks here, it must not come again.
            remote.received.fetch_add(1, Ordering::Relaxed);
            if let Err(error) = ground.ends.sink.take(&remote.who, &payload) {
                metrics::counter!(names::UNREADABLE).increment(1);
                if let Some(times) = ground.quiet.due("unreadable") {
                    tracing::error!(peer = %remote.who.node, times, %error, "a message cannot be read");
                }
            }
        }
        messages.increment(count);
        unconfirmed.0 += count;
        if unconfirmed.0 >= CONFIRM_MESSAGES || unconfirmed.1 >= CONFIRM_BYTES {
            unconfirmed = (0, 0);
            let received = remote.received.load(Ordering::Relaxed);
            remote.outbox.push_control(&codec::control(&Control::Ack { received })?);
        }
        bytes.increment(connection::fill(&mut reader, &mut buffer, READ_BYTES).await?);
    }
}

/// Lanes that peers were asked to open.
#[derive(Default)]
pub(crate) struct Awaited(Mutex<ByKey>);

type ByKey = HashMap<u64, (NodeId, oneshot::Sender<Begun>)>;

/// A lane that does not come is awaited no more when this is dropped.
pub(super) struct Awaiting<'a> {
    awaited: &'a Awaited,
    /// What it has to begin with.
    pub(super) key: u64,
    /// Tells that it came.
    pub(super) lane: oneshot::Receiver<Begun>,
}

impl Awaited {
    pub(super) fn expect(&self, from: &NodeId) -> Awaiting<'_> {
        let (sender, lane) = oneshot::channel();
        let key = simulation::random();
        self.lock().insert(key, (from.clone(), sender));
        Awaiting { awaited: self, key, lane }
    }

    /// Gives a connection that began with that key to who waits for it.
    ///
    /// # Errors
    /// Nobody does, or for another node's.
    pub(super) fn came(&self, key: u64, lane: Begun) -> Result<(), LinkError> {
        let Some((node, sender)) = self.lock().remove(&key) else { return Err(LinkError::Late) };
        if !lane.stream.is_with(&node) {
            return Err(LinkError::Name);
        }
        sender.send(lane).map_err(|_| LinkError::Late)
    }

    fn lock(&self) -> MutexGuard<'_, ByKey> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Awaiting<'_> {
    fn drop(&mut self) {
        self.awaited.lock().remove(&self.key);
    }
}
