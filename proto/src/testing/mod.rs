//! A tiny world in one thread, for tests: sessions, rooms, a store in memory and the way between them.
//!
//! Machines are made on demand and put away when idle, so what is not in the store is gone; every change is applied to
//! a second copy of the machine too, which must stay equal.

mod copies;
mod managed;
mod store;

use std::collections::{BTreeMap, VecDeque};

use jid::{BareJid, FullJid, Jid};

use self::copies::Copies;
pub use self::managed::Counted;
pub use self::store::MemoryStore;
use crate::feature::Features;
use crate::machine::{Derived, Effect, Env, Machine, Out, Resumption, SocketId, Then, Timestamp, ToSocket};
use crate::options::{Domain, Limits, Options};
use crate::room::{self, Room};
use crate::session::{self, LostAddresses, Order, Session};
use crate::stanza::{Kind, PresenceType, Stanza, StanzaError};
use crate::store::{Reply, StoreError, Write, collection};
use crate::stream::StreamError;

/// A client of the world: its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Client(usize);

/// Everything that a conversation needs.
pub struct World {
    /// Settings; may be changed at any time.
    pub options: Options,
    /// What is stored.
    pub store: MemoryStore,
    /// Now.
    pub now: Timestamp,
    /// Stanzas for other domains, in order.
    pub outside: Vec<Stanza>,
    features: Features,
    random: u64,
    sessions: BTreeMap<BareJid, Copies<Session>>,
    rooms: BTreeMap<BareJid, Copies<Room>>,
    sockets: Vec<Socket>,
    events: VecDeque<Event>,
    /// What waits for a store that takes its time.
    answers: Option<VecDeque<Event>>,
    /// What waits to be written, in a store that is full for now.
    unwritten: Option<VecDeque<Event>>,
}

/// One connection.
#[derive(Default)]
struct Socket {
    address: Option<BareJid>,
    /// How it comes to its session.
    ask: Option<session::Ask>,
    bound: Option<(u64, FullJid)>,
    told: Vec<ToSocket>,
    counted: Option<Counted>,
    resumed: Option<Result<Resumption, Option<u32>>>,
    ended: Option<StreamError>,
    refused: Option<StanzaError>,
}

/// What happens next.
enum Event {
    Session(BareJid, session::Input),
    Room(BareJid, room::Input),
    SessionAlarm(BareJid),
    SessionThen(BareJid, Then<Session>, Result<Reply, StoreError>),
    SessionWrite(BareJid, Vec<Write>, Then<Session>),
    RoomThen(BareJid, Then<Room>, Result<Reply, StoreError>),
    SessionDerived(BareJid, Derived<Session>, Box<str>),
    RoomDerived(BareJid, Derived<Room>, Box<str>),
}

/// Two domains, `montague.lit` and `capulet.lit`, with the default limits.
pub fn options() -> Options {
    let domain = |name: &str| Domain {
        name: name.into(),
        conference: format!("conference.{name}"),
        admins: vec![BareJid::new(&format!("admin@{name}")).expect("a literal")],
        anonymous: true,
        registration: false,
    };
    Options {
        domains: vec![domain("montague.lit"), domain("capulet.lit")],
        limits: Limits::default(),
        ..Options::default()
    }
}

/// Reads a stanza of `jabber:client`, the namespace left out.
pub fn stanza(xml: &str) -> Stanza {
    let stream = format!("<stream xmlns='{}'>{xml}</stream>", crate::ns::CLIENT);
    let stream: minidom::Element = stream.parse().expect("the test's XML is well-formed");
    Stanza::from_element(stream.children().next().expect("an element")).expect("the test's stanza is valid")
}

/// The session and the number of a managed client's stanza.
fn counted(input: &session::Input) -> Option<(u64, u32)> {
    let session::Input::Word { sid, word, .. } = input else { return None };
    let (session::Word::Stanza(number, _) | session::Word::Answered(number, _)) = word else { return None };
    Some((*sid, *number))
}

impl Default for World {
    fn default() -> Self {
        Self::new(options())
    }
}

