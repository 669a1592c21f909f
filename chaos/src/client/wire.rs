//! Bytes to and from a server: a non-blocking socket, clear or through TLS.

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;
use openssl::ssl::{
    HandshakeError, MidHandshakeSslStream, SslConnector, SslMethod, SslStream, SslVerifyMode,
};
use openssl::x509::store::X509StoreBuilder;

use super::tickets::{Resuming, Tickets};

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Security {
    /// Not at all.
    Plain,
    /// STARTTLS (RFC 6120 §5).
    Starttls,
    /// TLS from the first byte (XEP-0368), each with a full handshake.
    Direct,
    /// The same, going on with the sessions of earlier connections.
    Tickets,
}

impl Security {
    /// Whether connections are encrypted from the first byte.
    #[must_use]
    pub fn is_direct(self) -> bool {
        matches!(self, Self::Direct | Self::Tickets)
    }
}

/// One end of a connection.
pub(super) enum Wire {
    Clear(TcpStream),
    Handshake(MidHandshakeSslStream<TcpStream>),
    Tls(SslStream<TcpStream>),
    Resuming(Box<Resuming>),
    Gone,
}

/// What one read brought.
pub(super) enum Got {
    Bytes(usize),
    /// Nothing more for now.
    Nothing,
    /// The other side has ended.
    End,
}

/// TLS without a look at certificates: every target is on this machine.
pub(super) fn connector() -> anyhow::Result<SslConnector> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    builder.set_verify(SslVerifyMode::NONE);
    // OpenSSL looks for issuers all the same: the system's folder of them would be read for each connection.
    builder.set_cert_store(X509StoreBuilder::new()?.build());
    Ok(builder.build())
}

/// Begins to connect, from a given address where there is one.
pub(super) fn connect(target: SocketAddr, from: Option<SocketAddr>) -> io::Result<TcpStream> {
    let Some(from) = from else {
        let stream = TcpStream::connect(target)?;
        return Ok(stream);
    };
    use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    bind(&socket, &from)?;
    match connect(&socket, &target) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(TcpStream::from_std(std::net::TcpStream::from(socket)))
}

impl Wire {
    /// Begins TLS on a clear connection, or goes on with the handshake. Returns whether it is done.
    pub(super) fn secure(&mut self, tls: &SslConnector, domain: &str) -> io::Result<bool> {
        let step = match std::mem::replace(self, Self::Gone) {
            Self::Clear(stream) => {
                let mut config = tls.configure()?;
                config.set_verify_hostname(false);
                config.connect(domain, stream)
            }
            Self::Handshake(handshake) => handshake.handshake(),
            Self::Resuming(mut resuming) => {
                let done = resuming.shake_hands();
                *self = Self::Resuming(resuming);
                return done;
            }
            done @ (Self::Tls(_) | Self::Gone) => {
                *self = done;
                return Ok(true);
            }
        };
        match step {
            Ok(stream) => *self = Self::Tls(stream),
            Err(HandshakeError::WouldBlock(handshake)) => *self = Self::Handshake(handshake),
            Err(HandshakeError::SetupFailure(error)) => return Err(error.into()),
            Err(HandshakeError::Failure(handshake)) => {
                return Err(io::Error::other(handshake.error().to_string()));
            }
        }
        Ok(matches!(self, Self::Tls(_)))
    }

    /// Begins TLS with a ticket, if there is one, on a clear connection.
    pub(super) fn resume(&mut self, tickets: &Tickets, domain: &str) -> io::Result<bool> {
        match std::mem::replace(self, Self::Gone) {
            Self::Clear(stream) => *self = Self::Resuming(Box::new(tickets.begin(domain, stream)?)),
            other => *self = other,
        }
        let Self::Resuming(resuming) = self else { return Ok(true) };
        resuming.shake_hands()
    }

    /// Whether it goes on with an earlier TLS session.
    pub(super) fn has_resumed(&self) -> bool {
        matches!(self, Self::Resuming(resuming) if resuming.has_resumed())
    }

    pub(super) fn is_shaking_hands(&self) -> bool {
        match self {
            Self::Handshake(_) => true,
            Self::Resuming(resuming) => resuming.is_shaking_hands(),
            Self::Clear(_) | Self::Tls(_) | Self::Gone => false,
        }
    }

    pub(super) fn source(&mut self) -> Option<&mut TcpStream> {
        match self {
            Self::Clear(stream) => Some(stream),
            Self::Handshake(handshake) => Some(handshake.get_mut()),
            Self::Tls(stream) => Some(stream.get_mut()),
            Self::Resuming(resuming) => Some(resuming.socket()),
            Self::Gone => None,
        }
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Got> {
        let read = match self {
            Self::Clear(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
            Self::Resuming(resuming) => resuming.read(buffer),
            Self::Handshake(_) => return Ok(Got::Nothing),
            Self::Gone => return Ok(Got::End),
        };
        match read {
            Ok(0) => Ok(Got::End),
            Ok(length) => Ok(Got::Bytes(length)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Got::Nothing),
            Err(error) => Err(error),
        }
    }

    /// Writes what the socket takes and returns how much that was.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = 0;
        while written < bytes.len() {
            let step = match self {
                Self::Clear(stream) => stream.write(&bytes[written..]),
                Self::Tls(stream) => stream.write(&bytes[written..]),
                Self::Resuming(resuming) => resuming.write(&bytes[written..]),
                Self::Handshake(_) => break,
                Self::Gone => return Err(io::ErrorKind::NotConnected.into()),
            };
            match step {
                Ok(length) => written += length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }
}
