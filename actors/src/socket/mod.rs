//! The actor of one connection: moves bytes between the network and its [`Stream`], and owns nothing.

mod company;
mod effects;
mod facts;
mod io;
mod patience;
mod said;

use std::net::IpAddr;
use std::num::NonZeroU64;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFuture, AsyncContext, Context, Handler, SpawnHandle};
use jid::FullJid;
use muster_cluster::Slot;
use muster_proto::machine::{SocketId, ToSocket};
use muster_proto::session::{Input as SessionInput, Session};
use muster_proto::stanza::Stanza;
use muster_proto::stream::{Channel, Ending, Input, Stream, StreamError, Timeout, Wrote};

use crate::doorman;
use crate::gate::Pass;
use crate::keys;
use crate::listener::{ClientListener, ListenerTls};
use crate::mail::{Later, Letter, later};
use crate::owned::Call;
use crate::pace::{self, Number};
use crate::receipt::Via;
use crate::sockets::SocketCall;
use crate::throttle::Admission;
use crate::world::World;
pub use io::Wire;
use io::{Io, Unsent};
use said::Unhandled;

/// Reads in a row before others get their turn.
const READS_MAX: usize = 8;
/// How long after a stanza a managed client is asked what it has: what it has not acknowledged when it leaves comes again.
const ASK_AFTER: Duration = Duration::from_secs(1);
/// How long a closed stream may take to write its last words.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A connection that was accepted.
pub struct Connection {
    /// Its bytes.
    pub wire: Wire,
    /// Where it came in.
    pub listener: Arc<ClientListener>,
    /// From where, and its place among the connections of that address.
    pub admission: Admission,
}

/// The actor.
pub struct Socket {
    world: Arc<World>,
    id: SocketId,
    listener: Arc<ClientListener>,
    io: Io,
    state: State,
    stream: Stream,
    unsent: Unsent,
    /// Of its session, once it has one.
    sid: Option<NonZeroU64>,
    /// A session has been asked for, and not taken back.
    attached: bool,
    /// Bytes that may wait beyond the limit: what a resumed session had to say at once.
    allowance: usize,
    said: u64,
    handled: u64,
    unhandled: Unhandled,
    /// A timer runs that asks the client for an acknowledgement.
    asking: bool,
    heard: bool,
    log_in_timer: SpawnHandle,
    waker: Option<Waker>,
    /// Its number while it waits to read.
    number: Number,
    /// Its place at the gate, while it is being logged in.
    pass: Option<Pass>,
    admission: Admission,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// TLS is being agreed upon.
    Handshake,
    /// Bytes flow.
    Open,
    /// TLS starts when everything before is written.
    Upgrading,
    /// The connection ends when everything is written.
    Ending,
    /// Nothing more.
    Gone,
}

impl Socket {
    /// The actor of a connection.
    pub fn new(world: Arc<World>, id: SocketId, connection: Connection) -> Self {
        let channel = match connection.listener.tls {
            ListenerTls::StartTls => Channel::Clear,
            // Replaced when the handshake is done.
            ListenerTls::Direct | ListenerTls::None => Channel::Plain,
        };
        Self {
            world,
            id,
            listener: connection.listener,
            io: Io::New(connection.wire),
            state: State::Open,
            stream: Stream::new(channel, keys::seed()),
            unsent: Unsent::default(),
            sid: None,
            attached: false,
            allowance: 0,
            said: 0,
            handled: 0,
            unhandled: Unhandled::default(),
            asking: false,
            heard: false,
            log_in_timer: SpawnHandle::default(),
            waker: None,
            number: Number::default(),
            pass: None,
            admission: connection.admission,
        }
    }

    /// From where it comes.
    fn peer(&self) -> IpAddr {
        self.admission.address
    }

    fn open(&mut self) -> std::io::Result<()> {
        self.io.open()?;
        if self.listener.tls == ListenerTls::Direct {
            self.io.secure(&self.listener.context())?;
            self.state = State::Handshake;
        }
        Ok(())
    }

