//! A client: it chats, loses its connection, and goes on with its session at whatever node answers.

pub mod connection;
pub mod session;

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::chance::Chance;
use crate::invariant::Invariant;
use crate::network::{Network, Place};
use crate::nodes::Nodes;
use crate::oracle::{Oracle, Phase};
use crate::words::Heard;
use connection::{Connection, DOMAIN, Lost};
use session::{Kind, Said, Saying, Session};

/// A client that waits so long for an acknowledgement takes its connection for dead.
const ACK_TIME_MAX: Duration = Duration::from_secs(5);
/// How often a client that has nothing to say asks for one all the same.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// Who a client is, and whom it talks with.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its number; its account is `u<number>`.
    pub number: usize,
    /// To whom it writes.
    pub peers: Vec<usize>,
    /// In which rooms it is.
    pub rooms: Vec<usize>,
    /// How often it says something, in milliseconds.
    pub pace: u64,
    /// Whether it makes sure of its rooms when all is over: more than one fault may have taken them away unheard.
    pub asks_again: bool,
    /// Whether it ends its session when it leaves a node, and comes anew.
    pub ends: bool,
}

/// A client.
pub struct Client {
    role: Role,
    chance: Chance,
    network: Network,
    nodes: Nodes,
    oracle: Rc<Oracle>,
    session: Option<Session>,
    sessions: u32,
    numbers: BTreeMap<(Kind, usize), u32>,
    /// What a lost session left unsaid.
    again: VecDeque<Saying>,
    said_last: bool,
    /// When it leaves its node for no reason.
    roams: Option<Instant>,
}

impl Client {
    /// One that has not logged in yet.
    pub fn new(role: Role, chance: Chance, network: Network, nodes: Nodes, oracle: Rc<Oracle>) -> Self {
        Self {
            role,
            chance,
            network,
            nodes,
            oracle,
            session: None,
            sessions: 0,
            numbers: BTreeMap::new(),
            again: VecDeque::new(),
            said_last: false,
            roams: None,
        }
    }

    /// Lives until the history ends.
    pub async fn run(mut self) {
        loop {
            let node = self.choose();
            let why = match self.connect(node).await {
                Ok(connection) => self.talk(connection, node).await,
                Err(why) => why,
            };
            self.oracle.disconnected(self.role.number, node, &why.0);
            sleep(self.chance.millis(50, 400)).await;
        }
    }

    /// A node that seems ready, as a load balancer chooses.
    fn choose(&mut self) -> Place {
        let mut places: Vec<Place> = (0..self.nodes.count()).collect();
        self.chance.shuffle(&mut places);
        places.iter().copied().find(|place| self.nodes.is_ready(*place)).unwrap_or(places[0])
    }

    async fn connect(&mut self, node: Place) -> Result<Connection, Lost> {
        let user = format!("u{}", self.role.number);
        let mut connection = Connection::open(&self.network, node, &user).await?;
        if let Some(session) = &self.session {
            let (h, id) = (session.heard, &session.id);
            connection.say(&format!("<resume xmlns='urn:xmpp:sm:3' h='{h}' previd='{id}'/>")).await?;
            let answer = connection.answer().await?;
            if answer.name == "resumed" {
                self.resumed(&mut connection, &answer, node).await?;
                return Ok(connection);
            }
            self.session_is_lost(&answer.xml);
        }
        self.begin(&mut connection, node).await?;
        Ok(connection)
    }

    async fn resumed(
        &mut self,
        connection: &mut Connection,
        answer: &Heard,
        node: Place,
    ) -> Result<(), Lost> {
        let h = answer.attr("h").and_then(|h| h.parse().ok()).unwrap_or(u32::MAX);
        self.oracle.resumed(self.role.number, node, h);
        self.acknowledged(h);
        let again: Vec<String> = self
            .session
            .iter()
            .flat_map(|session| session.unacked.iter().map(|said| said.xml.clone()))
            .collect();
        for xml in again {
            connection.say(&xml).await?;
        }
        Ok(())
    }

    /// The server does not know the session any more: what it had not acknowledged is said again in another.
    fn session_is_lost(&mut self, why: &str) {
        let Some(session) = self.session.take() else { return };
        self.oracle.session_lost(self.role.number, session.number, why);
        self.again.extend(session.unsaid());
    }

    async fn begin(&mut self, connection: &mut Connection, node: Place) -> Result<(), Lost> {
        connection
            .say("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>x</resource></bind></iq>")
            .await?;
        connection.expect("iq").await?;
        connection.say("<enable xmlns='urn:xmpp:sm:3' resume='true'/>").await?;
        let enabled = connection.expect("enabled").await?;
        self.sessions += 1;
        let id = enabled.attr("id").unwrap_or_default().to_owned();
        self.session = Some(Session { number: self.sessions, id, ..Session::default() });
        self.oracle.began(self.role.number, self.sessions, node);
        self.say(connection, "<presence/>".into(), None).await?;
        self.enter(connection).await?;
        for saying in std::mem::take(&mut self.again) {
            self.say_message(connection, saying).await?;
        }
        Ok(())
    }

