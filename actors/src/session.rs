//! Sessions as owned actors.

use std::sync::Arc;

use jid::BareJid;
use muster_cluster::{Lsn, Role};
use muster_proto::machine::{Out, SocketId, ToSocket};
use muster_proto::session::{Ask, Change, Input, Session, Word};
use muster_proto::stanza::{Condition, Stanza};
use muster_proto::stream::{StreamCondition, StreamError};

use crate::copies::Copies;
use crate::deliveries::Goods;
use crate::ledger::{Ledger, Note};
use crate::office::Office;
use crate::owned::{Owned, Spoken};
use crate::receipt::Via;
use crate::remote::{Remote, SessionMail};
use crate::world::World;

impl Owned for Session {
    const ROLE: Role = Role::Sessions;
    const NAME: &'static str = "session";
    const MULTIPLIES: bool = false;

    fn office(world: &World) -> &Office<Self> {
        &world.sessions
    }

    fn copies(world: &World) -> &Copies<Self> {
        &world.session_copies
    }

    fn stanza(input: &Input) -> Option<&Stanza> {
        match input {
            Input::Stanza(stanza) | Input::Client { stanza, .. } => Some(stanza),
            Input::Word { word: Word::Stanza(_, stanza), .. } => Some(stanza),
            Input::Enter { .. } | Input::Word { .. } | Input::Closed { .. } => None,
            Input::Reattach { .. } | Input::NodeLost(_) | Input::AddressesLost(_) | Input::Order(_) => None,
        }
    }

    fn refusal(input: &Input, condition: Condition) -> Option<Stanza> {
        match input {
            Input::Client { stanza, .. } => stanza.error(condition),
            // A managed client counts what it hears, and says it again.
            _ => None,
        }
    }

    fn refuse(world: &Arc<World>, input: Input, condition: Condition, via: &Via) {
        match input {
            Input::Stanza(stanza) => world.route_error(&stanza, condition, via),
            Input::Enter { socket, ask: Ask::Bind { .. }, .. } => {
                world.tell(socket, ToSocket::Refused(condition.into()))
            }
            Input::Word { socket, word: Word::Enable { .. }, .. } => {
                world.tell(socket, ToSocket::NotEnabled(condition));
            }
            // The next one says the same and more.
            Input::Word { word: Word::Acked(_), .. } => {}
            // What is not handled must not be counted: the client comes back and says it again.
            Input::Word { socket, .. } | Input::Enter { socket, .. } | Input::Reattach { socket, .. } => {
                let why = "too busy; please resume in a while";
                let why = StreamError::because(StreamCondition::ResourceConstraint, why);
                world.tell(socket, ToSocket::Interrupt(why));
            }
            // Its socket was told.
            Input::Client { .. }
            | Input::Closed { .. }
            | Input::NodeLost(_)
            | Input::AddressesLost(_)
            | Input::Order(_) => {}
        }
    }

    fn goods(address: &BareJid, input: Input) -> Result<Goods, Input> {
        match input {
            Input::Stanza(_) | Input::Order(_) | Input::Closed { .. } => {
                let mail = SessionMail::from_input(input, None).expect("these cross links");
                Ok(Goods::Session(address.clone(), mail))
            }
            input => Err(input),
        }
    }

    fn send(
        world: &World,
        to: u64,
        address: &BareJid,
        input: Input,
        said: Option<(SocketId, u64)>,
    ) -> Result<(), (Input, Condition)> {
        let Some(mail) = SessionMail::from_input(input, said) else { return Ok(()) };
        let message = Remote::Session { epoch: world.epoch(), address: address.clone(), mail };
        world.send(to, message).map_err(|(message, condition)| {
            let Remote::Session { mail, .. } = message else {
                unreachable!("the message that was given back")
            };
            (mail.into_input(), condition)
        })
    }

    fn give(self, world: &World, to: u64, ledger: &Ledger) -> Result<(), (Self, Condition)> {
        world.send(to, Remote::AdoptSession(Box::new(self), ledger.clone())).map_err(
            |(message, condition)| {
                let Remote::AdoptSession(session, _) = message else {
                    unreachable!("the message that was given back")
                };
                (*session, condition)
            },
        )
    }

    fn copy(self, epoch: u64, lsn: Lsn, ledger: Ledger) -> Remote {
        Remote::CopySession { epoch, lsn: lsn.0, session: Box::new(self), ledger }
    }

    fn orphan(self, ledger: Ledger) -> Remote {
        Remote::OrphanSession(Box::new(self), ledger)
    }

    fn changes(&self, epoch: u64, lsn: Lsn, changes: Vec<Change>, note: Note) -> Remote {
        Remote::SessionChanged { epoch, address: self.address.clone(), lsn: lsn.0, changes, note }
    }

    fn spoken(input: &Input) -> Spoken {
        match input {
            Input::Client { sid, .. } => Spoken::Says { sid: *sid, number: None, counts: true },
            Input::Word { sid, word, .. } => match word {
                Word::Stanza(number, _) | Word::Answered(number, _) => {
                    Spoken::Says { sid: *sid, number: Some(*number), counts: true }
                }
                Word::AckRequested(_) => Spoken::Asks { sid: *sid },
                Word::Enable { .. } | Word::Acked(_) => {
                    Spoken::Says { sid: *sid, number: None, counts: false }
                }
            },
            Input::Enter { ask: Ask::Resume { .. }, .. } => Spoken::Resumes,
            _ => Spoken::Other,
        }
    }

    fn count(&mut self, sid: u64, number: u32, out: &mut Out<Self>) {
        Self::count(self, sid, number, out);
    }

    fn known(input: Input) -> Option<Input> {
        match input {
            // The number is counted all the same.
            Input::Word { sid, socket, word: Word::Stanza(number, _) | Word::Answered(number, _) } => {
                Some(Input::Word { sid, socket, word: Word::Answered(number, None) })
            }
            _ => None,
        }
    }

    fn again(input: &Input) -> Option<Input> {
        match input {
            Input::Word { sid, socket, word: word @ Word::AckRequested(_) } => {
                Some(Input::Word { sid: *sid, socket: *socket, word: word.clone() })
            }
            _ => None,
        }
    }
}
