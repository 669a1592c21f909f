//! A client is given up when it says nothing, not when this server is behind.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use actix::Context;
use actix::dev::ContextFut;
use muster_proto::feature::Features;
use muster_proto::machine::{SocketId, ToSocket};
use muster_proto::options::Limits;
use muster_proto::session::Session;
use muster_proto::stanza::{MessageType, Stanza};
use muster_proto::stream::StreamCondition;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Socket;
use crate::gate::{Entry, Want};
use crate::owned::Owner;
use crate::sockets::SocketCall;
use crate::world::World;
use crate::{pace, stage};

/// How long a client waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(10);

async fn world(limits: Limits) -> Arc<World> {
    stage::world(Features::new(vec![]), limits).await
}

/// Somebody who says nothing yet.
fn stranger(world: &Arc<World>) -> TcpStream {
    let (_, client) = stage::connection(world);
    client.set_nonblocking(true).unwrap();
    TcpStream::from_std(client).unwrap()
}

/// A client that has asked for a session.
async fn newcomer(world: &Arc<World>) -> TcpStream {
    let mut client = stranger(world);
    client.write_all(words().as_bytes()).await.unwrap();
    client
}

/// All that a client says to come to a session.
fn words() -> String {
    let header = "<stream:stream to='capulet.lit' version='1.0' xmlns='jabber:client' \
                  xmlns:stream='http://etherx.jabber.org/streams'>";
    let auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AHJvbWVvAHIwbTMw</auth>";
    let bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>orchard</resource></bind>";
    format!("{header}{auth}{header}<iq type='set' id='b'>{bind}</iq>")
}

/// A client that says all that and leaves at once.
async fn hurried(world: &Arc<World>) {
    let (_, mut client) = stage::connection(world);
    client.write_all(words().as_bytes()).unwrap();
    drop(client);
    let others = world.sockets.count() - 1;
    let gone = async {
        while world.sockets.count() > others {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.expect("its connection is given up");
}

/// A client that has a session.
async fn client(world: &Arc<World>) -> TcpStream {
    let mut client = newcomer(world).await;
    hears(&mut client, "<jid>").await;
    client
}

/// Reads until this comes; all that came.
async fn hears(client: &mut TcpStream, what: &str) -> String {
    let mut all = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&all).contains(what) {
            assert!(client.read_buf(&mut all).await.unwrap() > 0, "the connection stands");
        }
    };
    timeout(PATIENCE, read).await.unwrap_or_else(|_| panic!("{what} comes"));
    String::from_utf8(all).unwrap()
}

/// All sockets look after their clients, and are done with it.
async fn look(world: &Arc<World>) {
    world.sockets.tell_all(|| SocketCall::Look);
    for floor in &world.floors {
        floor.turn().await;
    }
}

#[test]
fn who_says_nothing_is_asked_and_given_up() {
    actix::System::new().block_on(async {
        let world = world(Limits::default()).await;
        let mut client = client(&world).await;
        for _ in 0..3 {
            look(&world).await;
        }
        assert!(hears(&mut client, "</stream:stream>").await.contains("<connection-timeout"));
    });
}

#[test]
fn who_was_not_read_is_not_given_up() {
    let on_a_thread_of_its_own = std::thread::spawn(|| {
        actix::System::new().block_on(async {
            let world = world(Limits::default()).await;
            let mut client = client(&world).await;
            pace::stop();
            client.write_all(b"<iq type='result' id='pong'/>").await.unwrap();
            let waits = async {
                while pace::waiting() == 0 {
                    tokio::task::yield_now().await;
                }
            };
            timeout(PATIENCE, waits).await.expect("it came and is not read");
            for _ in 0..8 {
                look(&world).await;
            }
            let unread = timeout(Duration::from_millis(50), client.read_u8()).await;
            assert!(unread.is_err(), "it is neither asked nor sent away: {unread:?}");
        })
    });
    on_a_thread_of_its_own.join().unwrap();
}

#[test]
fn who_waits_to_be_let_in_has_longer_than_who_does_nothing() {
    actix::System::new().block_on(async {
        let world = world(Limits { login_seconds_max: 1, ..Limits::default() }).await;
        let inside = || match world.gate.enter(Want::LogIn) {
            Entry::Now(pass) => Some(pass),
            Entry::Later(_) | Entry::Full => None,
        };
        let all: Vec<_> = std::iter::from_fn(inside).collect();
        let mut newcomer = newcomer(&world).await;
        hears(&mut newcomer, "</stream:features>").await;
        let mut stranger = stranger(&world);
        hears(&mut stranger, "<connection-timeout").await;
        drop(all);
        hears(&mut newcomer, "<jid>").await;
    });
}

#[test]
fn who_has_left_takes_nobodys_place() {
    actix::System::new().block_on(async {
        let world = world(Limits::default()).await;
        let mut client = client(&world).await;
        hurried(&world).await;
        client.write_all(b"<iq type='get' id='here'><ping xmlns='urn:xmpp:ping'/></iq>").await.unwrap();
        let all = hears(&mut client, "id='here'").await;
        assert!(!all.contains("<conflict"), "{all}");
    });
}

#[test]
fn who_is_asked_for_what_only_the_client_has_lets_it_resume() {
    actix::System::new().block_on(async {
        let world = world(Limits::default()).await;
        let mut client = client(&world).await;
        world.sockets.tell(&world, SocketId { node: 7, number: 1 }, ToSocket::Repeat(1));
        assert!(hears(&mut client, "</stream:stream>").await.contains("<resource-constraint"));
    });
}

/// RFC 6120 §4.4.
#[test]
fn nothing_follows_the_end_of_a_stream() {
    actix::System::new().block_on(async {
        let world = world(Limits::default()).await;
        let mut client = client(&world).await;
        let socket = SocketId { node: 7, number: 1 };
        world.sockets.end_some(1, &StreamCondition::SystemShutdown.into());
        for late in [ToSocket::Stanza(Stanza::message(MessageType::Chat)), ToSocket::Ack(1)] {
            world.sockets.tell(&world, socket, late);
        }
        let mut all = String::new();
        timeout(PATIENCE, client.read_to_string(&mut all)).await.expect("it is closed").unwrap();
        assert!(all.contains("<system-shutdown") && all.ends_with("</stream:stream>"), "{all}");
    });
}

#[test]
fn what_a_connection_and_a_session_keep_does_not_grow_unnoticed() {
    // With what tokio adds to a task, the allocator's size of 1,024 bytes.
    assert!(size_of::<ContextFut<Socket, Context<Socket>>>() <= 928);
    assert!(size_of::<ContextFut<Owner<Session>, Context<Owner<Session>>>>() <= 928);
}
