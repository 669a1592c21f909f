//! The stage in memory: each player's bytes go through a stream of their own into a tiny world of sessions and rooms. No
//! socket, no thread, no clock.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use muster_proto::feature::Features;
use muster_proto::machine::{Env, ToSocket};
use muster_proto::options::{Domain, Limits, Options};
use muster_proto::sasl::Credentials;
use muster_proto::session::Ask;
use muster_proto::stanza::Condition;
use muster_proto::store::{Key, Query, Reply, StoreError, collection};
use muster_proto::stream::{Channel, Effect, Input, Stream, Wrote};
use muster_proto::testing::{self, World};
use muster_proto::{BareJid, features};

use super::{House, PASSWORD};
use crate::client::mask::DOMAINS;
use crate::client::{Pipe, Received};

/// The domains of every stage: only the last lets anybody in without an account, and register one.
pub fn options() -> Options {
    let domain = |name: &&str| Domain {
        name: (*name).to_owned(),
        conference: format!("conference.{name}"),
        admins: vec![BareJid::new(&format!("admin@{name}")).expect("a literal")],
        anonymous: *name == "verona.lit",
        registration: *name == "verona.lit",
    };
    Options { domains: DOMAINS.iter().map(domain).collect(), limits: Limits::default(), ..Options::default() }
}

/// The house in memory.
#[derive(Clone)]
pub struct Memory(Rc<RefCell<Machines>>);

struct Machines {
    world: World,
    features: Features,
    lines: Vec<Line>,
}

/// One connection.
struct Line {
    stream: Stream,
    client: Option<testing::Client>,
    unread: Vec<u8>,
    ended: bool,
    closed: bool,
}

impl Default for Memory {
    fn default() -> Self {
        let machines = Machines {
            world: World::new(options()),
            features: Features::new(features::all()),
            lines: vec![],
        };
        Self(Rc::new(RefCell::new(machines)))
    }
}

impl House for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn account(&mut self, jid: &str) {
        let world = &mut self.0.borrow_mut().world;
        if !world.store.has(collection::CREDENTIALS, jid) {
            put_account(world, jid, PASSWORD);
        }
    }

    fn dial(&mut self) -> Box<dyn Pipe> {
        let mut machines = self.0.borrow_mut();
        let number = machines.lines.len();
        let seed = [u8::try_from(number).expect("few connections"); 32];
        machines.lines.push(Line {
            stream: Stream::new(Channel::Plain, seed),
            client: None,
            unread: vec![],
            ended: false,
            closed: false,
        });
        Box::new(Wire { machines: self.0.clone(), number })
    }
}

/// A player's end of a line.
struct Wire {
    machines: Rc<RefCell<Machines>>,
    number: usize,
}

impl Pipe for Wire {
    fn send(&mut self, bytes: &[u8]) {
        let mut machines = self.machines.borrow_mut();
        machines.feed(self.number, Input::Bytes(bytes));
        machines.settle();
    }

    fn receive(&mut self, _deadline: Instant) -> Received {
        let mut machines = self.machines.borrow_mut();
        machines.settle();
        let line = &mut machines.lines[self.number];
        match std::mem::take(&mut line.unread) {
            bytes if !bytes.is_empty() => Received::Bytes(bytes),
            _ if line.closed => Received::Closed,
            // Everything that can happen has happened.
            _ => Received::Nothing,
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let mut machines = self.machines.borrow_mut();
        machines.feed(self.number, Input::PeerClosed);
        machines.settle();
    }
}

impl Machines {
    fn feed(&mut self, number: usize, input: Input<'_>) {
        let Self { world, features, lines } = self;
        let mut effects = vec![];
        let env = Env { now: world.now, random: 7, options: &world.options, features };
        lines[number].stream.handle(input, &env, &mut effects);
        for effect in effects {
            self.perform(number, effect);
        }
    }

