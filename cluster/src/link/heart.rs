//! The beat of one incarnation: a ping to each peer, and what peers' pings ask for. To many peers everything is said at
//! once and more rarely: pings grow with the square of the nodes, and each frame wakes a process.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Ground, Remote};
use crate::wire::Control;

/// Signs of life are sent this often, in microseconds.
const BEAT: u64 = 250_000;
/// And so often to more peers than these.
const BEAT_OF_MANY: u64 = 500_000;
pub(crate) const PEERS_MANY: usize = 16;
/// Who leaves so many pings in a row unanswered hears nothing. Not of many peers: they may be late.
const UNANSWERED_MAX: u32 = 4;
/// In place of when a ping was sent: it was heard, and the answer promises nothing.
const NO_PROMISE: u64 = 0;
/// A lane on which nothing comes over for so long, though the peer is heard, is made anew with its link.
const STUCK_TIME_MAX: Duration = Duration::from_secs(10);
/// And of so many peers, whose threads may have that much to do before they come to read it.
const STUCK_TIME_MAX_OF_MANY: Duration = Duration::from_secs(60);

/// Beats as long as the task lives, whenever the clock is at a multiple: nodes that share a machine beat together, and each
/// is woken once for all of them.
pub(crate) async fn beat(ground: Arc<Ground>) {
    loop {
        let (every, stuck_time_max) = match are_many(&ground) {
            true => (BEAT_OF_MANY, STUCK_TIME_MAX_OF_MANY),
            false => (BEAT, STUCK_TIME_MAX),
        };
        tokio::time::sleep(Duration::from_micros(every - now(&ground) % every)).await;
        for remote in ground.remotes.load_full().values() {
            answer(&ground, remote);
            ping(&ground, remote);
            if remote.outbox.is_stuck(remote.is_up(), ground.now(), stuck_time_max) {
                tracing::warn!(peer = %remote.who.node, "its messages do not come over: the link is made anew");
                remote.reset();
            }
        }
    }
}

/// Begins with a peer whose link stands.
pub(super) fn begin(ground: &Ground, remote: &Remote) {
    remote.owed.store(0, Ordering::Relaxed);
    remote.unanswered.store(0, Ordering::Relaxed);
    hear(ground, remote);
    ping(ground, remote);
}

/// The peer has said something: a sign of life, if it hears what it is told itself.
pub(super) fn hear(ground: &Ground, remote: &Remote) {
    if !is_deaf(ground, remote) {
        remote.heard.store(now(ground), Ordering::Relaxed);
    }
}

/// Answers a ping at once, or with the next beat if there are many.
pub(super) fn heed(ground: &Ground, remote: &Remote, sent: u64) {
    hear(ground, remote);
    remote.owed.store(now(ground).wrapping_sub(sent).max(1), Ordering::Relaxed);
    if !are_many(ground) {
        answer(ground, remote);
    }
}

/// A ping that was sent then is answered.
pub(super) fn answered(ground: &Ground, remote: &Remote, sent: u64) {
    remote.unanswered.store(0, Ordering::Relaxed);
    hear(ground, remote);
    if sent == NO_PROMISE {
        return;
    }
    let rtt = now(ground).saturating_sub(sent);
    remote.rtt.store(rtt.max(1), Ordering::Relaxed);
    if remote.known.load(Ordering::Relaxed) <= ground.epoch.load(Ordering::Relaxed) {
        remote.answered.fetch_max(sent, Ordering::Relaxed);
    }
}

fn ping(ground: &Ground, remote: &Remote) {
    if remote.is_up() {
        remote.unanswered.fetch_add(1, Ordering::Relaxed);
        remote.say(&Control::Ping { sent: now(ground), received: remote.received.load(Ordering::Relaxed) });
    }
}

/// The time that an answer was held is added to when the ping was sent: its sender cannot have sent it later for the
/// answer to be given now, and neither the round trip nor the lease lose by it.
fn answer(ground: &Ground, remote: &Remote) {
    let behind = remote.owed.swap(0, Ordering::Relaxed);
    if behind == 0 {
        return;
    }
    let promises = !remote.silenced.load(Ordering::Relaxed) && !is_deaf(ground, remote);
    let sent = if promises { now(ground).wrapping_sub(behind) } else { NO_PROMISE };
    remote.say(&Control::Pong { sent, received: remote.received.load(Ordering::Relaxed) });
}

/// Whether the peer leaves pings unanswered. It acts as an owner only while it hears others; it shall be put down as
/// soon as one that says nothing.
fn is_deaf(ground: &Ground, remote: &Remote) -> bool {
    remote.unanswered.load(Ordering::Relaxed) >= UNANSWERED_MAX && !are_many(ground)
}

fn now(ground: &Ground) -> u64 {
    ground.now().as_micros() as u64
}

fn are_many(ground: &Ground) -> bool {
    ground.remotes.load().len() > PEERS_MANY
}
