//! Clients of the world whose streams are managed (XEP-0198), and time that passes.

use jid::BareJid;

use super::{Client, Event, Socket, World};
use crate::machine::{Machine, Resumption, Timestamp, ToSocket};
use crate::session::{self, Word};

/// What a client counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Stanzas that it said.
    pub said: u32,
    /// Stanzas that it heard.
    pub heard: u32,
}

impl World {
    /// The client asks that its stream be managed; the id by which it may resume, and for how many seconds.
    pub fn enables(&mut self, client: Client, resume: bool, max: Option<u32>) -> (Option<String>, u32) {
        self.word(client, Word::Enable { resume, max });
        let enabled = self.takes(client).into_iter().find_map(|told| match told {
            ToSocket::Enabled { id, max } => Some((id, max)),
            _ => None,
        });
        enabled.expect("the stream is managed")
    }

    /// The client acknowledges what it heard up to `h`.
    pub fn acks(&mut self, client: Client, h: u32) {
        self.word(client, Word::Acked(h));
    }

    /// The client asks how many of its stanzas were handled. What it heard before is forgotten.
    pub fn asks(&mut self, client: Client) -> Option<u32> {
        let said = self.counted(client)?.said;
        self.word(client, Word::AckRequested(said));
        self.takes(client).into_iter().find_map(|told| match told {
            ToSocket::Ack(h) => Some(h),
            _ => None,
        })
    }

    /// What a managed client has counted.
    pub fn counted(&self, client: Client) -> Option<Counted> {
        self.sockets[client.0].counted
    }

    /// A client that has just logged in wants to go on with a session; see [`World::resumed`] for what came of it.
    pub fn resumes(&mut self, account: &str, id: &str, h: u32) -> Client {
        let account = BareJid::new(account).expect("the test's JID is valid");
        self.comes_in(&account, session::Ask::Resume { id: id.to_owned(), h })
    }

    /// How the client's session went on: or, if it did not, how many of its stanzas were handled, if that was known.
    pub fn resumed(&self, client: Client) -> Option<Result<Resumption, Option<u32>>> {
        self.sockets[client.0].resumed.clone()
    }

    /// The client says something that is no stanza.
    pub fn word(&mut self, client: Client, word: Word) {
        let socket = &self.sockets[client.0];
        let (Some(account), Some((sid, _))) = (socket.address.clone(), &socket.bound) else {
            panic!("{client:?} is not bound");
        };
        let input = session::Input::Word { sid: *sid, socket: client.socket(), word };
        self.happens(Event::Session(account, input));
    }

    /// Everything that the client was told since it was last asked.
    pub fn takes(&mut self, client: Client) -> Vec<ToSocket> {
        std::mem::take(&mut self.sockets[client.0].told)
    }

    /// The first thing that it was told of those that were not taken yet.
    pub fn takes_next(&mut self, client: Client) -> Option<ToSocket> {
        let told = &mut self.sockets[client.0].told;
        (!told.is_empty()).then(|| told.remove(0))
    }

    /// Time passes, and rings at whom it should.
    pub fn wait(&mut self, seconds: u64) {
        let until = Timestamp(self.now.0 + seconds * 1_000);
        loop {
            let alarms = self.sessions.iter().map(|(address, copies)| (copies.machine().alarm(), address));
            let next = alarms.filter_map(|(alarm, address)| Some((alarm?, address.clone()))).min();
            let Some((alarm, address)) = next.filter(|(alarm, _)| *alarm <= until) else { break };
            self.now = self.now.max(alarm);
            self.happens(Event::SessionAlarm(address));
        }
        self.now = until;
    }
}

impl Socket {
    /// A managed client is told something: it counts.
    pub(super) fn count(&mut self, told: &ToSocket) {
        match told {
            ToSocket::Enabled { .. } => self.counted = Some(Counted::default()),
            ToSocket::Resumed(how) => {
                self.counted = Some(Counted { said: how.heard, heard: how.sent });
                self.bound = Some((how.sid, how.jid.clone()));
                self.resumed = Some(Ok((**how).clone()));
            }
            ToSocket::NotResumed(h) => self.resumed = Some(Err(*h)),
            ToSocket::Counted(number, _) => {
                let counted = self.counted.as_mut().expect("only a managed client's stanzas have numbers");
                counted.heard = counted.heard.wrapping_add(1);
                assert_eq!(counted.heard, *number, "no number is left out");
            }
            _ => {}
        }
    }
}
