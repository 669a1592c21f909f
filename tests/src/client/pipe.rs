//! What a client's bytes travel through: TCP, TLS over TCP, or (see the stage in memory) nothing at all.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use openssl::ssl::{SslConnector, SslStream};

/// What came through a pipe.
pub enum Received {
    /// Some bytes.
    Bytes(Vec<u8>),
    /// Its end.
    Closed,
    /// Nothing, and the time is over.
    Nothing,
}

/// Bytes both ways.
pub trait Pipe {
    /// Sends all of it; what cannot be sent shows when receiving.
    fn send(&mut self, bytes: &[u8]);

    /// What has come, waiting for it until then.
    fn receive(&mut self, deadline: Instant) -> Received;

    /// Starts TLS. The name is the domain that the certificate must be for.
    fn secure(self: Box<Self>, _connector: &SslConnector, _domain: &str) -> Box<dyn Pipe> {
        panic!("there is no TLS over this pipe")
    }

    /// The TLS connection, if it is one.
    fn tls(&self) -> Option<&openssl::ssl::SslRef> {
        None
    }
}

/// A TCP connection.
pub struct Tcp(Option<TcpStream>);

impl Tcp {
    /// Connects.
    ///
    /// # Panics
    /// Nobody listens there.
    pub fn dial(address: SocketAddr) -> Self {
        let tcp = TcpStream::connect_timeout(&address, super::PATIENCE);
        let tcp = tcp.unwrap_or_else(|error| panic!("nobody answers at {address}: {error}"));
        tcp.set_nodelay(true).expect("a connected socket");
        tcp.set_write_timeout(Some(super::PATIENCE)).expect("a connected socket");
        Self(Some(tcp))
    }

    fn tcp(&mut self) -> &mut TcpStream {
        self.0.as_mut().expect("taken only by TLS, with the pipe")
    }
}

impl Pipe for Tcp {
    fn send(&mut self, bytes: &[u8]) {
        let _ = self.tcp().write_all(bytes);
    }

    fn receive(&mut self, deadline: Instant) -> Received {
        wait_until(self.tcp(), deadline);
        read(self.tcp())
    }

    fn secure(mut self: Box<Self>, connector: &SslConnector, domain: &str) -> Box<dyn Pipe> {
        let tcp = self.0.take().expect("taken only here, with the pipe");
        tcp.set_read_timeout(Some(super::PATIENCE)).expect("a connected socket");
        Box::new(Tls(connector.connect(domain, tcp).expect("the certificate is for this domain")))
    }
}

impl Drop for Tcp {
    fn drop(&mut self) {
        if let Some(tcp) = &self.0 {
            let _ = tcp.shutdown(Shutdown::Both);
        }
    }
}

/// A TLS connection.
pub struct Tls(SslStream<TcpStream>);

impl Pipe for Tls {
    fn send(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes);
    }

    fn receive(&mut self, deadline: Instant) -> Received {
        wait_until(self.0.get_ref(), deadline);
        read(&mut self.0)
    }

    fn tls(&self) -> Option<&openssl::ssl::SslRef> {
        Some(self.0.ssl())
    }
}

/// Makes reads give up at the deadline. A timeout of zero would mean none.
fn wait_until(tcp: &TcpStream, deadline: Instant) {
    let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    let _ = tcp.set_read_timeout(Some(left));
}

fn read(from: &mut impl Read) -> Received {
    let mut bytes = vec![0; 16 * 1024];
    match from.read(&mut bytes) {
        Ok(0) => Received::Closed,
        Ok(count) => {
            bytes.truncate(count);
            Received::Bytes(bytes)
        }
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Received::Nothing
        }
        Err(_) => Received::Closed,
    }
}
