//! The poll loop, and the clients as a load sees them.

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::bail;
use mio::{Events, Interest, Poll, Registry, Token};
use openssl::ssl::SslConnector;

use super::connection::{Connection, Stage};
use super::login::{Login, Next};
use super::sasl::Salted;
use super::tickets::Tickets;
use super::wire::{self, Got, Wire};
use super::{ClientId, Entrance, Frame, Framer, Manners, Purpose, Security, Targets, Ticket};
use crate::interrupt;

const READ_BYTES: usize = 256 * 1024;
const EVENTS_MAX: usize = 1024;
/// From so many clients on, none keeps the room that its last stanza took.
const THRIFTY_MIN: usize = 5_000;

/// What is done with clients.
pub trait Load {
    /// A client is logged in.
    fn ready(&mut self, id: ClientId, clients: &mut Clients);
    /// A stanza came.
    fn stanza(&mut self, id: ClientId, stanza: &[u8], clients: &mut Clients);
    /// Another element came on a managed stream (XEP-0198): an acknowledgement.
    fn word(&mut self, _: ClientId, _: &[u8], _: &mut Clients) {}
    /// A client is no longer connected.
    fn lost(&mut self, id: ClientId, why: &str, clients: &mut Clients);
    /// Called between any two looks at the network. Returns how long the next look may wait, `None` to end.
    fn tick(&mut self, clients: &mut Clients) -> Option<Duration>;
}

/// All clients of a run.
pub struct Clients {
    connections: Vec<Connection>,
    dirty: Vec<ClientId>,
    manners: Rc<Manners>,
    targets: Targets,
    registry: Registry,
    tls: SslConnector,
    tickets: Tickets,
    /// TLS handshakes, and those among them that went on with an earlier session.
    handshakes: (u64, u64),
    salted: Salted,
    start: Instant,
    failed: Vec<(ClientId, String)>,
}

/// Runs loads.
pub struct Engine {
    poll: Poll,
    clients: Clients,
    buffer: Vec<u8>,
}

impl Engine {
    /// Makes room for `count` clients; client i has account i.
    ///
    /// # Errors
    /// A target is not on this machine, or the system has no poll.
    pub fn new(targets: &Targets, manners: Manners, count: usize) -> anyhow::Result<Self> {
        targets.check()?;
        let poll = Poll::new()?;
        let clients = Clients {
            connections: (0..count).map(|_| Connection::off()).collect(),
            dirty: Vec::new(),
            manners: Rc::new(manners),
            targets: targets.clone(),
            registry: poll.registry().try_clone()?,
            tls: wire::connector()?,
            tickets: Tickets::new()?,
            handshakes: (0, 0),
            salted: Salted::default(),
            start: Instant::now(),
            failed: Vec::new(),
        };
        Ok(Self { poll, clients, buffer: vec![0; READ_BYTES] })
    }

    /// Runs a load to its end.
    ///
    /// # Errors
    /// The system's poll failed, or the process was asked to end.
    pub fn run(&mut self, load: &mut impl Load) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        while let Some(wait) = load.tick(&mut self.clients) {
            self.clients.flush();
            self.report(load);
            if interrupt::is_asked() {
                bail!("interrupted");
            }
            match self.poll.poll(&mut events, Some(wait)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                let id = event.token().0;
                if event.is_writable() {
                    self.clients.writable(id);
                }
                if event.is_readable() {
                    self.read(id, load);
                }
            }
            self.clients.flush();
            self.report(load);
        }
        Ok(())
    }

    /// Ends all sessions: what is left open costs the server, and with it the next run.
    pub fn close(&mut self) {
        (0..self.clients.count()).for_each(|id| self.clients.close(id));
    }

    fn report(&mut self, load: &mut impl Load) {
        while let Some((id, why)) = self.clients.failed.pop() {
            // It may have been closed, or opened again, meanwhile.
            if !std::mem::take(&mut self.clients.connections[id].failed) {
                continue;
            }
            self.clients.connections[id].gone();
            load.lost(id, &why, &mut self.clients);
        }
    }

    fn read(&mut self, id: ClientId, load: &mut impl Load) {
        let Self { clients, buffer, .. } = self;
        loop {
            if clients.connections[id].wire.is_shaking_hands() && !clients.secure(id) {
                return;
            }
            let clear = matches!(clients.connections[id].wire, Wire::Clear(_));
            let length = match clients.connections[id].wire.read(buffer) {
                Ok(Got::Bytes(length)) => length,
                Ok(Got::Nothing) => return,
                Ok(Got::End) => return clients.fail(id, "the connection was closed"),
                Err(error) => return clients.fail(id, &error.to_string()),
            };
            let mut framer = std::mem::take(&mut clients.connections[id].framer);
            framer.feed(&buffer[..length], |frame| clients.take(id, frame, load));
            clients.connections[id].framer = framer;
            clients.go_on(id);
            // A short read has emptied the socket (epoll(7)); of TLS only the next one tells.
            if clear && length < buffer.len() {
                return;
            }
        }
    }
}

