//! The bytes of a link: TLS over TCP, or what a simulation gives.

use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use super::{Ground, LinkError};
use crate::simulation::Pipe;
use crate::{NodeId, tls};

/// A connection with a peer.
pub(super) enum Stream {
    Tls(SslStream<TcpStream>),
    Simulated(Box<dyn Pipe>),
}

impl Stream {
    /// The dialling side of TLS.
    pub(super) async fn connect(ground: &Ground, tcp: TcpStream) -> Result<Stream, LinkError> {
        let mut stream = Stream::over(ground, tcp)?;
        Pin::new(&mut stream).connect().await.map_err(|e| LinkError::Tls(e.to_string()))?;
        Ok(Stream::Tls(stream))
    }

    /// The accepting side.
    pub(super) async fn accept(ground: &Ground, tcp: TcpStream) -> Result<Stream, LinkError> {
        let mut stream = Stream::over(ground, tcp)?;
        Pin::new(&mut stream).accept().await.map_err(|e| LinkError::Tls(e.to_string()))?;
        Ok(Stream::Tls(stream))
    }

    fn over(ground: &Ground, tcp: TcpStream) -> Result<SslStream<TcpStream>, LinkError> {
        tcp.set_nodelay(true)?;
        SslStream::new(ground.session()?, tcp).map_err(|e| LinkError::Tls(e.to_string()))
    }

    /// Moves to the thread on which this is called: from now on its runtime wakes who reads and writes.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        if let Stream::Tls(stream) = self {
            let same = stream.get_ref().as_fd().try_clone_to_owned()?;
            *stream.get_mut() = TcpStream::from_std(same.into())?;
        }
        Ok(())
    }

    /// Whether the peer has proved that it is this node.
    pub(super) fn is_with(&self, node: &NodeId) -> bool {
        match self {
            Stream::Tls(stream) => tls::peer_is(stream.ssl(), node),
            Stream::Simulated(_) => true,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Simulated(pipe) => Pin::new(pipe).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Simulated(pipe) => Pin::new(pipe).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Simulated(pipe) => Pin::new(pipe).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Simulated(pipe) => Pin::new(pipe).poll_shutdown(cx),
        }
    }
}
