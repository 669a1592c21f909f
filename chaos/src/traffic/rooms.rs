//! Rooms whose occupants talk in turn (XEP-0045); all sessions are managed.

use std::time::Duration;

use memchr::memmem::find;

use super::{Size, Traffic};
use crate::client::{ClientId, attribute};
use crate::history::{History, Kind, RoomAtRest};
use crate::load::body::Letter;
use crate::play::Stage;

const ROOMS: usize = 3;
const OCCUPANTS: usize = 5;
/// In each room somebody speaks so often.
const EVERY: Duration = Duration::from_millis(350);
/// Who could not enter tries again after this.
const AGAIN: Duration = Duration::from_secs(1);
const MESSAGE_BYTES: usize = 240;

struct Room {
    address: String,
    letter: Letter,
    next: Duration,
    turn: usize,
    /// Who it says is in it, when it was asked at rest.
    are: Option<Vec<String>>,
    asked: bool,
}

/// Rooms of five.
pub(super) struct Rooms {
    first: ClientId,
    rooms: Vec<Room>,
    inside: Vec<bool>,
    /// When an occupant tries to enter again.
    again: Vec<Option<Duration>>,
    should: Vec<Vec<String>>,
    opened: bool,
}

pub(super) fn make(first: ClientId, size: &Size) -> Box<dyn Traffic> {
    let room = |number: usize| {
        let address = format!("room-{number}@{}", size.conference);
        let letter = Letter::new(&address, "groupchat", MESSAGE_BYTES);
        Room { address, letter, next: Duration::ZERO, turn: 0, are: None, asked: false }
    };
    let rooms: Vec<_> = (0..size.of(ROOMS)).map(room).collect();
    let count = rooms.len() * OCCUPANTS;
    Box::new(Rooms {
        first,
        rooms,
        inside: vec![false; count],
        again: vec![None; count],
        should: Vec::new(),
        opened: false,
    })
}

impl Rooms {
    fn enter(&mut self, id: ClientId, stage: &mut Stage<'_>) {
        let index = id - self.first;
        (self.inside[index], self.again[index]) = (false, None);
        let room = &self.rooms[index / OCCUPANTS].address;
        let muc = "<x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x>";
        stage.say(id, format!("<presence to='{room}/n{id}'>{muc}</presence>"));
    }

    fn presence(&mut self, id: ClientId, stanza: &[u8], stage: &mut Stage<'_>) {
        let index = id - self.first;
        let own = format!("{}/n{id}", self.rooms[index / OCCUPANTS].address);
        if attribute(stanza, "from").as_deref() != Some(own.as_str()) {
            return;
        }
        match attribute(stanza, "type").as_deref() {
            None => {
                self.inside[index] = true;
                // XEP-0045 §10.1.2: who makes a room opens it as it is.
                if find(stanza, b"code='201'").or_else(|| find(stanza, b"code=\"201\"")).is_some() {
                    let room = &self.rooms[index / OCCUPANTS].address;
                    let form = "<x xmlns='jabber:x:data' type='submit'/>";
                    let query = format!("<query xmlns='http://jabber.org/protocol/muc#owner'>{form}</query>");
                    stage.say(id, format!("<iq type='set' id='open' to='{room}'>{query}</iq>"));
                }
                if let Some(life) = stage.life(id) {
                    let (room, now) = (index / OCCUPANTS, stage.now);
                    stage.history().lives[life].room.get_or_insert((room, now));
                }
            }
            // It is still closed, or the name is still taken.
            Some("error") if !self.inside[index] => self.again[index] = Some(stage.now + AGAIN),
            Some("unavailable") if self.inside[index] => {
                self.inside[index] = false;
                let what =
                    format!("client {id} was put out of its room: {}", String::from_utf8_lossy(stanza));
                stage.complain("rooms-keep-their-occupants", what);
                self.again[index] = Some(stage.now + AGAIN);
            }
            _ => {}
        }
    }

    /// The nicknames that a room tells (XEP-0045 §6.5).
    fn answer(&mut self, stanza: &[u8]) {
        let Some(number) = attribute(stanza, "id").and_then(|id| id.strip_prefix("who")?.parse().ok()) else {
            return;
        };
        let Some(room): Option<&mut Room> = self.rooms.get_mut::<usize>(number) else { return };
        let text = String::from_utf8_lossy(stanza);
        let items = text.split("<item").skip(1);
        let nick = |item: &str| {
            let jid = attribute(format!("<item{item}").as_bytes(), "jid")?;
            Some(jid.split_once('/')?.1.to_owned())
        };
        room.are = (attribute(stanza, "type").as_deref() == Some("result"))
            .then(|| items.filter_map(nick).collect());
        room.asked = false;
    }
}

impl Traffic for Rooms {
    fn clients(&self) -> usize {
        self.inside.len()
    }

    fn bound(&mut self, id: ClientId, stage: &mut Stage<'_>) {
        stage.say(id, "<presence/>");
        self.enter(id, stage);
    }

    fn heard(&mut self, id: ClientId, stanza: &[u8], stage: &mut Stage<'_>) {
        match stanza.get(1) {
            Some(b'm') => drop(stage.receive(id, stanza)),
            Some(b'p') => self.presence(id, stanza, stage),
            _ => self.answer(stanza),
        }
    }

    fn tick(&mut self, stage: &mut Stage<'_>) {
        if !self.opened {
            self.opened = true;
            (0..self.inside.len()).for_each(|index| stage.open(self.first + index));
        }
        for index in 0..self.again.len() {
            if self.again[index].is_some_and(|at| stage.now >= at) && stage.is_in(self.first + index) {
                self.enter(self.first + index, stage);
            }
        }
        for (number, room) in self.rooms.iter_mut().enumerate() {
            let speaker = number * OCCUPANTS + room.turn % OCCUPANTS;
            if stage.composing && stage.now >= room.next {
                room.next = stage.now.max(room.next + EVERY);
                room.turn += 1;
                // Who is outside would be refused.
                if self.inside[speaker] {
                    stage.compose(Kind::Room, self.first + speaker, number, &mut room.letter);
                }
            }
        }
    }

    fn ask(&mut self, stage: &mut Stage<'_>) {
        for (number, room) in self.rooms.iter_mut().enumerate() {
            let occupants = number * OCCUPANTS..(number + 1) * OCCUPANTS;
            let in_it = |index: &usize| self.inside[*index] && stage.is_in(self.first + index);
            let should: Vec<_> = occupants.clone().filter(in_it).collect();
            if let Some(asks) = should.first() {
                let (id, to) = (self.first + asks, &room.address);
                let query = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
                stage.say(id, format!("<iq type='get' id='who{number}' to='{to}'>{query}</iq>"));
                room.asked = true;
            }
            self.should.push(should.into_iter().map(|index| format!("n{}", self.first + index)).collect());
        }
    }

    fn is_answered(&self) -> bool {
        self.rooms.iter().all(|room| !room.asked)
    }

    fn conclude(&self, history: &mut History) {
        for (room, should) in self.rooms.iter().zip(&self.should) {
            let (address, should, are) = (room.address.clone(), should.clone(), room.are.clone());
            history.rest.rooms.push(RoomAtRest { address, should, are });
        }
    }
}
