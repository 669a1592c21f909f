//! The floor: a relay that frames messages and forwards their bytes between paired sockets. It knows no XMPP, so what it
//! costs is the price of sockets alone, with the runtime that Muster has.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::rc::Rc;

use anyhow::bail;
use tokio::io::AsyncReadExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::client::{Frame, Framer};

const READ_BYTES: usize = 16 * 1024;

/// Where the messages for one socket go.
struct Side {
    write: OwnedWriteHalf,
    /// What the socket did not take at once.
    rest: RefCell<Vec<u8>>,
    more: Notify,
}

/// A socket with what has been read of it.
struct Half {
    read: OwnedReadHalf,
    framer: Framer,
    buffer: Vec<u8>,
    side: Rc<Side>,
}

/// Those who came first, by the name of their pair.
type Waiting = Rc<RefCell<HashMap<Vec<u8>, Half>>>;

/// Listens and relays until the process is ended. Runs inside a [`tokio::task::LocalSet`].
///
/// # Errors
/// The address cannot be listened on, or is not on this machine.
pub async fn serve(address: SocketAddr) -> anyhow::Result<()> {
    if !address.ip().is_loopback() {
        bail!("{address} is not a loopback address");
    }
    let listener = TcpListener::bind(address).await?;
    let waiting = Waiting::default();
    loop {
        let (stream, _) = listener.accept().await?;
        let waiting = waiting.clone();
        tokio::task::spawn_local(async move {
            // One that breaks off has nobody to tell.
            let _ = greet(stream, &waiting).await;
        });
    }
}

/// Reads which pair a socket is of; the second of a pair starts the relay.
async fn greet(stream: TcpStream, waiting: &Waiting) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let (read, write) = stream.into_split();
    let side = Rc::new(Side { write, rest: RefCell::default(), more: Notify::new() });
    let mut half = Half { read, framer: Framer::default(), buffer: vec![0; READ_BYTES], side };
    let mut name = None;
    while name.is_none() {
        let length = half.read.read(&mut half.buffer).await?;
        if length == 0 {
            return Ok(());
        }
        half.framer.feed(&half.buffer[..length], |frame| {
            if let Frame::Stanza(pair) = frame {
                name = Some(pair.to_vec());
            }
        });
    }
    let name = name.unwrap_or_default();
    let found = waiting.borrow_mut().remove(&name);
    let Some(first) = found else {
        waiting.borrow_mut().insert(name, half);
        return Ok(());
    };
    let (to_first, to_second) = (first.side.clone(), half.side.clone());
    for (half, to) in [(first, to_second), (half, to_first)] {
        tokio::task::spawn_local(drain(to.clone()));
        to.forward(b"<stream>");
        tokio::task::spawn_local(relay(half, to));
    }
    Ok(())
}

/// Forwards the messages of one socket to the other until one of them ends.
async fn relay(mut half: Half, to: Rc<Side>) {
    while let Ok(length) = half.read.read(&mut half.buffer).await
        && length > 0
    {
        half.framer.feed(&half.buffer[..length], |frame| {
            if let Frame::Stanza(stanza) = frame {
                to.forward(stanza);
            }
        });
    }
}

/// Writes what did not fit, whenever there is some.
async fn drain(side: Rc<Side>) {
    loop {
        side.more.notified().await;
        while !side.rest.borrow().is_empty() {
            if side.write.writable().await.is_err() {
                return;
            }
            let mut rest = side.rest.borrow_mut();
            match side.write.try_write(&rest) {
                Ok(length) => drop(rest.drain(..length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }
}

impl Side {
    fn forward(&self, bytes: &[u8]) {
        let mut rest = self.rest.borrow_mut();
        let written = if rest.is_empty() { self.write.try_write(bytes).unwrap_or_default() } else { 0 };
        if written < bytes.len() {
            rest.extend_from_slice(&bytes[written..]);
            self.more.notify_one();
        }
    }
}
