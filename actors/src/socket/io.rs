//! The bytes of a connection: clear or TLS, never both, and nothing held while nothing happens.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use muster_cluster::simulation::Pipe;
use openssl::ssl::{Ssl, SslContextRef, SslRef};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use super::company::Place;

/// Bytes read at once. One buffer per arbiter, lent to whichever socket is read.
const READ_BYTES: usize = 16 * 1024;
/// The largest buffer for output that is kept for whoever writes next.
const SPARE_BYTES_MAX: usize = 64 * 1024;

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// A connection that was accepted, not yet registered with a runtime.
pub enum Wire {
    /// TCP.
    Tcp(std::net::TcpStream),
    /// A simulation's.
    Simulated(Box<dyn Pipe>),
}

/// A connection.
pub enum Io {
    /// Accepted.
    New(Wire),
    /// TCP.
    Clear(TcpStream),
    /// TLS over TCP, after or before its handshake.
    Tls(Box<SslStream<TcpStream>>),
    /// A simulation's.
    Simulated(Box<dyn Pipe>),
    /// Being replaced.
    Taken,
}

impl Io {
    /// Registers a connection with the runtime.
    ///
    /// # Errors
    /// The system does not let us.
    pub fn open(&mut self) -> io::Result<()> {
        let Self::New(wire) = std::mem::replace(self, Self::Taken) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        *self = match wire {
            Wire::Tcp(tcp) => {
                tcp.set_nonblocking(true)?;
                let tcp = TcpStream::from_std(tcp)?;
                tcp.set_nodelay(true)?;
                Self::Clear(tcp)
            }
            Wire::Simulated(pipe) => Self::Simulated(pipe),
        };
        Ok(())
    }

    /// Turns a clear connection into the server's side of TLS.
    ///
    /// # Errors
    /// OpenSSL is out of memory, or the connection is not clear.
    pub fn secure(&mut self, context: &SslContextRef) -> io::Result<()> {
        let Self::Clear(tcp) = std::mem::replace(self, Self::Taken) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let stream = SslStream::new(Ssl::new(context)?, tcp)?;
        *self = Self::Tls(Box::new(stream));
        Ok(())
    }

    /// Whether the network has brought something that was not read.
    pub fn is_readable(&self, cx: &mut Context<'_>) -> bool {
        match self {
            Self::Clear(tcp) => tcp.poll_read_ready(cx).is_ready(),
            Self::Tls(stream) => stream.get_ref().poll_read_ready(cx).is_ready(),
            Self::New(_) | Self::Simulated(_) | Self::Taken => false,
        }
    }

    /// Whether the client has closed its side, though what it said before may not be read yet.
    pub fn is_closed_there(&self) -> bool {
        match self {
            Self::Clear(tcp) => is_read_closed(tcp),
            Self::Tls(stream) => is_read_closed(stream.get_ref()),
            Self::Simulated(pipe) => pipe.is_closed_there(),
            Self::New(_) | Self::Taken => false,
        }
    }

    /// Goes on with the handshake.
    pub fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), openssl::ssl::Error>> {
        match self {
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_accept(cx),
            Self::New(_) | Self::Clear(_) | Self::Simulated(_) | Self::Taken => Poll::Ready(Ok(())),
        }
    }

    /// The TLS session, if there is one.
    pub fn ssl(&self) -> Option<&SslRef> {
        match self {
            Self::Tls(stream) => Some(stream.ssl()),
            Self::New(_) | Self::Clear(_) | Self::Simulated(_) | Self::Taken => None,
        }
    }

    /// Reads what is there and hands it to `take`. `Ok(0)` is the end.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, take: impl FnOnce(&[u8])) -> Poll<io::Result<usize>> {
        BUFFER.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            ready!(match self {
                Self::Clear(tcp) => Pin::new(tcp).poll_read(cx, &mut buffer),
                Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, &mut buffer),
                Self::Simulated(pipe) => Pin::new(pipe).poll_read(cx, &mut buffer),
                Self::New(_) | Self::Taken => Poll::Ready(Ok(())),
            })?;
            if !buffer.filled().is_empty() {
                take(buffer.filled());
            }
            Poll::Ready(Ok(buffer.filled().len()))
        })
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Clear(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, bytes),
            Self::Simulated(pipe) => Pin::new(pipe).poll_write(cx, bytes),
            Self::New(_) | Self::Taken => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Ends the sending side, in order.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Clear(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
            Self::Simulated(pipe) => Pin::new(pipe).poll_shutdown(cx),
            Self::New(_) | Self::Taken => Poll::Ready(Ok(())),
        }
    }
}

fn is_read_closed(tcp: &TcpStream) -> bool {
    let known = pin!(tcp.ready(Interest::READABLE)).poll(&mut Context::from_waker(Waker::noop()));
    matches!(known, Poll::Ready(Ok(ready)) if ready.is_read_closed())
}

/// Output that waits for the client to read. Its buffer is lent by the arbiter, too: one that is read holds none.
#[derive(Default)]
pub struct Unsent {
    bytes: Vec<u8>,
    sent: usize,
    place: Place,
}

impl Unsent {
    /// Where to append.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        self.place.leave();
        self.room()
    }

    /// Where to append what may wait a moment for something to leave with.
    pub fn answer(&mut self) -> &mut Vec<u8> {
        if self.len() == 0 {
            self.place = Place::WANTED;
        }
        self.room()
    }

    fn room(&mut self) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes = SPARE.take();
        }
        &mut self.bytes
    }

    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Writes as much as the connection takes.
    pub fn poll_flush(&mut self, io: &mut Io, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.len() > 0 && !self.place.has_waited(cx.waker()) {
            return Poll::Pending;
        }
        while self.sent < self.bytes.len() {
            let written = ready!(io.poll_write(cx, &self.bytes[self.sent..]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += written;
        }
        let Self { mut bytes, .. } = std::mem::take(self);
        bytes.clear();
        if (1..=SPARE_BYTES_MAX).contains(&bytes.capacity()) {
            SPARE.set(bytes);
        }
        Poll::Ready(Ok(()))
    }
}
