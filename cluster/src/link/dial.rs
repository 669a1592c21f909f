//! Keeps the link with one incarnation: the node with the lower name dials. The other one knocks when the link is
//! missing, which tells the first to dial, and itself whether anybody is there.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::connection::{self, Begun};
use super::stream::Stream;
use super::{Event, Ground, LinkError, Remote, machine};
use crate::simulation::{self, Pipe};
use crate::wire::{Control, Hello, Refusal, VERSION_MAX, VERSION_MIN, Welcome};

/// How long a connection may take to open.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(2);
/// The first pause after an attempt that failed; doubled each time.
const PAUSE_MIN: Duration = Duration::from_millis(40);
/// The longest.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How long one that does not know this node yet is given to hear of it, at least.
const STRANGER_PAUSE: Duration = Duration::from_millis(160);
/// And one that should dial, before the first knock. An attempt is a handshake: where fifty nodes start together, those that are
/// made in vain would be most of what they do.
const FIRST_KNOCK: Duration = Duration::from_secs(1);
/// Largest answer to a hello, in bytes.
pub(super) const GREETING_BYTES_MAX: usize = 4096;

/// Dials, or knocks, as long as the task lives.
pub(crate) async fn keep(ground: Arc<Ground>, remote: Arc<Remote>) {
    let dials = machine::dials(&ground.me.node, &remote.who.node);
    let mut pause = PAUSE_MIN;
    if !dials {
        let _ = timeout(FIRST_KNOCK, remote.up.subscribe().wait_for(|up| *up)).await;
    }
    loop {
        if !dials {
            let mut up = remote.up.subscribe();
            // The sender lives in the remote, which this task holds.
            let _ = up.wait_for(|up| !up).await;
        }
        match attempt(&ground, &remote, dials).await {
            Ok(()) => pause = PAUSE_MIN,
            Err(LinkError::Closed | LinkError::Refused(Refusal::Incarnation)) => {
                ground.tell(Event::Gone(remote.who.incarnation));
            }
            Err(LinkError::Refused(Refusal::Turn)) => {}
            Err(LinkError::Refused(Refusal::Stranger)) => {
                ground.tell(Event::Stranger);
                pause = pause.max(STRANGER_PAUSE);
            }
            Err(
                error @ (LinkError::Tls(_) | LinkError::Name | LinkError::Frame(_) | LinkError::Codec(_)),
            ) => {
                ground.refused(error.label(), remote.address, &error);
            }
            Err(error) => tracing::debug!(peer = %remote.who.node, %error, "no link"),
        }
        let jittered = pause.mul_f64(0.5 + simulation::chance() / 2.0);
        tokio::select! {
            biased;
            () = tokio::time::sleep(jittered) => pause = (pause * 2).min(PAUSE_MAX),
            () = remote.hurry.notified() => pause = PAUSE_MIN,
        }
    }
}

/// Makes one link and runs it to its end.
async fn attempt(ground: &Ground, remote: &Arc<Remote>, dials: bool) -> Result<(), LinkError> {
    // A knock must not wait for the link that it asks for.
    let turn = if dials { Some(remote.turn.clone().lock_owned().await) } else { None };
    let opened = open(ground, remote).await?;
    let greeting = timeout(ground.limits.greeting_time_max, greet(ground, remote, opened));
    let (mut words, welcome) = greeting.await.map_err(|_| LinkError::Timeout)??;
    let Some(turn) = turn else { return Err(LinkError::Turn) };
    ground.tell(Event::Epoch(welcome.epoch));
    let lane = timeout(ground.limits.greeting_time_max, open_lane(ground, remote, &mut words));
    let lane = lane.await.map_err(|_| LinkError::Timeout)??;
    connection::run(ground, remote, words, lane, welcome.received, turn).await;
    Ok(())
}

/// A connection on which nothing was said yet.
enum Opened {
    Tcp(TcpStream),
    Simulated(Box<dyn Pipe>),
}

async fn open(ground: &Ground, remote: &Remote) -> Result<Opened, LinkError> {
    let opening = async {
        match &ground.ether {
            None => TcpStream::connect(remote.address).await.map(Opened::Tcp),
            Some(ether) => ether.dial(remote.address).await.map(Opened::Simulated),
        }
    };
    match timeout(CONNECT_TIME_MAX, opening).await {
        Ok(Ok(opened)) => Ok(opened),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => Err(LinkError::Closed),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(LinkError::Timeout),
    }
}

/// Makes sure that it is the right node.
async fn prove(ground: &Ground, remote: &Remote, opened: Opened) -> Result<Begun, LinkError> {
    let stream = match opened {
        Opened::Tcp(tcp) => Stream::connect(ground, tcp).await?,
        Opened::Simulated(pipe) => Stream::Simulated(pipe),
    };
    match stream.is_with(&remote.who.node) {
        true => Ok(Begun { stream, buffer: BytesMut::new() }),
        false => Err(LinkError::Name),
    }
}

/// Opens the lane that the other side asks for.
async fn open_lane(ground: &Ground, remote: &Remote, words: &mut Begun) -> Result<Begun, LinkError> {
    let asked @ Control::Lane { .. } = connection::read_control(words, GREETING_BYTES_MAX).await? else {
        return Err(LinkError::Turn);
    };
    let mut lane = prove(ground, remote, open(ground, remote).await?).await?;
    connection::write_control(&mut lane.stream, &[asked]).await?;
    Ok(lane)
}

async fn greet(ground: &Ground, remote: &Remote, opened: Opened) -> Result<(Begun, Welcome), LinkError> {
    let mut words = prove(ground, remote, opened).await?;
    let hello = Hello {
        version_min: VERSION_MIN,
        version_max: VERSION_MAX,
        cluster: ground.cluster.clone(),
        node: ground.me.node.clone(),
        incarnation: ground.me.incarnation,
        expects: remote.who.incarnation,
        received: remote.received.load(Ordering::Relaxed),
        epoch: ground.epoch.load(Ordering::Relaxed),
    };
    connection::write_control(&mut words.stream, &[Control::Hello(hello)]).await?;
    match connection::read_control(&mut words, GREETING_BYTES_MAX).await? {
        Control::Welcome(welcome) => {
            machine::welcome(&welcome).map_err(LinkError::Refusing)?;
            Ok((words, welcome))
        }
        Control::Refuse(refusal) => Err(LinkError::Refused(refusal)),
        _ => Err(LinkError::Turn),
    }
}
