//! One connection: bytes arrive late, in order, or not at all.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use muster_cluster::simulation::Pipe;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::network::{Network, Place};

/// What may be under way in one direction, in bytes: then the writer waits.
const WINDOW: usize = 256 << 10;

/// A connection, seen from between.
pub struct Wire {
    /// Who opened it, and whom it reached.
    places: [Place; 2],
    lanes: [Mutex<Lane>; 2],
}

/// One direction: from `places[i]` to the other.
struct Lane {
    flying: VecDeque<(Instant, Bytes)>,
    bytes: usize,
    last: Instant,
    /// Nothing more comes: after what is flying, or at once.
    end: Option<(Instant, Closing)>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    /// The writer has closed it, or its process ended.
    End,
    /// It was reset.
    Reset,
    /// The writer's machine is gone, and says nothing any more.
    Silence,
}

/// One end of a connection. Dropped, it closes.
pub struct End {
    wire: Arc<Wire>,
    side: usize,
    network: Network,
    alarm: Option<Pin<Box<Sleep>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lane {
    fn new() -> Self {
        let (flying, last) = (VecDeque::new(), Instant::now());
        Self { flying, bytes: 0, last, end: None, reader: None, writer: None }
    }

    fn wake(&mut self) {
        self.reader.take().into_iter().chain(self.writer.take()).for_each(Waker::wake);
    }

    fn close(&mut self, at: Instant, how: Closing) {
        if self.end.is_none_or(|(_, before)| before == Closing::End && how != Closing::End) {
            self.end = Some((at, how));
        }
        self.wake();
    }
}

impl Wire {
    /// Whether it is one of theirs.
    pub fn is_between(&self, one: Place, other: Place) -> bool {
        self.places == [one, other] || self.places == [other, one]
    }

    /// Has both ends look again.
    pub fn wake(&self) {
        self.lanes.iter().for_each(|lane| lock(lane).wake());
    }

    /// Breaks it; what is flying is lost.
    pub fn reset(&self) {
        for lane in &self.lanes {
            let mut lane = lock(lane);
            lane.flying.clear();
            lane.close(Instant::now(), Closing::Reset);
        }
    }

    /// The process at this end is gone: what it sent last arrives still, unless it is lost.
    pub fn lose(&self, place: Place, silently: bool, lost: bool) {
        for side in (0..2).filter(|side| self.places[*side] == place) {
            let mut lane = lock(&self.lanes[side]);
            if lost {
                lane.flying.clear();
            }
            let at = lane.last.max(Instant::now());
            lane.close(at, if silently { Closing::Silence } else { Closing::End });
        }
    }
}

impl End {
    /// Both ends of a new connection.
    pub fn pair(network: Network, from: Place, to: Place) -> (End, End, Arc<Wire>) {
        let lanes = [Mutex::new(Lane::new()), Mutex::new(Lane::new())];
        let wire = Arc::new(Wire { places: [from, to], lanes });
        let end = |side| End { wire: wire.clone(), side, network: network.clone(), alarm: None };
        (end(0), end(1), wire)
    }

    fn places(&self) -> (Place, Place) {
        (self.wire.places[self.side], self.wire.places[1 - self.side])
    }

    /// Wakes the reader at that time.
    fn wait_until(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let alarm = match &mut self.alarm {
            Some(alarm) => {
                if alarm.deadline() != at {
                    alarm.as_mut().reset(at);
                }
                alarm
            }
            none => none.insert(Box::pin(sleep_until(at))),
        };
        alarm.as_mut().poll(cx)
    }
}

impl Pipe for End {
    fn is_closed_there(&self) -> bool {
        let (me, peer) = self.places();
        let closed = lock(&self.wire.lanes[1 - self.side]).end;
        let is_known = |(at, how)| how == Closing::Reset || how == Closing::End && at <= Instant::now();
        closed.is_some_and(is_known) && self.network.passes(peer, me)
    }
}

impl AsyncRead for End {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let (me, peer) = this.places();
        let wire = this.wire.clone();
        let mut lane = lock(&wire.lanes[1 - this.side]);
        if let Some((_, Closing::Reset)) = lane.end {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        lane.reader = Some(cx.waker().clone());
        if !this.network.passes(peer, me) {
            return Poll::Pending;
        }
        let (now, mut read) = (Instant::now(), false);
        while buf.remaining() > 0
            && let Some((at, bytes)) = lane.flying.front_mut()
            && *at <= now
        {
            let part = bytes.split_to(bytes.len().min(buf.remaining()));
            buf.put_slice(&part);
            read = true;
            if !bytes.has_remaining() {
                lane.flying.pop_front();
            }
            lane.bytes -= part.len();
        }
        if read {
            lane.writer.take().into_iter().for_each(Waker::wake);
            return Poll::Ready(Ok(()));
        }
        let next = match (lane.flying.front(), lane.end) {
            (Some((at, _)), _) => *at,
            (None, Some((at, Closing::End))) if at <= now => return Poll::Ready(Ok(())),
            (None, Some((at, Closing::End))) => at,
            (None, _) => return Poll::Pending,
        };
        drop(lane);
        match this.wait_until(next, cx) {
            Poll::Ready(()) => {
                // Timers are no finer than a millisecond.
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let (me, peer) = this.places();
        let wire = this.wire.clone();
        // The other side's end shows in what comes from it.
        let back = lock(&wire.lanes[1 - this.side]).end;
        let mut lane = lock(&wire.lanes[this.side]);
        match (lane.end, back) {
            (Some((_, Closing::Reset)), _) | (_, Some((_, Closing::Reset))) => {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            (Some(_), _) => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            (None, Some((at, Closing::End))) if at <= Instant::now() && this.network.passes(peer, me) => {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            _ => {}
        }
        if lane.bytes >= WINDOW {
            lane.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let at = this.network.arrival(me, peer, lane.last);
        lane.last = at;
        lane.bytes += bytes.len();
        lane.flying.push_back((at, Bytes::copy_from_slice(bytes)));
        lane.reader.take().into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut lane = lock(&self.wire.lanes[self.side]);
        let at = lane.last;
        lane.close(at, Closing::End);
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let (me, peer) = self.places();
        let mut lane = lock(&self.wire.lanes[self.side]);
        let at = self.network.arrival(me, peer, lane.last);
        lane.close(at, Closing::End);
        drop(lane);
        // Whoever waits for room waits in vain.
        lock(&self.wire.lanes[1 - self.side]).wake();
    }
}