impl Clients {
    /// Time since the engine was made.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// The part of the TLS handshakes that went on with an earlier session.
    #[must_use]
    pub fn resumed_tls(&self) -> f64 {
        self.handshakes.1 as f64 / self.handshakes.0.max(1) as f64
    }

    /// How many there are, connected or not.
    #[must_use]
    pub fn count(&self) -> usize {
        self.connections.len()
    }

    /// What they do alike.
    #[must_use]
    pub fn manners(&self) -> &Manners {
        &self.manners
    }

    /// How many of the server's stanzas a client has taken in its session (XEP-0198 §4).
    #[must_use]
    pub fn taken(&self, id: ClientId) -> u32 {
        self.connections[id].taken
    }

    /// How a client came in.
    #[must_use]
    pub fn entrance(&self, id: ClientId) -> &Entrance {
        &self.connections[id].entrance
    }

    /// How a client came in, for whom nobody else asks.
    pub fn take_entrance(&mut self, id: ClientId) -> Entrance {
        std::mem::take(&mut self.connections[id].entrance)
    }

    /// Gives a connection up without a word, as a client whose network is gone.
    pub fn cut(&mut self, id: ClientId) {
        self.connections[id].gone();
    }

    /// Adds bytes that are no stanza to what a client writes next.
    pub fn say(&mut self, id: ClientId, bytes: &[u8]) {
        let connection = &mut self.connections[id];
        if connection.stage == Stage::Ready {
            connection.out.extend_from_slice(bytes);
            self.touch(id);
        }
    }

    /// Connects a client to its target and logs it in.
    pub fn open(&mut self, id: ClientId) {
        self.open_at(id, self.targets.index(id, 0), None);
    }

    /// The number of a client's target; of another one at each `hop`.
    #[must_use]
    pub fn target(&self, id: ClientId, hop: usize) -> usize {
        self.targets.index(id, hop)
    }

    /// Connects a client to a target, and logs it in or goes on with a session.
    pub fn open_at(&mut self, id: ClientId, target: usize, ticket: Option<Ticket>) {
        let target = self.targets.addresses[target];
        let account = self.manners.accounts.account(id);
        let from = self.targets.source(account.number);
        let connected = wire::connect(target, from).and_then(|mut stream| {
            stream.set_nodelay(true)?;
            self.registry.register(&mut stream, Token(id), Interest::READABLE | Interest::WRITABLE)?;
            Ok(stream)
        });
        match connected {
            Ok(stream) => {
                let mut connection = Connection::off();
                connection.wire = Wire::Clear(stream);
                connection.stage = Stage::Connecting;
                let secure = self.manners.security.is_direct();
                connection.taken = ticket.as_ref().map_or(0, |ticket| ticket.h);
                connection.login = Some(Box::new(Login::new(account, secure, ticket)));
                self.connections[id] = connection;
            }
            Err(error) => self.fail(id, &error.to_string()),
        }
    }

    /// Ends a client and its session: its stream is closed as far as the socket takes that at once.
    pub fn close(&mut self, id: ClientId) {
        let connection = &mut self.connections[id];
        if connection.stage == Stage::Ready && self.manners.purpose != Purpose::Bare {
            if self.manners.managed {
                connection.counts(b"<r/>");
            }
            connection.out.extend_from_slice(b"</stream:stream>");
            // Whether it is still read is the server's matter.
            let _ = connection.flush(false);
        }
        *connection = Connection::off();
    }

    /// Sends a stanza with the next flush.
    pub fn send(&mut self, id: ClientId, stanza: &[u8]) {
        let connection = &mut self.connections[id];
        if connection.stage == Stage::Ready {
            connection.send(stanza, &self.manners);
            self.touch(id);
        }
    }

    fn touch(&mut self, id: ClientId) {
        if !std::mem::replace(&mut self.connections[id].dirty, true) {
            self.dirty.push(id);
        }
    }