    /// Asks to be let into its rooms, as long as it is not in them.
    async fn enter(&mut self, connection: &mut Connection) -> Result<(), Lost> {
        let nick = self.nick();
        for room in self.role.rooms.clone() {
            let Some(session) = &mut self.session else { continue };
            let asked = session.asked.get(&room).is_some_and(|asked| asked.elapsed() < ASK_EVERY);
            if session.is_in(room, &nick) || asked {
                continue;
            }
            session.asked.insert(room, Instant::now());
            if let Some(why) = session.put_out.remove(&room) {
                self.oracle.put_out(self.role.number, room, &why);
            }
            let join = format!(
                "<presence to='r{room}@conference.{DOMAIN}/{nick}'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>"
            );
            self.say(connection, join, None).await?;
        }
        Ok(())
    }

    fn nick(&self) -> String {
        format!("u{}", self.role.number)
    }

    fn is_in(&self, room: usize) -> bool {
        self.session.as_ref().is_some_and(|session| session.is_in(room, &self.nick()))
    }

    /// Says a stanza, and keeps it until it is acknowledged.
    async fn say(
        &mut self,
        connection: &mut Connection,
        xml: String,
        saying: Option<Saying>,
    ) -> Result<(), Lost> {
        if let Some(session) = &mut self.session {
            session.said = session.said.wrapping_add(1);
            session.unacked.push_back(Said { xml: xml.clone(), saying });
        }
        connection.say(&xml).await
    }

    async fn say_message(&mut self, connection: &mut Connection, saying: Saying) -> Result<(), Lost> {
        let session = self.sessions;
        let id = saying.id(session);
        self.oracle.said(&saying, session);
        let (to, kind) = match saying.kind {
            Kind::Chat => (format!("u{}@{DOMAIN}", saying.to), "chat"),
            Kind::Room => (format!("r{}@conference.{DOMAIN}", saying.to), "groupchat"),
        };
        let xml = format!("<message to='{to}' type='{kind}' id='{id}'><body>{id}</body></message>");
        self.say(connection, xml, Some(saying)).await
    }

    fn next_saying(&mut self, kind: Kind, to: usize) -> Saying {
        let number = self.numbers.entry((kind.clone(), to)).or_default();
        *number += 1;
        Saying { kind, from: self.role.number, to, number: *number }
    }

    fn something(&mut self) -> Saying {
        let rooms: Vec<usize> = self.role.rooms.iter().copied().filter(|room| self.is_in(*room)).collect();
        match self.chance.below(self.role.peers.len() + rooms.len()) {
            at if at < rooms.len() => self.next_saying(Kind::Room, rooms[at]),
            at => self.next_saying(Kind::Chat, self.role.peers[at - rooms.len()]),
        }
    }

    async fn talk(&mut self, mut connection: Connection, node: Place) -> Lost {
        self.oracle.connected(self.role.number, node);
        self.roams = self.chance.one_in(3).then(|| Instant::now() + self.chance.millis(1_000, 12_000));
        let mut speaks = Instant::now() + self.chance.millis(0, self.role.pace);
        let mut asks = Instant::now();
        let mut asked: Option<Instant> = None;
        loop {
            let patience = asked.map_or(asks, |asked| asked + ACK_TIME_MAX);
            tokio::select! {
                biased;
                heard = connection.hear() => match heard {
                    Ok(heard) => match self.heard(&mut connection, &heard).await {
                        Ok(is_ack) => asked = asked.filter(|_| !is_ack),
                        Err(lost) => return lost,
                    },
                    Err(lost) => return lost,
                },
                () = sleep_until(speaks) => {
                    speaks = Instant::now() + self.chance.millis(self.role.pace / 2, self.role.pace * 3 / 2);
                    if let Err(lost) = self.speak(&mut connection).await {
                        return lost;
                    }
                }
                () = sleep_until(patience) => {
                    if asked.is_some() {
                        return Lost("no acknowledgement".into());
                    }
                    asked = Some(Instant::now());
                    asks = Instant::now() + ASK_EVERY;
                    if let Err(lost) = connection.say("<r xmlns='urn:xmpp:sm:3'/>").await {
                        return lost;
                    }
                }
            }
        }
    }