impl World {
    /// An empty world.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            store: MemoryStore::default(),
            now: Timestamp(1_700_000_000_000),
            outside: vec![],
            features: Features::new(crate::features::all()),
            random: 0,
            sessions: BTreeMap::new(),
            rooms: BTreeMap::new(),
            sockets: vec![],
            events: VecDeque::new(),
            answers: None,
            unwritten: None,
        }
    }

    /// Makes an account, if there is none.
    pub fn account(&mut self, jid: &str) {
        if !self.store.has(collection::CREDENTIALS, jid) {
            self.store.put(collection::CREDENTIALS, jid, b"{}");
        }
    }

    /// Logs in (the account is made if needed), binds a resource and sends initial presence. What the client hears
    /// meanwhile is forgotten.
    pub fn enter(&mut self, jid: &str) -> Client {
        let client = self.bind(jid);
        self.says(client, "<presence/>");
        self.hears(client);
        client
    }

    /// Logs in (the account is made if needed) and binds a resource.
    pub fn bind(&mut self, jid: &str) -> Client {
        let jid = Jid::new(jid).expect("the test's JID is valid");
        self.account(jid.to_bare().as_str());
        let client = self.connect(&jid.to_bare(), jid.resource().map(|resource| resource.as_str()), false);
        assert!(self.sockets[client.0].bound.is_some(), "{jid} is bound");
        client
    }

    /// Asks for a resource; see [`World::refused`] for what came of it.
    pub fn connect(&mut self, account: &BareJid, resource: Option<&str>, anonymous: bool) -> Client {
        self.comes_in(account, session::Ask::Bind { resource: resource.map(ToOwned::to_owned), anonymous })
    }

    /// The client sends a stanza.
    pub fn says(&mut self, client: Client, xml: &str) {
        self.says_stanza(client, stanza(xml));
    }

    /// The same, read already.
    pub fn says_stanza(&mut self, client: Client, stanza: Stanza) {
        let socket = &mut self.sockets[client.0];
        let (Some(account), Some((sid, _))) = (socket.address.clone(), &socket.bound) else {
            panic!("{client:?} is not bound");
        };
        if let Some(counted) = &mut socket.counted {
            counted.said = counted.said.wrapping_add(1);
            let word = session::Word::Stanza(counted.said, stanza);
            return self.word(client, word);
        }
        let input = session::Input::Client { sid: *sid, stanza };
        self.happens(Event::Session(account, input));
    }

    /// What the client has heard since it was last asked.
    pub fn hears(&mut self, client: Client) -> Vec<Stanza> {
        let is_stanza = |told: &mut ToSocket| matches!(told, ToSocket::Stanza(_) | ToSocket::Counted(..));
        let heard = self.sockets[client.0].told.extract_if(.., is_stanza);
        let stanza = |told| match told {
            ToSocket::Stanza(stanza) | ToSocket::Counted(_, stanza) => Some(stanza),
            _ => None,
        };
        heard.filter_map(stanza).collect()
    }

    /// The same as text.
    pub fn hears_xml(&mut self, client: Client) -> Vec<String> {
        let text = |stanza: Stanza| {
            let mut xml = vec![];
            stanza.write(&mut xml);
            String::from_utf8(xml).expect("XML is text")
        };
        self.hears(client).into_iter().map(text).collect()
    }

    /// The client's connection breaks.
    pub fn leaves(&mut self, client: Client) {
        self.close(client, true);
    }

    /// The client closes its stream in order.
    pub fn closes(&mut self, client: Client) {
        self.close(client, false);
    }

    fn close(&mut self, client: Client, resumable: bool) {
        let socket = &mut self.sockets[client.0];
        if let (Some(account), Some(_)) = (socket.address.clone(), socket.bound.take()) {
            let input = session::Input::Closed { socket: client.socket(), resumable };
            self.happens(Event::Session(account, input));
        }
    }

    /// The client's full JID.
    pub fn jid(&self, client: Client) -> FullJid {
        let (_, jid) = self.sockets[client.0].bound.as_ref().expect("the client is bound");
        jid.clone()
    }

    /// How the server ended the client's stream, if it did.
    pub fn ended(&self, client: Client) -> Option<StreamError> {
        self.sockets[client.0].ended.clone()
    }

    /// Why the server bound no resource, if it did not.
    pub fn refused(&self, client: Client) -> Option<StanzaError> {
        self.sockets[client.0].refused.clone()
    }

    /// A stanza arrives from outside; it goes to the account or room it is addressed to.
    pub fn arrives(&mut self, xml: &str) {
        self.arrives_stanza(stanza(xml));
    }

    /// The same, read already.
    pub fn arrives_stanza(&mut self, stanza: Stanza) {
        self.route(stanza);
        self.run();
    }

    /// Something happens to an account.
    pub fn session_input(&mut self, account: &str, input: session::Input) {
        self.happens(Event::Session(BareJid::new(account).expect("the test's JID is valid"), input));
    }

    /// Tells every machine in memory that these accounts and rooms are lost, and forgets them.
    pub fn lose(&mut self, lost: LostAddresses) {
        self.sessions.retain(|address, _| !lost(address));
        self.rooms.retain(|address, _| !lost(address));
        for address in self.sessions.keys() {
            self.events
                .push_back(Event::Session(address.clone(), session::Input::AddressesLost(lost.clone())));
        }
        for address in self.rooms.keys() {
            self.events.push_back(Event::Room(address.clone(), room::Input::AddressesLost(lost.clone())));
        }
        self.run();
    }

    /// The session of an account, if it is in memory.
    pub fn session(&self, account: &str) -> Option<&Session> {
        self.sessions.get(&BareJid::new(account).ok()?).map(Copies::machine)
    }

    /// The room of that address, if it is in memory.
    pub fn room(&self, address: &str) -> Option<&Room> {
        self.rooms.get(&BareJid::new(address).ok()?).map(Copies::machine)
    }

    /// From now on the store's answers wait until [`World::store_answers`].
    pub fn store_waits(&mut self) {
        self.answers = Some(VecDeque::new());
    }

    /// The store's answers arrive, and from now on at once.
    pub fn store_answers(&mut self) {
        self.events.extend(self.answers.take().unwrap_or_default());
        self.run();
    }

    /// From now on what sessions write waits until [`World::store_writes`]; what they ask is answered.
    pub fn store_is_full(&mut self) {
        self.unwritten = Some(VecDeque::new());
    }

    /// What waits is written, and from now on all is at once.
    pub fn store_writes(&mut self) {
        self.events.extend(self.unwritten.take().unwrap_or_default());
        self.run();
    }

    fn happens(&mut self, event: Event) {
        self.events.push_back(event);
        self.run();
    }

    /// Goes on until nothing happens any more, then puts idle machines away.
    fn run(&mut self) {
        let mut steps = 0;
        while let Some(event) = self.events.pop_front() {
            steps += 1;
            assert!(steps < 100_000, "this never ends");
            self.step(event);
        }
        self.sessions.retain(|_, copies| !copies.machine().is_idle());
        self.rooms.retain(|_, copies| !copies.machine().is_idle());
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Session(address, input) => {
                let counted = counted(&input);
                self.session_step(address.clone(), |machine, env, out| {
                    machine.handle(input, env, out);
                    // Here everything is safe at once.
                    counted.into_iter().for_each(|(sid, number)| machine.count(sid, number, out));
                });
            }
            Event::SessionAlarm(address) => {
                self.session_step(address, |machine, env, out| machine.ring(env, out));
            }
            Event::SessionThen(address, then, answer) => {
                self.session_step(address, |machine, env, out| then(machine, answer, env, out));
            }
            Event::SessionWrite(address, writes, then) => {
                let answer = self.store.write(&writes);
                self.answer(Event::SessionThen(address, then, answer));
            }
            Event::SessionDerived(address, then, password) => {
                let credentials = derive(&password);
                self.session_step(address, |machine, env, out| then(machine, credentials, env, out));
            }
            Event::Room(address, input) => {
                self.room_step(address, |machine, env, out| machine.handle(input, env, out));
            }
            Event::RoomThen(address, then, answer) => {
                self.room_step(address, |machine, env, out| then(machine, answer, env, out));
            }
            Event::RoomDerived(address, then, password) => {
                let credentials = derive(&password);
                self.room_step(address, |machine, env, out| then(machine, credentials, env, out));
            }
        }
    }

    fn session_step(
        &mut self,
        address: BareJid,
        step: impl FnOnce(&mut Session, &Env<'_>, &mut Out<Session>),
    ) {
        let Self { sessions, store, features, options, now, random, .. } = self;
        let env = env(random, *now, options, features);
        let copies = sessions.entry(address.clone()).or_insert_with(|| load(store, &address));
        let out = copies.step(&env, step);
        for effect in out.effects {
            match effect {
                Effect::Ask(query, then) => {
                    let answer = self.store.ask(&query);
                    self.answer(Event::SessionThen(address.clone(), then, answer));
                }
                Effect::Store(writes, then) => {
                    let write = Event::SessionWrite(address.clone(), writes, then);
                    match &mut self.unwritten {
                        Some(unwritten) => unwritten.push_back(write),
                        None => self.step(write),
                    }
                }
                Effect::Derive(password, then) => {
                    self.events.push_back(Event::SessionDerived(address.clone(), then, password));
                }
                Effect::Route(stanza) => self.route(stanza),
                Effect::Fanout { stanza, to } => self.fanout(&stanza, to),
                Effect::Socket(socket, what) => self.tell(socket, what),
                Effect::Order(account, order) => self.order(account, order),
            }
        }
    }

    fn room_step(&mut self, address: BareJid, step: impl FnOnce(&mut Room, &Env<'_>, &mut Out<Room>)) {
        let Self { rooms, store, features, options, now, random, .. } = self;
        let env = env(random, *now, options, features);
        let copies = rooms.entry(address.clone()).or_insert_with(|| load(store, &address));
        let out = copies.step(&env, step);
        for effect in out.effects {
            match effect {
                Effect::Ask(query, then) => {
                    let answer = self.store.ask(&query);
                    self.answer(Event::RoomThen(address.clone(), then, answer));
                }
                Effect::Store(writes, then) => {
                    let answer = self.store.write(&writes);
                    self.answer(Event::RoomThen(address.clone(), then, answer));
                }
                Effect::Derive(password, then) => {
                    self.events.push_back(Event::RoomDerived(address.clone(), then, password));
                }
                Effect::Route(stanza) => self.route(stanza),
                Effect::Fanout { stanza, to } => self.fanout(&stanza, to),
                Effect::Socket(socket, what) => self.tell(socket, what),
                Effect::Order(account, order) => self.order(account, order),
            }
        }
    }

    fn answer(&mut self, event: Event) {
        self.answers.as_mut().unwrap_or(&mut self.events).push_back(event);
    }

    fn order(&mut self, account: BareJid, order: Order) {
        self.events.push_back(Event::Session(account, session::Input::Order(order)));
    }

    fn fanout(&mut self, stanza: &Stanza, to: Vec<Jid>) {
        for to in to {
            self.route(stanza.clone().with_to(to));
        }
    }

    /// The router: a stanza goes to the owner of its address.
    fn route(&mut self, stanza: Stanza) {
        assert!(stanza.from.is_some(), "a routed stanza says who sent it: {stanza:?}");
        let Some(to) = stanza.to.clone() else { panic!("a routed stanza says where it goes: {stanza:?}") };
        let domain = to.domain().as_str();
        if to.node().is_some() && self.options.domain(domain).is_some() {
            self.events.push_back(Event::Session(to.to_bare(), session::Input::Stanza(stanza)));
        } else if to.node().is_some() && self.options.conference(domain).is_some() {
            self.events.push_back(Event::Room(to.to_bare(), room::Input::Stanza(stanza)));
        } else {
            self.outside.push(stanza);
        }
    }

    /// A client that has just logged in wants a session.
    fn comes_in(&mut self, account: &BareJid, ask: session::Ask) -> Client {
        let client = Client(self.sockets.len());
        let address = Some(account.clone());
        self.sockets.push(Socket { address, ask: Some(ask.clone()), ..Socket::default() });
        let input = session::Input::Enter { socket: client.socket(), ask, instead_of: None };
        self.happens(Event::Session(account.clone(), input));
        client
    }

    fn tell(&mut self, socket_id: SocketId, what: ToSocket) {
        let socket = &mut self.sockets[usize::try_from(socket_id.number).expect("the world's own number")];
        socket.count(&what);
        match &what {
            ToSocket::Bound { sid, jid } => socket.bound = Some((*sid, jid.clone())),
            ToSocket::Refused(error) => socket.refused = Some(error.clone()),
            ToSocket::End(error) | ToSocket::Interrupt(error) => socket.ended = Some(error.clone()),
            ToSocket::AskAgain(holder) => {
                let (Some(account), Some(ask)) = (socket.address.clone(), socket.ask.clone()) else { return };
                let input = session::Input::Enter { socket: socket_id, ask, instead_of: Some(*holder) };
                return self.events.push_back(Event::Session(account, input));
            }
            _ => {}
        }
        socket.told.push(what);
    }
}

impl Client {
    /// Where its connection is: every client of the world is on node 1.
    fn socket(self) -> SocketId {
        SocketId { node: 1, number: self.0 as u64 }
    }
}

fn env<'a>(random: &mut u64, now: Timestamp, options: &'a Options, features: &'a Features) -> Env<'a> {
    // Steps of the golden ratio: distinct, and the same in every run.
    *random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
    Env { now, random: *random, options, features }
}

fn load<M: Machine>(store: &MemoryStore, address: &BareJid) -> Copies<M> {
    let replies = M::load(address).iter().map(|query| store.ask(query)).collect::<Result<Vec<_>, _>>();
    Copies::new(address.clone(), replies.expect("a test fails the store only while machines are in memory"))
}

fn derive(password: &str) -> crate::sasl::Credentials {
    crate::sasl::Credentials::derive(password, [7; 32], 1).expect("tests use simple passwords")
}

/// Whether it is a presence of that type: what scenes ask most.
pub fn is_presence(stanza: &Stanza, kind: PresenceType) -> bool {
    stanza.kind == Kind::Presence(kind)
}
