//! The link address that others see of one node: accepts, finds out who dials, and passes bytes as far as the wires let them.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Ends, Pids, State, dialer, passage};

/// Bytes that are under way at once: what a slow wire carries in one delay.
const CHUNK_BYTES: usize = 64 * 1024;
const REBIND: Duration = Duration::from_millis(20);

pub(super) struct Front {
    pub(super) node: usize,
    pub(super) ends: Ends,
    pub(super) pids: Pids,
}

impl Front {
    /// Serves for as long as the wires stand.
    pub(super) async fn serve(self, mut state: watch::Receiver<State>) {
        let mut connections = JoinSet::new();
        loop {
            if state.wait_for(|state| state.listening[self.node]).await.is_err() {
                return;
            }
            // Its address may be in use for a moment by a connection that has just ended.
            let Ok(listener) = TcpListener::bind(self.ends.link_shown).await else {
                tokio::time::sleep(REBIND).await;
                continue;
            };
            loop {
                let mut ended = state.clone();
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    Some(_) = connections.join_next() => continue,
                    _ = ended.wait_for(|state| !state.listening[self.node]) => break,
                };
                let Ok((near, from)) = accepted else { continue };
                let pids = self.pids.lock().expect("nobody panics with it").clone();
                let (node, ends, state) = (self.node, self.ends, state.clone());
                connections.spawn(async move {
                    // On a machine with very many connections this takes its time, and others must not wait for it.
                    let found = tokio::task::spawn_blocking(move || dialer::find(from, &pids));
                    if let Ok(Some(dialer)) = found.await {
                        join(near, dialer, node, ends, state).await;
                    }
                });
            }
        }
    }
}

/// One connection from the node that dialed to the one that was dialed.
async fn join(near: TcpStream, dialer: usize, dialed: usize, ends: Ends, mut state: watch::Receiver<State>) {
    if passage(&mut state, dialer, dialed).await.is_none() {
        return;
    }
    let Ok(far) = TcpStream::connect(ends.link).await else { return };
    if near.set_nodelay(true).is_err() || far.set_nodelay(true).is_err() {
        return;
    }
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    // One direction that is over ends both, as the end of a process does.
    tokio::select! {
        () = pass(near_in, far_out, dialer, dialed, state.clone()) => {}
        () = pass(far_in, near_out, dialed, dialer, state) => {}
    }
}

async fn pass(
    mut input: OwnedReadHalf,
    mut output: OwnedWriteHalf,
    from: usize,
    to: usize,
    mut state: watch::Receiver<State>,
) {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let Ok(length @ 1..) = input.read(&mut chunk).await else {
            // The end of a connection does not pass a black hole either.
            passage(&mut state, from, to).await;
            return;
        };
        let Some(late) = passage(&mut state, from, to).await else { return };
        if !late.is_zero() {
            tokio::time::sleep(late).await;
        }
        if output.write_all(&chunk[..length]).await.is_err() {
            return;
        }
    }
}
