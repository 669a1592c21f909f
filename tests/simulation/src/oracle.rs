//! Knows what was said, acknowledged and heard, and tells what must not be. A lost acknowledgement means nothing: what it
//! spoke of may have happened or not.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use crate::client::Role;
use crate::client::session::{Kind, Saying};
use crate::history::History;
use crate::invariant::Invariant;
use crate::network::Place;
use crate::note;

/// What clients do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// They talk.
    Talk,
    /// They say nothing.
    Rest,
    /// Each says one more thing to everybody, which must arrive.
    Last,
}

/// A client's session: its number, and which of its sessions.
type Life = (usize, u32);

/// The oracle.
pub struct Oracle {
    history: History,
    phase: Cell<Phase>,
    known: RefCell<Known>,
}

#[derive(Default)]
struct Known {
    said: BTreeMap<Saying, Fate>,
    /// By receiver and its session, in order.
    heard: BTreeMap<Life, Vec<(Saying, u32)>>,
    once: BTreeSet<(Life, Saying, u32)>,
    last: BTreeMap<(Life, Kind, usize, usize, u32), u32>,
    must: BTreeSet<Saying>,
    lives: BTreeMap<usize, u32>,
    online: BTreeSet<usize>,
    /// When a session entered a room.
    entered: BTreeMap<(Life, usize), Instant>,
    sees: BTreeMap<(usize, usize), BTreeSet<String>>,
    faults: Vec<(Invariant, String)>,
}

#[derive(Default)]
struct Fate {
    /// When it was said last.
    at: Option<Instant>,
    acked: bool,
    refused: bool,
    /// By whom.
    heard: BTreeSet<usize>,
}

impl Oracle {
    /// One that knows nothing yet.
    pub fn new(history: History) -> Self {
        Self { history, phase: Cell::new(Phase::Talk), known: RefCell::default() }
    }

    /// What clients do now.
    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// They do something else from now on.
    pub fn set_phase(&self, phase: Phase) {
        note!(self.history, "phase: {phase:?}");
        self.phase.set(phase);
    }

    /// Something that must not be.
    pub fn fault(&self, invariant: Invariant, what: &str) {
        note!(self.history, "!! {invariant:?}: {what}");
        self.known.borrow_mut().faults.push((invariant, what.to_owned()));
    }

    /// All that must not be.
    pub fn faults(&self) -> Vec<(Invariant, String)> {
        self.known.borrow().faults.clone()
    }

    /// A client has a session on a connection.
    pub fn connected(&self, client: usize, node: Place) {
        note!(self.history, "u{client} is at n{node}");
        self.known.borrow_mut().online.insert(client);
    }

    /// It has none any more.
    pub fn disconnected(&self, client: usize, node: Place, why: &str) {
        note!(self.history, "u{client} is not at n{node}: {why}");
        self.known.borrow_mut().online.remove(&client);
    }

    /// A new session.
    pub fn began(&self, client: usize, session: u32, node: Place) {
        note!(self.history, "u{client} begins session {session} at n{node}");
        self.known.borrow_mut().lives.insert(client, session);
    }

    /// The same session, elsewhere.
    pub fn resumed(&self, client: usize, node: Place, h: u32) {
        note!(self.history, "u{client} resumes at n{node} with h={h}");
    }

    /// It could not be resumed.
    pub fn session_lost(&self, client: usize, session: u32, why: &str) {
        self.fault(Invariant::SessionSurvives, &format!("session {session} of u{client}: {why}"));
    }

    /// A message is said, or said again in another session.
    pub fn said(&self, saying: &Saying, session: u32) {
        note!(self.history, "u{} says {}", saying.from, saying.id(session));
        self.known.borrow_mut().said.entry(saying.clone()).or_default().at = Some(Instant::now());
    }

    /// A message that must arrive.
    pub fn must_arrive(&self, saying: &Saying) {
        self.known.borrow_mut().must.insert(saying.clone());
    }

    /// The server has handled it.
    pub fn acknowledged(&self, saying: &Saying, session: u32) {
        note!(self.history, "u{} is acknowledged {}", saying.from, saying.id(session));
        self.known.borrow_mut().said.entry(saying.clone()).or_default().acked = true;
    }

    /// It came back, and should not if who said it `may_speak`.
    pub fn refused(&self, saying: &Saying, why: &str, may_speak: bool) {
        self.known.borrow_mut().said.entry(saying.clone()).or_default().refused = true;
        if may_speak {
            self.fault(Invariant::NotRefused, &format!("{} came back: {why}", saying.id(0)));
        }
    }

    /// A client hears a message that was said in that session of its sender.
    pub fn heard(&self, client: usize, session: u32, saying: &Saying, of: u32) {
        note!(self.history, "u{client} hears {}", saying.id(of));
        let life = (client, session);
        let (mut doubled, mut late) = (false, None);
        {
            let mut known = self.known.borrow_mut();
            known.said.entry(saying.clone()).or_default().heard.insert(client);
            if known.once.insert((life, saying.clone(), of)) {
                known.heard.entry(life).or_default().push((saying.clone(), of));
                let line = (life, saying.kind.clone(), saying.from, saying.to, of);
                late = known.last.insert(line, saying.number).filter(|last| *last > saying.number);
            } else {
                doubled = true;
            }
        }
        let id = saying.id(of);
        if doubled {
            self.fault(Invariant::NotDoubled, &format!("u{client} hears {id} twice in session {session}"));
        }
        if let Some(last) = late {
            self.fault(Invariant::PairOrder, &format!("u{client} hears {id} after number {last}"));
        }
    }

