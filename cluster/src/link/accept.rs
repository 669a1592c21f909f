//! The accepting side: whoever cannot prove who it is, is refused, counted, and logged once a minute.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::connection::{self, Begun};
use super::dial::GREETING_BYTES_MAX;
use super::machine::{self, Own};
use super::stream::Stream;
use super::{Event, Ground, LinkError, Remote};
use crate::simulation::Ether;
use crate::wire::{Control, Hello, Refusal, Welcome};

/// Accepts as long as the task lives; its connections end with it.
pub(crate) async fn listen(ground: Arc<Ground>, listener: Arc<TcpListener>) {
    let greetings = Arc::new(Semaphore::new(ground.limits.greetings_max));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let (tcp, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: the connection waits in the backlog meanwhile.
                if let Some(times) = ground.quiet.due("accept") {
                    tracing::warn!(times, %error, "cannot accept a link");
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        match greetings.clone().try_acquire_owned() {
            Ok(permit) => drop(connections.spawn_local(serve_tcp(ground.clone(), tcp, from, permit))),
            Err(_) => ground.refused("busy", from, &"too many greetings at once"),
        }
    }
}

/// The same in a simulation.
pub(crate) async fn listen_to(ground: Arc<Ground>, ether: Arc<dyn Ether>) {
    let greetings = Arc::new(Semaphore::new(ground.limits.greetings_max));
    let mut connections = JoinSet::new();
    loop {
        let pipe = tokio::select! {
            biased;
            pipe = ether.accept() => pipe,
            Some(_) = connections.join_next() => continue,
        };
        let Ok(permit) = greetings.clone().try_acquire_owned() else { continue };
        let (ground, from) = (ground.clone(), ether.address());
        connections.spawn_local(async move {
            let greeting = timeout(ground.limits.greeting_time_max, greet(&ground, Stream::Simulated(pipe)));
            let greeted = greeting.await.unwrap_or(Err(LinkError::Timeout));
            serve(&ground, greeted, from, permit).await;
        });
    }
}

async fn serve_tcp(ground: Arc<Ground>, tcp: TcpStream, from: SocketAddr, permit: OwnedSemaphorePermit) {
    let greeting = async { greet(&ground, Stream::accept(&ground, tcp).await?).await };
    let greeting = timeout(ground.limits.greeting_time_max, greeting).await;
    let greeted = greeting.unwrap_or(Err(LinkError::Timeout));
    serve(&ground, greeted, from, permit).await;
}

async fn serve(
    ground: &Ground,
    greeted: Result<Option<Greeted>, LinkError>,
    from: SocketAddr,
    permit: OwnedSemaphorePermit,
) {
    // Who it is is known, or it is sent away.
    drop(permit);
    let Greeted { mut words, hello, remote, version } = match greeted {
        Ok(Some(greeted)) => greeted,
        Ok(None) | Err(LinkError::Late | LinkError::Refusing(Refusal::Turn | Refusal::Stranger)) => return,
        Err(error) => return ground.refused(error.label(), from, &error),
    };
    // An older link of the same pair is dead, even if this side did not notice. It must have ended before the number of
    // received messages is told, or messages would come twice.
    remote.reset();
    let turn = timeout(ground.limits.greeting_time_max, remote.turn.clone().lock_owned());
    let Ok(turn) = turn.await else { return };
    let reset = remote.reset.notified();
    let welcoming = async {
        let welcome = Control::Welcome(Welcome {
            version,
            received: remote.received.load(Ordering::Relaxed),
            epoch: ground.epoch.load(Ordering::Relaxed),
        });
        let mut awaiting = ground.awaited.expect(&hello.node);
        let ask = Control::Lane { key: awaiting.key };
        connection::write_control(&mut words.stream, &[welcome, ask]).await?;
        (&mut awaiting.lane).await.map_err(|_| LinkError::Late)
    };
    let lane = tokio::select! {
        biased;
        () = reset => Err(LinkError::Reset),
        lane = timeout(ground.limits.greeting_time_max, welcoming) => lane.unwrap_or(Err(LinkError::Timeout)),
    };
    match lane {
        Ok(lane) => {
            ground.tell(Event::Epoch(hello.epoch));
            connection::run(ground, &remote, words, lane, hello.received, turn).await;
        }
        Err(error) => tracing::debug!(peer = %hello.node, %error, "no lane came after the welcome"),
    }
}

/// A node that may link.
struct Greeted {
    words: Begun,
    hello: Hello,
    remote: Arc<Remote>,
    version: u16,
}

/// Hears who it is. None: it is the lane of a link that was greeted before, and goes to that.
async fn greet(ground: &Ground, stream: Stream) -> Result<Option<Greeted>, LinkError> {
    let mut words = Begun { stream, buffer: BytesMut::new() };
    let hello = match connection::read_control(&mut words, GREETING_BYTES_MAX).await? {
        Control::Hello(hello) => hello,
        Control::Lane { key } => return ground.awaited.came(key, words).map(|()| None),
        _ => return Err(LinkError::Turn),
    };
    let remote = ground.remotes.load().get(&hello.incarnation).filter(|r| r.who.node == hello.node).cloned();
    let own = Own { me: &ground.me, cluster: &ground.cluster };
    let named = words.stream.is_with(&hello.node);
    let judged = machine::judge(&own, &hello, named, |_| remote.is_some());
    match (judged, remote) {
        (Ok(version), Some(remote)) => Ok(Some(Greeted { words, hello, remote, version })),
        (Err(refusal), remote) => {
            notice(ground, &hello, refusal, remote.as_deref());
            connection::write_control(&mut words.stream, &[Control::Refuse(refusal)]).await?;
            Err(LinkError::Refusing(refusal))
        }
        (Ok(_), None) => Err(LinkError::Refusing(Refusal::Stranger)),
    }
}

/// Even a refused hello of a proven node says something.
fn notice(ground: &Ground, hello: &Hello, refusal: Refusal, remote: Option<&Remote>) {
    match refusal {
        Refusal::Stranger => ground.tell(Event::Stranger),
        Refusal::Turn => {
            ground.tell(Event::Epoch(hello.epoch));
            if let Some(remote) = remote {
                remote.hurry.notify_one();
            }
        }
        Refusal::Version | Refusal::Cluster | Refusal::Name | Refusal::Incarnation => {}
    }
}