    async fn speak(&mut self, connection: &mut Connection) -> Result<(), Lost> {
        self.enter(connection).await?;
        match self.oracle.phase() {
            Phase::Talk => {
                if self.roams.is_some_and(|at| at <= Instant::now()) {
                    return Err(self.leave(connection).await);
                }
                let saying = self.something();
                self.say_message(connection, saying).await
            }
            Phase::Rest if std::mem::take(&mut self.role.asks_again) => {
                self.session.iter_mut().for_each(|session| {
                    session.rooms.clear();
                    session.asked.clear();
                });
                self.enter(connection).await
            }
            Phase::Rest => Ok(()),
            Phase::Last => {
                if std::mem::replace(&mut self.said_last, true) {
                    return Ok(());
                }
                for to in self.role.peers.clone() {
                    let saying = self.next_saying(Kind::Chat, to);
                    self.oracle.must_arrive(&saying);
                    self.say_message(connection, saying).await?;
                }
                for to in self.role.rooms.clone() {
                    let saying = self.next_saying(Kind::Room, to);
                    self.oracle.must_arrive(&saying);
                    self.say_message(connection, saying).await?;
                }
                Ok(())
            }
        }
    }

    /// Leaves its node for no reason, with its session or without.
    async fn leave(&mut self, connection: &mut Connection) -> Lost {
        if !self.role.ends {
            return Lost("goes elsewhere".into());
        }
        if let Err(lost) = connection.say("</stream:stream>").await {
            return lost;
        }
        self.session.take().into_iter().for_each(|session| self.again.extend(session.unsaid()));
        Lost("ends its session".into())
    }

    /// Takes what the server says; whether it was an acknowledgement.
    async fn heard(&mut self, connection: &mut Connection, heard: &Heard) -> Result<bool, Lost> {
        match heard.name.as_str() {
            "a" => {
                self.acknowledged(heard.attr("h").and_then(|h| h.parse().ok()).unwrap_or(u32::MAX));
                return Ok(true);
            }
            "r" => {
                let h = self.session.as_ref().map_or(0, |session| session.heard);
                connection.say(&format!("<a xmlns='urn:xmpp:sm:3' h='{h}'/>")).await?;
            }
            _ if heard.is_stanza() => {
                if let Some(session) = &mut self.session {
                    session.heard = session.heard.wrapping_add(1);
                }
                self.take(heard);
                // A new room waits for its owner's settings (XEP-0045 §10.1.2).
                if let (true, Some(room)) = (heard.has("code='201'"), heard.attr("from").and_then(occupant)) {
                    let submit = "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query>";
                    let iq =
                        format!("<iq type='set' id='i' to='r{}@conference.{DOMAIN}'>{submit}</iq>", room.0);
                    self.say(connection, iq, None).await?;
                }
            }
            _ => {}
        }
        Ok(false)
    }

    fn acknowledged(&mut self, h: u32) {
        let Some(session) = &mut self.session else { return };
        match session.acknowledged(h) {
            Ok(said) => {
                for saying in said.into_iter().filter_map(|said| said.saying) {
                    self.oracle.acknowledged(&saying, session.number);
                }
            }
            Err(fault) => {
                let what = format!("u{}: {fault}", self.role.number);
                self.oracle.fault(Invariant::ExactCount, &what);
            }
        }
    }

    fn take(&mut self, heard: &Heard) {
        let (me, Some(session)) = (self.role.number, &mut self.session) else { return };
        match heard.name.as_str() {
            "message" => {
                let Some((saying, of)) = heard.attr("id").and_then(Saying::read) else { return };
                match heard.attr("type") {
                    Some("error") => {
                        let is_room = saying.kind == Kind::Room;
                        // Who asked and was not let in yet may not speak: another may be making the room just then.
                        let may_speak = !is_room || session.is_in(saying.to, &format!("u{me}"));
                        if is_room {
                            // It is not in the room any more, whatever it was told: it enters again.
                            session.rooms.remove(&saying.to);
                        }
                        self.oracle.refused(&saying, &heard.xml, may_speak);
                    }
                    _ => self.oracle.heard(me, session.number, &saying, of),
                }
            }
            "presence" => {
                let Some((room, nick)) = heard.attr("from").and_then(occupant) else { return };
                let own = nick == format!("u{me}");
                let was_in = session.is_in(room, &format!("u{me}"));
                let occupants = session.rooms.entry(room).or_default();
                match heard.attr("type") {
                    None => {
                        occupants.insert(nick.to_owned());
                        if own {
                            session.put_out.remove(&room);
                            self.oracle.entered(me, session.number, room);
                        }
                    }
                    Some("unavailable") => {
                        occupants.remove(nick);
                        if own && was_in {
                            occupants.clear();
                            session.put_out.insert(room, heard.xml.clone());
                        }
                    }
                    // It will ask again.
                    Some(_) => {}
                }
                self.oracle.sees(me, room, session.rooms[&room].clone());
            }
            _ => {}
        }
    }
}

/// The room and the nick of an occupant.
fn occupant(from: &str) -> Option<(usize, &str)> {
    let (room, nick) = from.split_once('/')?;
    let number = room.strip_suffix(DOMAIN)?.strip_suffix("@conference.")?.strip_prefix('r')?;
    Some((number.parse().ok()?, nick))
}