    /// Moves bytes both ways until nothing more can be done now.
    fn drive(&mut self, cx: &mut std::task::Context<'_>, ctx: &mut Context<Self>) {
        for _ in 0..READS_MAX {
            if self.state == State::Handshake && !self.shake_hands(cx, ctx) {
                return;
            }
            match self.unsent.poll_flush(&mut self.io, cx) {
                Poll::Ready(Ok(())) if self.state == State::Upgrading => {
                    self.state = State::Handshake;
                    if self.io.secure(&self.listener.context()).is_err() {
                        return self.gone(ctx);
                    }
                    continue;
                }
                Poll::Ready(Ok(())) if self.state == State::Ending => {
                    let _ = self.io.poll_shutdown(cx);
                    return self.gone(ctx);
                }
                Poll::Ready(Ok(())) | Poll::Pending => {}
                Poll::Ready(Err(_)) => return self.broken(ctx),
            }
            if !self.may_read() || !self.keeps_pace(cx) || !self.read(cx, ctx) {
                return;
            }
        }
        cx.waker().wake_by_ref();
    }

    /// Whether the handshake is done.
    fn shake_hands(&mut self, cx: &mut std::task::Context<'_>, ctx: &mut Context<Self>) -> bool {
        if self.io.is_readable(cx) && !doorman::may_work(self.id.number, cx.waker()) {
            return false;
        }
        match self.io.poll_handshake(cx) {
            Poll::Pending => return false,
            Poll::Ready(Err(error)) => {
                metrics::counter!("muster_tls_failures_total").increment(1);
                tracing::debug!(peer = %self.peer(), %error, "TLS handshake failed");
                self.gone(ctx);
                return false;
            }
            Poll::Ready(Ok(())) => {}
        }
        self.state = State::Open;
        let Some(facts) = self.io.ssl().map(facts::of) else { return true };
        if self.listener.tls == ListenerTls::Direct {
            self.stream = Stream::new(Channel::tls(facts), keys::seed());
        } else {
            self.feed(Input::Encrypted(facts), ctx);
        }
        true
    }

    fn may_read(&self) -> bool {
        self.state == State::Open
            && self.stream.wants_bytes()
            && !self.is_far_behind()
            && self.unsent.len() < self.world.options.limits.unsent_bytes_max / 2
    }

    /// Whether it is its turn to read. Who is being logged in always may, and so may who has nothing to say, or has said it
    /// already to OpenSSL.
    fn keeps_pace(&mut self, cx: &mut std::task::Context<'_>) -> bool {
        self.sid.is_none()
            || !self.io.is_readable(cx)
            || pace::may_read(&mut self.number, &self.world, cx.waker())
    }

    /// Reads once; whether there may be more.
    fn read(&mut self, cx: &mut std::task::Context<'_>, ctx: &mut Context<Self>) -> bool {
        let mut io = std::mem::replace(&mut self.io, Io::Taken);
        let read = io.poll_read(cx, |bytes| {
            self.heard = true;
            company::read();
            self.feed(Input::Bytes(bytes), ctx);
        });
        self.io = io;
        match read {
            Poll::Pending => false,
            Poll::Ready(Ok(0)) => {
                self.feed(Input::PeerClosed, ctx);
                // Ready for what the stream may still say; the next round writes it and ends.
                self.state != State::Gone
            }
            Poll::Ready(Ok(_)) => true,
            Poll::Ready(Err(_)) => {
                self.broken(ctx);
                false
            }
        }
    }

    /// Whether the client is there still. Nothing is read while its stream waits for an answer, so it is not noticed that it left.
    fn is_there(&mut self, ctx: &mut Context<Self>) -> bool {
        let is_there = !self.io.is_closed_there();
        if !is_there {
            self.feed(Input::PeerClosed, ctx);
            self.wake();
        }
        is_there
    }

    fn broken(&mut self, ctx: &mut Context<Self>) {
        self.unsent = Unsent::default();
        self.feed(Input::PeerClosed, ctx);
        self.gone(ctx);
    }

