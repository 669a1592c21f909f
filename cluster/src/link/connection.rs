//! A connection that was greeted: reads frames, writes what waits, until it breaks or is reset.

use std::pin::pin;
use std::sync::atomic::Ordering;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

use super::stream::Stream;
use super::{Event, Ground, LinkError, Remote, heart};
use crate::metrics as names;
use crate::wire::frame::{self, Kind, PAYLOAD_MAX};
use crate::wire::{Control, codec};

/// Received messages are confirmed after so many bytes, at the latest with the next beat.
const CONFIRM_BYTES: usize = 128 << 10;
/// And after so many messages.
const CONFIRM_MESSAGES: u64 = 512;
/// How much is read at once.
const READ_BYTES: usize = 64 << 10;

/// Reads one control frame: the greeting, before anything is known of the peer.
pub(super) async fn read_control(
    stream: &mut Stream,
    buffer: &mut BytesMut,
    max: usize,
) -> Result<Control, LinkError> {
    loop {
        match frame::split(buffer, max)? {
            Some((Kind::Control, payload)) => return Ok(codec::take(&payload)?),
            Some((Kind::Message, _)) => return Err(LinkError::Turn),
            None => {}
        }
        if stream.read_buf(buffer).await? == 0 {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
    }
}

/// Writes one control frame.
pub(super) async fn write_control(stream: &mut Stream, control: &Control) -> Result<(), LinkError> {
    stream.write_all(&codec::control(control)?).await?;
    Ok(stream.flush().await?)
}

/// Runs the connection until it ends. `peer_received` is what the peer said it has; `buffer` holds what was read with
/// the greeting. The caller holds the remote's turn.
pub(super) async fn run(
    ground: &Ground,
    remote: &Remote,
    stream: Stream,
    buffer: BytesMut,
    peer_received: u64,
) {
    let mut reset = pin!(remote.reset.notified());
    reset.as_mut().enable();
    if remote.gone.load(Ordering::Relaxed) {
        return;
    }
    remote.outbox.rewind(peer_received);
    // Before the first answer, which means what it means by the view that is known.
    let known = Control::Known { epoch: ground.epoch.load(Ordering::Relaxed) };
    remote.known.store(0, Ordering::Relaxed);
    remote.outbox.push_control(&codec::control(&known).expect("a number fits into a frame"));
    hear(ground, remote);
    let standing = Standing::begin(ground, remote);
    heart::begin(ground, remote);

    let (reader, writer) = tokio::io::split(stream);
    let end = tokio::select! {
        biased;
        end = read(ground, remote, reader, buffer) => end,
        end = write(remote, writer) => end,
        () = reset => Err(LinkError::Reset),
    };

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

fn hear(ground: &Ground, remote: &Remote) {
    remote.heard.store(ground.now().as_micros() as u64, Ordering::Relaxed);
}

async fn read(
    ground: &Ground,
    remote: &Remote,
    mut reader: ReadHalf<Stream>,
    mut buffer: BytesMut,
) -> Result<(), LinkError> {
    let messages = metrics::counter!(names::MESSAGES, "direction" => "in");
    let bytes = metrics::counter!(names::BYTES, "direction" => "in");
    let mut unconfirmed = (0, 0);
    loop {
        let mut count = 0;
        while let Some((kind, payload)) = frame::split(&mut buffer, PAYLOAD_MAX)? {
            match kind {
                Kind::Control => heed(ground, remote, codec::take(&payload)?)?,
                Kind::Message => {
                    count += 1;
                    unconfirmed.1 += payload.len();
                    // Counted before it is handed on: if the connection breaks here, it must not come again.
                    remote.received.fetch_add(1, Ordering::Relaxed);
                    if let Err(error) = ground.sink.take(&remote.who, &payload) {
                        metrics::counter!(names::UNREADABLE).increment(1);
                        if let Some(times) = ground.quiet.due("unreadable") {
                            tracing::error!(peer = %remote.who.node, times, %error, "a message cannot be read");
                        }
                    }
                }
            }
        }
        messages.increment(count);
        unconfirmed.0 += count;
        if unconfirmed.0 >= CONFIRM_MESSAGES || unconfirmed.1 >= CONFIRM_BYTES {
            unconfirmed = (0, 0);
            remote.say(&Control::Ack { received: remote.received.load(Ordering::Relaxed) });
        }
        if buffer.capacity() - buffer.len() < READ_BYTES / 4 {
            buffer.reserve(READ_BYTES);
        }
        let read = reader.read_buf(&mut buffer).await?;
        if read == 0 {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
        bytes.increment(read as u64);
        hear(ground, remote);
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
            let rtt = (ground.now().as_micros() as u64).saturating_sub(sent);
            remote.rtt.store(rtt.max(1), Ordering::Relaxed);
            if remote.known.load(Ordering::Relaxed) <= ground.epoch.load(Ordering::Relaxed) {
                remote.answered.fetch_max(sent, Ordering::Relaxed);
            }
        }
        Control::Ack { received } => remote.outbox.confirm(received),
        Control::Known { epoch } => {
            remote.known.store(epoch, Ordering::Relaxed);
            ground.tell(Event::Said(remote.who.incarnation, control));
        }
        Control::View { .. } | Control::Ask { .. } | Control::Vote { .. } => {
            ground.tell(Event::Said(remote.who.incarnation, control));
        }
        Control::Hello(_) | Control::Welcome(_) | Control::Refuse(_) => return Err(LinkError::Turn),
    }
    Ok(())
}

async fn write(remote: &Remote, mut writer: WriteHalf<Stream>) -> Result<(), LinkError> {
    let messages = metrics::counter!(names::MESSAGES, "direction" => "out");
    let bytes = metrics::counter!(names::BYTES, "direction" => "out");
    loop {
        let writing = remote.outbox.take().await;
        if !writing.control.is_empty() {
            writer.write_all(&writing.control).await?;
        }
        writer.write_all(&writing.messages).await?;
        messages.increment(writing.fresh);
        bytes.increment((writing.control.len() + writing.messages.len()) as u64);
    }
}
