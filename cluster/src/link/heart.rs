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
/// A lane on which nothing comes over for so long, though the peer is heard, is made anew with its link.
const STUCK_TIME_MAX: Duration = Duration::from_secs(10);

/// Beats as long as the task lives, whenever the clock is at a multiple: nodes that share a machine beat together, and each
/// is woken once for all of them.
pub(crate) async fn beat(ground: Arc<Ground>) {
    loop {
        let every = if are_many(&ground) { BEAT_OF_MANY } else { BEAT };
        tokio::time::sleep(Duration::from_micros(every - now(&ground) % every)).await;
        for remote in ground.remotes.load_full().values() {
            answer(&ground, remote);
            ping(&ground, remote);
            if remote.outbox.is_stuck(remote.is_up(), ground.now(), STUCK_TIME_MAX) {
                tracing::warn!(peer = %remote.who.node, "its messages do not come over: the link is made anew");
                remote.reset();
            }
        }
    }
}

/// Begins with a peer whose link stands.
pub(super) fn begin(ground: &Ground, remote: &Remote) {
    remote.owed.store(0, Ordering::Relaxed);
    ping(ground, remote);
}

/// Answers a ping at once, or with the next beat if there are many.
pub(super) fn heed(ground: &Ground, remote: &Remote, sent: u64) {
    if remote.silenced.load(Ordering::Relaxed) {
        return;
    }
    remote.owed.store(now(ground).wrapping_sub(sent).max(1), Ordering::Relaxed);
    if !are_many(ground) {
        answer(ground, remote);
    }
}

fn ping(ground: &Ground, remote: &Remote) {
    remote.say(&Control::Ping { sent: now(ground), received: remote.received.load(Ordering::Relaxed) });
}

/// The time that an answer was held is added to when the ping was sent: its sender cannot have sent it later for the
/// answer to be given now, and neither the round trip nor the lease lose by it.
fn answer(ground: &Ground, remote: &Remote) {
    let behind = remote.owed.swap(0, Ordering::Relaxed);
    if behind != 0 && !remote.silenced.load(Ordering::Relaxed) {
        let sent = now(ground).wrapping_sub(behind);
        remote.say(&Control::Pong { sent, received: remote.received.load(Ordering::Relaxed) });
    }
}

fn now(ground: &Ground) -> u64 {
    ground.now().as_micros() as u64
}

fn are_many(ground: &Ground) -> bool {
    ground.remotes.load().len() > PEERS_MANY
}
