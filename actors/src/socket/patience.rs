//! How long a client may say nothing, and how long it may take to log in. What takes long because this server is behind is
//! not held against it.

use actix::{AsyncContext, Context};
use muster_proto::stream::{Input, Timeout};

use super::Socket;

/// Stanzas of one client that may be on their way to its session; then it is not read until some were handled.
const WINDOW: u64 = 64;
/// Who waits for this server when its time to log in is over has so many times as long: who is sent away and comes anew
/// waits in line from its end.
const WAITING_TIMES: u32 = 4;

impl Socket {
    /// Ends the connection if its client does not come to a session in time.
    pub(super) fn expect_log_in(&mut self, ctx: &mut Context<Self>) {
        let most = self.world.options.limits.login_time();
        self.log_in_timer = ctx.run_later(most, move |socket, ctx| {
            match socket.stream.account().is_some() || socket.stream.is_at_work() || socket.has_unread() {
                false => socket.log_in_is_late(ctx),
                true => {
                    let more = most * (WAITING_TIMES - 1);
                    socket.log_in_timer = ctx.run_later(more, Self::log_in_is_late);
                }
            }
        });
    }

    fn log_in_is_late(&mut self, ctx: &mut Context<Self>) {
        self.feed(Input::Timeout(Timeout::Login), ctx);
    }

    /// Whether nothing came since this was last asked. What came and waits to be read is no silence, nor is what OpenSSL may hold
    /// while its session is behind.
    pub(super) fn is_silent(&mut self) -> bool {
        !std::mem::take(&mut self.heard) && !self.has_unread() && !self.is_far_behind()
    }

    fn has_unread(&self) -> bool {
        let is_readable = |waker| self.io.is_readable(&mut std::task::Context::from_waker(waker));
        self.waker.as_ref().is_some_and(is_readable)
    }

    /// Whether its session has so much to handle that nothing more is read.
    pub(super) fn is_far_behind(&self) -> bool {
        self.said - self.handled >= WINDOW
    }
}