    fn gone(&mut self, ctx: &mut Context<Self>) {
        self.state = State::Gone;
        ctx.stop();
    }

    fn end(&mut self, error: StreamError, ctx: &mut Context<Self>) {
        self.feed(Input::End(error), ctx);
        self.ending(true, ctx);
    }

    fn ending(&mut self, resumable: bool, ctx: &mut Context<Self>) {
        if matches!(self.state, State::Ending | State::Gone) {
            return;
        }
        self.state = State::Ending;
        self.detach(resumable);
        ctx.run_later(LAST_WORDS, |socket, ctx| socket.gone(ctx));
    }

    /// Tells the session that this connection is gone, once.
    fn detach(&mut self, resumable: bool) {
        (self.sid, self.pass) = (None, None);
        if let (true, Some(account)) = (std::mem::take(&mut self.attached), self.stream.account()) {
            let gone = SessionInput::Closed { socket: self.id, resumable };
            self.world.call::<Session>(&account.clone(), Call::Input(gone, Via::default()));
        }
    }

    /// The session has ended this connection, or has no part in it.
    fn forget(&mut self) {
        (self.sid, self.attached, self.pass) = (None, false, None);
    }

    fn open_session(&mut self, sid: u64, jid: &FullJid, how: &'static str, ctx: &mut Context<Self>) {
        (self.sid, self.pass) = (NonZeroU64::new(sid), None);
        self.unhandled.answered();
        ctx.cancel_future(self.log_in_timer);
        let (stream, peer) = (self.stream.id(), self.peer());
        tracing::debug!(jid = %self.world.shown(jid), sid, socket = self.id.number, %stream, %peer, "{how}");
    }

    /// Writes a numbered stanza, and asks for acknowledgements now and then.
    fn write_counted(&mut self, number: u32, stanza: &Stanza, ctx: &mut Context<Self>) {
        match self.stream.write_counted(number, stanza, self.unsent.buffer()) {
            Wrote::Now => self.unhandled.asked_again = false,
            Wrote::Before => return,
            // What is missing comes, and then this again.
            Wrote::NotYet if self.unhandled.asked_again => return,
            Wrote::NotYet => return self.reattach(),
        }
        if self.stream.has_unasked() && !std::mem::replace(&mut self.asking, true) {
            later(ctx, ASK_AFTER, |socket, ctx| {
                socket.asking = false;
                socket.feed(Input::Timeout(Timeout::Ack), ctx);
                socket.wake();
            });
        }
        self.check_unsent(ctx);
    }

    fn told(&mut self, message: ToSocket, ctx: &mut Context<Self>) {
        match message {
            // RFC 6120 §4.4: nothing follows the end of a stream.
            ToSocket::Stanza(_) | ToSocket::Counted(..) | ToSocket::Ack(_) if self.stream.is_closed() => {}
            ToSocket::Stanza(stanza) => {
                tracing::trace!(
                    trace = stanza.trace.0,
                    socket = self.id.number,
                    stream = %self.stream.id(),
                    kind = stanza.kind.name(),
                    "written"
                );
                stanza.write(self.unsent.buffer());
                self.check_unsent(ctx);
            }
            ToSocket::Handled(handled) => {
                self.handled = self.handled.max(handled);
                self.unhandled.handled(handled);
            }
            ToSocket::Repeat(next) => self.repeat(next, ctx),
            ToSocket::AskAgain(holder) => self.ask_again(holder, ctx),
            // Said again by the next owner.
            ToSocket::Bound { .. } | ToSocket::Resumed(_) if self.sid.is_some() => {}
            ToSocket::Bound { sid, jid } => {
                self.open_session(sid, &jid, "bound", ctx);
                self.feed(Input::Bound(jid), ctx);
            }
            ToSocket::Refused(error) => {
                self.forget();
                self.feed(Input::Refused(error), ctx);
            }
            ToSocket::End(error) => {
                self.forget();
                self.end(error, ctx);
            }
            ToSocket::Enabled { id, max } => self.feed(Input::Enabled { id, max }, ctx),
            ToSocket::NotEnabled(condition) => self.feed(Input::NotEnabled(condition), ctx),
            ToSocket::Resumed(how) => {
                metrics::counter!("muster_resumptions_total").increment(1);
                self.open_session(how.sid, &how.jid, "resumed", ctx);
                self.allowance = how.bytes;
                self.feed(Input::Resumed(*how), ctx);
            }
            ToSocket::NotResumed(h) => {
                metrics::counter!("muster_resumption_failures_total").increment(1);
                self.forget();
                self.feed(Input::NotResumed(h), ctx);
            }
            ToSocket::Ack(h) => self.stream.write_handled(h, self.unsent.answer()),
            ToSocket::Counted(number, stanza) => {
                tracing::trace!(
                    trace = stanza.trace.0,
                    socket = self.id.number,
                    stream = %self.stream.id(),
                    kind = stanza.kind.name(),
                    number,
                    "written"
                );
                self.write_counted(number, &stanza, ctx);
            }
            ToSocket::Interrupt(error) => self.end(error, ctx),
        }
    }