    /// A client is in a room.
    pub fn entered(&self, client: usize, session: u32, room: usize) {
        self.known.borrow_mut().entered.entry(((client, session), room)).or_insert_with(Instant::now);
    }

    /// A client is told that it is not in a room any more.
    pub fn put_out(&self, client: usize, room: usize, why: &str) {
        self.known.borrow_mut().entered.retain(|((who, _), of), _| (*who, *of) != (client, room));
        self.fault(Invariant::RoomSurvives, &format!("u{client} is put out of r{room}: {why}"));
    }

    /// Whom a client sees in a room.
    pub fn sees(&self, client: usize, room: usize, occupants: BTreeSet<String>) {
        self.known.borrow_mut().sees.insert((client, room), occupants);
    }

    /// Whether all that must arrive has.
    pub fn is_served(&self, roles: &[Role]) -> bool {
        let known = self.known.borrow();
        known.must.iter().all(|saying| known.missing(saying, roles).is_empty())
    }

    /// Looks at everything once more, at the end.
    pub fn judge(&self, roles: &[Role]) {
        let mut found = vec![];
        {
            let known = self.known.borrow();
            known.judge_kept(roles, &mut found);
            known.judge_rooms(roles, &mut found);
            for saying in &known.must {
                let missing = known.missing(saying, roles);
                if !missing.is_empty() {
                    let what = format!("{} does not reach {missing:?}", saying.id(0));
                    found.push((Invariant::ServiceReturns, what));
                }
            }
            for role in roles.iter().filter(|role| !known.online.contains(&role.number)) {
                found.push((Invariant::ServiceReturns, format!("u{} is not connected", role.number)));
            }
        }
        found.iter().for_each(|(invariant, what)| self.fault(*invariant, what));
    }
}

impl Known {
    /// Who should have heard a message and has not.
    fn missing(&self, saying: &Saying, roles: &[Role]) -> Vec<usize> {
        let heard = self.said.get(saying).map(|fate| &fate.heard);
        let receivers: Vec<usize> = match saying.kind {
            Kind::Chat => vec![saying.to],
            Kind::Room => {
                roles.iter().filter(|role| role.rooms.contains(&saying.to)).map(|role| role.number).collect()
            }
        };
        receivers.into_iter().filter(|client| heard.is_none_or(|heard| !heard.contains(client))).collect()
    }

    fn judge_kept(&self, roles: &[Role], found: &mut Vec<(Invariant, String)>) {
        for (saying, fate) in self.said.iter().filter(|(_, fate)| fate.acked && !fate.refused) {
            let mut missing = self.missing(saying, roles);
            if saying.kind == Kind::Room {
                // Who came later does not hear it.
                missing.retain(|client| {
                    let life = (*client, self.lives.get(client).copied().unwrap_or_default());
                    self.entered.get(&(life, saying.to)).is_some_and(|entered| Some(*entered) < fate.at)
                });
            }
            if !missing.is_empty() {
                found.push((
                    Invariant::Kept,
                    format!("{} was acknowledged, and not heard by {missing:?}", saying.id(0)),
                ));
            }
        }
    }

    fn judge_rooms(&self, roles: &[Role], found: &mut Vec<(Invariant, String)>) {
        let rooms: BTreeSet<usize> = roles.iter().flat_map(|role| role.rooms.iter().copied()).collect();
        for room in rooms {
            let members: Vec<usize> =
                roles.iter().filter(|role| role.rooms.contains(&room)).map(|role| role.number).collect();
            let nicks: BTreeSet<String> = members.iter().map(|client| format!("u{client}")).collect();
            for client in &members {
                let seen = self.sees.get(&(*client, room)).cloned().unwrap_or_default();
                if seen != nicks {
                    found.push((
                        Invariant::Membership,
                        format!("u{client} sees {seen:?} in r{room}, not {nicks:?}"),
                    ));
                }
            }
            self.judge_order(room, found);
        }
    }

    /// Whatever two sessions both heard, they heard in the same order.
    fn judge_order(&self, room: usize, found: &mut Vec<(Invariant, String)>) {
        let of_room = |all: &Vec<(Saying, u32)>| -> Vec<(Saying, u32)> {
            all.iter().filter(|(saying, _)| saying.kind == Kind::Room && saying.to == room).cloned().collect()
        };
        let lines: Vec<(&Life, Vec<(Saying, u32)>)> =
            self.heard.iter().map(|(life, all)| (life, of_room(all))).collect();
        for (at, (one, first)) in lines.iter().enumerate() {
            let places: BTreeMap<&(Saying, u32), usize> =
                first.iter().enumerate().map(|(place, heard)| (heard, place)).collect();
            for (other, second) in &lines[at + 1..] {
                let both: Vec<usize> = second.iter().filter_map(|heard| places.get(heard).copied()).collect();
                if let Some(turn) = both.windows(2).position(|two| two[0] > two[1]) {
                    let what = format!(
                        "{one:?} and {other:?} hear {} in r{room} at different places",
                        first[both[turn]].0.id(first[both[turn]].1)
                    );
                    found.push((Invariant::RoomOrder, what));
                }
            }
        }
    }
}
