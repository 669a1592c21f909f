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

use super::connection;
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
    greeted: Result<Greeted, LinkError>,
    from: SocketAddr,
    permit: OwnedSemaphorePermit,
) {
    let (mut stream, buffer, hello, remote, version) = match greeted {
        Ok(greeted) => greeted,
        Err(LinkError::Refusing(Refusal::Turn | Refusal::Stranger)) => return,
        Err(error) => return ground.refused(error.label(), from, &error),
    };
    // An older connection of the same pair is dead, even if this side did not notice. It must have ended before the
    // number of received messages is told, or messages would come twice.
    remote.reset();
    let Ok(_turn) = timeout(ground.limits.greeting_time_max, remote.turn.lock()).await else { return };
    drop(permit);
    let welcome = Welcome {
        version,
        received: remote.received.load(Ordering::Relaxed),
        epoch: ground.epoch.load(Ordering::Relaxed),
    };
    let welcome = Control::Welcome(welcome);
    let welcomed = connection::write_control(&mut stream, &welcome);
    match timeout(ground.limits.greeting_time_max, welcomed).await {
        Ok(Ok(())) => {
            ground.tell(Event::Epoch(hello.epoch));
            connection::run(ground, &remote, stream, buffer, hello.received).await;
        }
        Ok(Err(error)) => tracing::debug!(peer = %hello.node, %error, "the welcome was not heard"),
        Err(_) => tracing::debug!(peer = %hello.node, "the welcome was not heard in time"),
    }
}

type Greeted = (Stream, BytesMut, Hello, Arc<Remote>, u16);

async fn greet(ground: &Ground, mut stream: Stream) -> Result<Greeted, LinkError> {
    let mut buffer = BytesMut::new();
    let Control::Hello(hello) =
        connection::read_control(&mut stream, &mut buffer, GREETING_BYTES_MAX).await?
    else {
        return Err(LinkError::Turn);
    };
    let remote = ground.remotes.load().get(&hello.incarnation).filter(|r| r.who.node == hello.node).cloned();
    let own = Own { me: &ground.me, cluster: &ground.cluster };
    let named = stream.is_with(&hello.node);
    let judged = machine::judge(&own, &hello, named, |_| remote.is_some());
    match (judged, remote) {
        (Ok(version), Some(remote)) => Ok((stream, buffer, hello, remote, version)),
        (Err(refusal), remote) => {
            notice(ground, &hello, refusal, remote.as_deref());
            connection::write_control(&mut stream, &Control::Refuse(refusal)).await?;
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