    fn check_unsent(&mut self, ctx: &mut Context<Self>) {
        let bytes_max = self.world.options.limits.unsent_bytes_max + self.allowance;
        if self.unsent.len() > bytes_max && self.state != State::Gone {
            metrics::counter!("muster_slow_clients_total").increment(1);
            let jid = self.stream.account().map(|account| self.world.shown(account).to_string());
            tracing::info!(peer = %self.peer(), jid, stream = %self.stream.id(), "a client does not read; its connection is cut");
            self.detach(true);
            self.gone(ctx);
        }
    }

    /// Has the connection driven once more: answers come after it in a turn of the actor, and wrote or allowed to read.
    fn wake(&self) {
        self.waker.as_ref().inspect(|waker| waker.wake_by_ref());
    }

    fn is_lost(&self, slots: &[bool]) -> bool {
        let Some(account) = self.stream.account() else { return false };
        slots.get(usize::from(Slot::of(account.as_str().as_bytes()).0)).copied().unwrap_or_default()
    }
}

impl Actor for Socket {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        if self.open().is_err() {
            return self.gone(ctx);
        }
        self.expect_log_in(ctx);
        ctx.spawn(Drive);
    }
}

impl Drop for Socket {
    /// However it ended: it is struck off, and its session knows.
    fn drop(&mut self) {
        self.world.sockets.closed(self.id.number);
        self.detach(true);
    }
}

impl Handler<Letter<SocketCall>> for Socket {
    type Result = ();

    fn handle(&mut self, letter: Letter<SocketCall>, ctx: &mut Context<Self>) {
        match letter.body {
            SocketCall::Owner(message) => self.told(message, ctx),
            SocketCall::SlotsLost(slots) if self.is_lost(&slots) => self.owner_lost(ctx),
            SocketCall::SlotsLost(_) => {}
            SocketCall::End(error) => self.end(error, ctx),
            SocketCall::Look if self.is_silent() => {
                self.feed(Input::Timeout(Timeout::Idle), ctx);
                self.wake();
            }
            SocketCall::Look => {}
        }
    }
}

impl Handler<Later<Self>> for Socket {
    type Result = ();

    fn handle(&mut self, later: Later<Self>, ctx: &mut Context<Self>) {
        later.run(self, ctx);
    }
}

/// Polled whenever the connection, a letter or a timer wakes the actor, after the letters: so what they wrote goes out
/// in one write.
struct Drive;

impl ActorFuture<Socket> for Drive {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        socket: &mut Socket,
        ctx: &mut Context<Socket>,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<()> {
        if socket.waker.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
            socket.waker = Some(cx.waker().clone());
        }
        socket.drive(cx, ctx);
        if socket.state == State::Gone { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Why a stream ended, for the log.
fn ending_name(ending: &Ending) -> String {
    match ending {
        Ending::Closed => "closed".into(),
        Ending::Lost => "lost".into(),
        Ending::Failed(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
