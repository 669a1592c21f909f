//! How sessions come in, lose their connection, and go on at another node.

use std::time::Duration;

use rand::Rng;

use super::session::{Place, WrongCount};
use super::{ASK_EVERY, ASK_IDLE, PATIENCE, Play};
use crate::client::{ClientId, Clients};
use crate::history::{Absence, Complaint, Life, Refusal};

/// The pause after a try that failed.
const PAUSE: std::ops::Range<u64> = 50..250;

impl Play {
    /// A connection came in: with its session, or with a new one.
    pub(super) fn enter(&mut self, id: ClientId, clients: &mut Clients) {
        let (now, entrance) = (self.chronicle.now(), clients.entrance(id).clone());
        let session = &mut self.sessions[id];
        let (lost_at, tried) = (session.lost_at.take(), std::mem::take(&mut session.tried));
        (session.place, session.asked_at, session.last_ask) = (Place::In, None, now);
        if let Some(h) = entrance.resumed {
            let (life, left, found) = (session.life, session.left, session.node);
            if let (Some(life), Some(from)) = (life, lost_at) {
                let why = session.lost_for.clone();
                let absence = Absence { life, from, to: now, left, why, tried, found, h };
                self.chronicle.write().absences.push(absence);
            }
            self.handled(id, h);
            self.sessions[id].say_again();
        } else {
            if let (Some(life), Some(why)) = (session.life, entrance.refused) {
                let (left, node) = (session.left, session.node);
                let lost = lost_at.map(|at| (at, session.lost_for.clone()));
                let mut history = self.chronicle.write();
                history.refusals.push(Refusal { life, at: now, left, lost, node, why });
                history.lives[life].to = Some(now);
            }
            let mut history = self.chronicle.write();
            let life = history.lives.len();
            history.lives.push(Life { client: id, from: now, to: None, room: None });
            drop(history);
            self.sessions[id].begin(life, entrance.id);
            self.with(self.owner[id], clients, |traffic, stage| traffic.bound(id, stage));
        }
        self.with(self.owner[id], clients, |_, stage| stage.write(id));
    }

    /// The server has counted.
    pub(super) fn handled(&mut self, id: ClientId, h: u32) {
        let now = self.chronicle.now();
        let mut history = self.chronicle.write();
        match self.sessions[id].handled(h) {
            Ok(messages) => messages.into_iter().for_each(|message| {
                history.messages[message].acked_at.get_or_insert(now);
            }),
            Err(wrong) => {
                let what = match wrong {
                    WrongCount::Falls { from, to } => format!("client {id}: h fell from {from} to {to}"),
                    WrongCount::Exceeds { sent, h } => {
                        format!("client {id}: h is {h}, but only {sent} stanzas were sent")
                    }
                };
                history.complaints.push(Complaint { at: now, about: "h-is-exact", what });
            }
        }
    }

    /// A connection is gone.
    pub(super) fn lose(&mut self, id: ClientId, why: &str) {
        let now = self.chronicle.now();
        let session = &mut self.sessions[id];
        if session.place == Place::Closed {
            return;
        }
        if session.is_in() {
            session.lost_at = Some(now);
            why.clone_into(&mut session.lost_for);
            session.left = session.node;
        } else if let Place::Entering { since } = session.place {
            let took = (now - since).as_secs_f64();
            session.tried.push(format!("node-{} for {took:.2} s: {why}", session.node));
        }
        if why.contains("handled-count-too-high") {
            let what = format!("client {id}: {why}");
            self.chronicle.write().complaints.push(Complaint { at: now, about: "h-is-exact", what });
        }
        let pause = Duration::from_millis(self.chance.random_range(PAUSE));
        let session = &mut self.sessions[id];
        session.place = Place::Away { next: now + pause };
        session.asked_at = None;
    }

    /// Asks for acknowledgements, leaves servers that do not answer, and tries again elsewhere.
    pub(super) fn keep_in_touch(&mut self, clients: &mut Clients) {
        let now = self.chronicle.now();
        for id in 0..self.sessions.len() {
            let session = &mut self.sessions[id];
            match session.place {
                Place::Closed => {}
                Place::In => {
                    if session.asked_at.is_some_and(|asked| now > asked + PATIENCE) {
                        clients.cut(id);
                        self.lose(id, "no answer");
                        continue;
                    }
                    let pause = if session.is_owed() { ASK_EVERY } else { ASK_IDLE };
                    if session.asked_at.is_none() && now > session.last_ask + pause {
                        (session.asked_at, session.last_ask) = (Some(now), now);
                        clients.say(id, b"<r xmlns='urn:xmpp:sm:3'/>");
                    }
                }
                Place::Entering { since } if now > since + PATIENCE => {
                    clients.cut(id);
                    self.lose(id, "no answer to a log-in");
                }
                Place::Entering { .. } => {}
                Place::Away { next } if now >= next => {
                    let node = self.another_node(id);
                    let session = &mut self.sessions[id];
                    let ticket = session.ticket(clients.taken(id));
                    (session.node, session.place) = (node, Place::Entering { since: now });
                    clients.open_at(id, node, ticket);
                }
                Place::Away { .. } => {}
            }
        }
    }

    /// Any node but the one that it was at last.
    fn another_node(&mut self, id: ClientId) -> usize {
        let last = self.sessions[id].node;
        if self.sessions[id].life.is_none() && self.sessions[id].lost_at.is_none() {
            return (id + self.chance.random_range(0..self.nodes)) % self.nodes;
        }
        let step = self.chance.random_range(1..self.nodes.max(2));
        (last + step) % self.nodes
    }
}