    fn flush(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        let thrifty = self.connections.len() >= THRIFTY_MIN;
        for id in dirty.drain(..) {
            self.connections[id].dirty = false;
            if let Err(error) = self.connections[id].flush(thrifty) {
                self.fail(id, &error.to_string());
            }
        }
        // Its room is used again.
        if self.dirty.is_empty() {
            self.dirty = dirty;
        }
    }

    fn fail(&mut self, id: ClientId, why: &str) {
        if !std::mem::replace(&mut self.connections[id].failed, true) {
            self.failed.push((id, why.to_owned()));
        }
    }

    fn writable(&mut self, id: ClientId) {
        let connection = &mut self.connections[id];
        if connection.stage == Stage::Connecting {
            let Some(socket) = connection.wire.source() else { return };
            match socket.take_error() {
                Ok(None) if socket.peer_addr().is_ok() => {}
                Ok(None) => return,
                Ok(Some(error)) | Err(error) => return self.fail(id, &error.to_string()),
            }
            connection.stage = Stage::LoggingIn;
            match (self.manners.purpose, self.manners.security) {
                (Purpose::Bare, _) => {
                    connection.login = None;
                    connection.stage = Stage::Ready;
                    connection.next = Next::Done;
                    let hello = format!("<stream><pair n='{}'/>", id / 2);
                    connection.out.extend_from_slice(hello.as_bytes());
                }
                (_, Security::Direct | Security::Tickets) => drop(self.secure(id)),
                (_, Security::Plain | Security::Starttls) => self.begin(id),
            }
        }
        self.touch(id);
    }

    fn begin(&mut self, id: ClientId) {
        let connection = &mut self.connections[id];
        let Some(login) = &mut connection.login else { return };
        if let Err(error) = login.open(&self.manners, &mut connection.out) {
            self.fail(id, &error.to_string());
        }
        self.touch(id);
    }

    /// Goes on with a TLS handshake. Returns whether it is done.
    fn secure(&mut self, id: ClientId) -> bool {
        let connection = &mut self.connections[id];
        let domain = &self.manners.accounts.domain;
        let secured = match self.manners.security {
            Security::Tickets => connection.wire.resume(&self.tickets, domain),
            _ => connection.wire.secure(&self.tls, domain),
        };
        match secured {
            Ok(false) => false,
            Ok(true) => {
                self.handshakes.0 += 1;
                self.handshakes.1 += u64::from(connection.wire.has_resumed());
                if let Some(login) = &mut connection.login {
                    login.secured();
                }
                self.begin(id);
                true
            }
            Err(error) => {
                self.fail(id, &error.to_string());
                false
            }
        }
    }

    fn take(&mut self, id: ClientId, frame: Frame<'_>, load: &mut impl Load) {
        let connection = &mut self.connections[id];
        if let Some(login) = &mut connection.login {
            match login.take(frame, &self.manners, &mut self.salted, &mut connection.out) {
                Ok(Next::Done) => {
                    connection.entrance = login.entrance().clone();
                    if connection.entrance.resumed.is_none() {
                        connection.taken = 0;
                    }
                    connection.login = None;
                    connection.stage = Stage::Ready;
                    load.ready(id, self);
                }
                Ok(next) => connection.next = next,
                Err(error) => self.fail(id, &error.to_string()),
            }
            return self.touch(id);
        }
        match frame {
            Frame::Header(_) if self.manners.purpose == Purpose::Bare => load.ready(id, self),
            Frame::Header(_) => {}
            Frame::Stanza(stanza) if stanza.starts_with(b"<stream:error") => {
                self.fail(id, &String::from_utf8_lossy(stanza));
            }
            Frame::Stanza(stanza) => {
                if connection.counts(stanza) {
                    if !connection.answers(stanza, &self.manners) {
                        return load.stanza(id, stanza, self);
                    }
                    return self.touch(id);
                }
                if !connection.out.is_empty() {
                    self.touch(id);
                }
                load.word(id, stanza, self);
            }
            Frame::End => self.fail(id, "the stream was closed"),
        }
    }

    /// Does what a log-in asks for once all that was read has been looked at.
    fn go_on(&mut self, id: ClientId) {
        let connection = &mut self.connections[id];
        match std::mem::replace(&mut connection.next, Next::Wait) {
            Next::Wait | Next::Done => {}
            Next::Secure => {
                connection.framer = Framer::default();
                self.secure(id);
            }
            Next::Restart => self.begin(id),
        }
    }
}
