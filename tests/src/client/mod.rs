//! A small blocking client: bytes over some pipe, elements in and out, and the steps of a log-in.

pub mod login;
pub mod mask;
pub mod pipe;
pub mod scram;
mod wire;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use muster_proto::Element;
use openssl::ssl::{SslConnector, SslRef};

pub use mask::Mask;
pub use pipe::{Pipe, Received};
pub use wire::{Heard, Wire};

/// How long a client waits for what must come. Nothing waits this long unless something is broken.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// One connection, as its client sees it.
pub struct Client {
    pipe: Option<Box<dyn Pipe>>,
    mask: Mask,
    wire: Wire,
    heard: VecDeque<Heard>,
}

impl Client {
    /// A client on a new connection.
    pub fn new(pipe: Box<dyn Pipe>, mask: Mask) -> Self {
        Self { pipe: Some(pipe), wire: Wire::new(mask.clone()), mask, heard: VecDeque::new() }
    }

    /// Sends text. Does nothing if the connection is gone.
    pub fn say(&mut self, text: &str) {
        let text = self.mask.hide(text);
        self.send(text.as_bytes());
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) {
        if let Some(pipe) = &mut self.pipe {
            pipe.send(bytes);
        }
    }

    /// The next thing to hear, waiting for it; `None` if nothing came in time.
    pub fn next(&mut self, patience: Duration) -> Option<Heard> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(heard) = self.heard.pop_front() {
                return Some(heard);
            }
            match self.pipe.as_mut().map_or(Received::Closed, |pipe| pipe.receive(deadline)) {
                Received::Bytes(bytes) => self.heard.extend(self.wire.feed(&bytes)),
                Received::Closed => return Some(Heard::Closed),
                Received::Nothing => return None,
            }
        }
    }

    /// Whether the server ends the connection in time, whatever it says before.
    pub fn closes(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        loop {
            match self.pipe.as_mut().map_or(Received::Closed, |pipe| pipe.receive(deadline)) {
                Received::Bytes(_) => {}
                Received::Closed => return true,
                Received::Nothing => return false,
            }
        }
    }

    /// The next element.
    ///
    /// # Panics
    /// Something else was heard, or nothing.
    pub fn element(&mut self) -> Element {
        match self.next(PATIENCE) {
            Some(Heard::Element(element)) => element,
            other => panic!("an element should have come, but: {other:?}"),
        }
    }

    /// Starts a new stream on the same connection: after log-in or STARTTLS.
    pub fn restart(&mut self) {
        self.wire = Wire::new(self.mask.clone());
    }

    /// Starts TLS and a new stream over it; what was read in clear is dropped.
    ///
    /// # Panics
    /// The handshake fails.
    pub fn secure(&mut self, connector: &SslConnector, domain: &str) {
        self.pipe = self.pipe.take().map(|pipe| pipe.secure(connector, domain));
        self.restart();
        self.heard.clear();
    }

    /// A user's name as the server knows it: what is inside an element without an `@` wears no mask by itself.
    pub fn real_name(&self, user: &str) -> String {
        self.mask.name(user)
    }

    /// Breaks the connection without a word.
    pub fn hang_up(&mut self) {
        self.pipe = None;
    }

    /// The TLS connection, if it is one.
    pub fn tls(&self) -> Option<&SslRef> {
        self.pipe.as_ref().and_then(|pipe| pipe.tls())
    }
}