    fn perform(&mut self, number: usize, effect: Effect) {
        match effect {
            Effect::Write(bytes) => self.lines[number].unread.extend(bytes),
            Effect::StartTls => panic!("there is no TLS in memory"),
            Effect::Lookup(account) => {
                let key = Key::new(collection::CREDENTIALS, account.as_str());
                let answer = self.world.store.ask(&Query::Document(key)).and_then(read_credentials);
                self.feed(number, Input::Credentials(answer));
            }
            Effect::Derive(derivation) => self.feed(number, Input::Derived(derivation.run())),
            Effect::LoggedIn(_) | Effect::LogInFailed(_) => {}
            Effect::Register { account, password } => {
                let made = match self.world.store.has(collection::CREDENTIALS, account.as_str()) {
                    true => Err(Condition::Conflict.into()),
                    false => {
                        put_account(&mut self.world, account.as_str(), &password);
                        Ok(())
                    }
                };
                self.feed(number, Input::Registered(made));
            }
            Effect::Enter(Ask::Bind { resource, anonymous }) => {
                let Some(account) = self.lines[number].stream.account().cloned() else { return };
                let client = self.world.connect(&account, resource.as_deref(), anonymous);
                if let Some(error) = self.world.refused(client) {
                    return self.feed(number, Input::Refused(error));
                }
                self.lines[number].client = Some(client);
                let jid = self.world.jid(client);
                self.feed(number, Input::Bound(jid));
            }
            Effect::Stanza(stanza) => {
                let Some(client) = self.lines[number].client else { return };
                self.world.says_stanza(client, stanza);
                self.answer_for_others();
                self.settle();
            }
            Effect::Enter(Ask::Resume { id, h }) => {
                let Some(account) = self.lines[number].stream.account().cloned() else { return };
                self.lines[number].client = Some(self.world.resumes(account.as_str(), &id, h));
                self.settle();
            }
            Effect::Word(word) => {
                let Some(client) = self.lines[number].client else { return };
                self.world.word(client, word);
                self.answer_for_others();
                self.settle();
            }
            Effect::Close(ending) => {
                let line = &mut self.lines[number];
                line.closed = true;
                match line.client.take() {
                    Some(client) if ending.is_resumable() => self.world.leaves(client),
                    Some(client) => self.world.closes(client),
                    None => {}
                }
            }
        }
    }

    /// No other server can be reached.
    fn answer_for_others(&mut self) {
        for stanza in std::mem::take(&mut self.world.outside) {
            if let Some(error) = stanza.error(Condition::RemoteServerNotFound) {
                self.world.arrives_stanza(error);
            }
        }
    }

    fn told(&mut self, number: usize, told: ToSocket) {
        match told {
            ToSocket::Stanza(stanza) => stanza.write(&mut self.lines[number].unread),
            ToSocket::Counted(count, stanza) => {
                let Line { stream, unread, .. } = &mut self.lines[number];
                assert_eq!(
                    stream.write_counted(count, &stanza, unread),
                    Wrote::Now,
                    "nothing is lost in memory"
                );
            }
            ToSocket::Enabled { id, max } => self.feed(number, Input::Enabled { id, max }),
            ToSocket::NotEnabled(condition) => self.feed(number, Input::NotEnabled(condition)),
            ToSocket::Resumed(how) => self.feed(number, Input::Resumed(*how)),
            ToSocket::NotResumed(h) => {
                self.lines[number].client = None;
                self.feed(number, Input::NotResumed(h));
            }
            ToSocket::Ack(h) => {
                let Line { stream, unread, .. } = &mut self.lines[number];
                stream.write_handled(h, unread);
            }
            // Seen where they are asked for, and below.
            ToSocket::Bound { .. } | ToSocket::Refused(_) | ToSocket::Handled(_) => {}
            ToSocket::End(_) | ToSocket::Interrupt(_) | ToSocket::Repeat(_) | ToSocket::AskAgain(_) => {}
        }
    }

    /// Hands everybody what they were told.
    fn settle(&mut self) {
        for number in 0..self.lines.len() {
            let Some(client) = self.lines[number].client else { continue };
            while let Some(told) = self.world.takes_next(client) {
                self.told(number, told);
            }
            if let Some(error) = self.world.ended(client)
                && !std::mem::replace(&mut self.lines[number].ended, true)
            {
                self.feed(number, Input::End(error));
            }
        }
    }
}

fn put_account(world: &mut World, jid: &str, password: &str) {
    let credentials = Credentials::derive(password, [7; 32], 1).expect("a simple password");
    let json = serde_json::to_vec(&credentials).expect("credentials are written as JSON");
    world.store.put(collection::CREDENTIALS, jid, &json);
}

fn read_credentials(reply: Reply) -> Result<Option<Credentials>, StoreError> {
    let Reply::Document(Some(bytes)) = reply else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| StoreError::Failed(error.to_string()))
}
