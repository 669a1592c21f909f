//! A link that was greeted, until it breaks or is reset: the connection for all but messages, and its lane.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

use super::outbox::Outbox;
use super::stream::Stream;
use super::{Event, Ground, LinkError, Remote, heart};
use crate::metrics as names;
use crate::wire::frame::{self, Kind, PAYLOAD_MAX};
use crate::wire::{Control, codec};

/// How much is read at once.
const READ_BYTES: usize = 2 << 10;
/// What a peer wrote before it ended is read for so long.
const LAST_READ_MAX: Duration = Duration::from_millis(200);

/// A connection, and what came with its first frame.
pub(super) struct Begun {
    pub(super) stream: Stream,
    pub(super) buffer: BytesMut,
}

/// Reads one control frame: the greeting, before anything is known of the peer.
pub(super) async fn read_control(begun: &mut Begun, max: usize) -> Result<Control, LinkError> {
    loop {
        match frame::split(&mut begun.buffer, max)? {
            Some((Kind::Control, payload)) => return Ok(codec::take(&payload)?),
            Some((Kind::Message, _)) => return Err(LinkError::Turn),
            None => fill(&mut begun.stream, &mut begun.buffer, READ_BYTES).await?,
        };
    }
}

/// Writes control frames.
pub(super) async fn write_control(stream: &mut Stream, controls: &[Control]) -> Result<(), LinkError> {
    for control in controls {
        stream.write_all(&codec::control(control)?).await?;
    }
    Ok(stream.flush().await?)
}

/// Reads more, and says how many bytes.
pub(super) async fn fill(
    reader: &mut (impl AsyncReadExt + Unpin),
    buffer: &mut BytesMut,
    at_once: usize,
) -> Result<u64, LinkError> {
    if buffer.capacity() - buffer.len() < at_once / 4 {
        buffer.reserve(at_once);
    }
    match reader.read_buf(buffer).await? {
        0 => Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
        read => Ok(read as u64),
    }
}

/// Runs the link until it ends. `peer_received` is what the peer said it has; `turn` is the remote's.
pub(super) async fn run(
    ground: &Ground,
    remote: &Arc<Remote>,
    words: Begun,
    lane: Begun,
    peer_received: u64,
    turn: OwnedMutexGuard<()>,
) {
    let mut reset = pin!(remote.reset.notified());
    reset.as_mut().enable();
    if remote.gone.load(Ordering::Relaxed) {
        return;
    }
    remote.outbox.rewind(peer_received);
    remote.words.rewind(0);
    // Before the first answer, which means what it means by the view that is known.
    let known = Control::Known { epoch: ground.epoch.load(Ordering::Relaxed) };
    remote.known.store(0, Ordering::Relaxed);
    remote.words.push_control(&codec::control(&known).expect("a number fits into a frame"));
    let standing = Standing::begin(ground, remote);
    heart::begin(ground, remote);

    let mut lane = ground.ends.lanes.start(ground, remote, lane, turn);
    let (reader, writer) = tokio::io::split(words.stream);
    let end = tokio::select! {
        biased;
        end = read(ground, remote, reader, words.buffer) => end,
        end = write(&remote.words, writer) => end,
        Some(end) = lane.join_next() => end.unwrap_or(Err(LinkError::Reset)),
        () = reset => Err(LinkError::Reset),
    };
    if !matches!(end, Err(LinkError::Reset)) {
        let _ = timeout(LAST_READ_MAX, lane.join_next()).await;
    }
    drop(standing);
    if let Err(error) = end {
        match error {
            LinkError::Frame(_) | LinkError::Codec(_) | LinkError::Turn => {
                ground.refused(error.label(), remote.address, &error);
            }
            other => tracing::info!(peer = %remote.who.node, reason = %other, "link lost"),
        }
    }
}

/// A link while it stands. Also when its task is aborted, its end is told.
struct Standing<'a> {
    ground: &'a Ground,
    remote: &'a Remote,
}

impl<'a> Standing<'a> {
    fn begin(ground: &'a Ground, remote: &'a Remote) -> Standing<'a> {
        remote.up.send_replace(true);
        metrics::gauge!(names::LINKS).increment(1);
        ground.tell(Event::Up(remote.who.incarnation));
        Standing { ground, remote }
    }
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        self.remote.up.send_replace(false);
        metrics::gauge!(names::LINKS).decrement(1);
        metrics::counter!(names::LOST).increment(1);
        self.ground.tell(Event::Lost(self.remote.who.incarnation));
    }
}

async fn read(
    ground: &Ground,
    remote: &Remote,
    mut reader: ReadHalf<Stream>,
    mut buffer: BytesMut,
) -> Result<(), LinkError> {
    let bytes = metrics::counter!(names::BYTES, "direction" => "in");
    loop {
        while let Some((kind, payload)) = frame::split(&mut buffer, PAYLOAD_MAX)? {
            if kind != Kind::Control {
                return Err(LinkError::Turn);
            }
            heed(ground, remote, codec::take(&payload)?)?;
        }
        bytes.increment(fill(&mut reader, &mut buffer, READ_BYTES).await?);
        heart::hear(ground, remote);
    }
}

/// Does what a control frame asks.
fn heed(ground: &Ground, remote: &Remote, control: Control) -> Result<(), LinkError> {
    match control {
        Control::Ping { sent, received } => {
            remote.outbox.confirm(received);
            heart::heed(ground, remote, sent);
        }
        Control::Pong { sent, received } => {
            remote.outbox.confirm(received);
            heart::answered(ground, remote, sent);
        }
        Control::Known { epoch } => {
            remote.known.store(epoch, Ordering::Relaxed);
            ground.tell(Event::Said(remote.who.incarnation, control));
        }
        Control::View { .. } | Control::Ask { .. } | Control::Vote { .. } => {
            ground.tell(Event::Said(remote.who.incarnation, control));
        }
        Control::Hello(_)
        | Control::Welcome(_)
        | Control::Refuse(_)
        | Control::Lane { .. }
        | Control::Ack { .. } => return Err(LinkError::Turn),
    }
    Ok(())
}

/// Writes what waits, as long as it can.
pub(super) async fn write(outbox: &Outbox, mut writer: WriteHalf<Stream>) -> Result<(), LinkError> {
    let messages = metrics::counter!(names::MESSAGES, "direction" => "out");
    let bytes = metrics::counter!(names::BYTES, "direction" => "out");
    loop {
        let writing = outbox.take().await;
        if !writing.control.is_empty() {
            writer.write_all(&writing.control).await?;
        }
        writer.write_all(&writing.messages).await?;
        messages.increment(writing.fresh);
        bytes.increment((writing.control.len() + writing.messages.len()) as u64);
    }
}
