//! Sessions as owned actors.

use std::sync::Arc;

use jid::BareJid;
use muster_cluster::{Lsn, Role};
use muster_proto::machine::ToSocket;
use muster_proto::session::{Change, Input, Session, Word};
use muster_proto::stanza::{Condition, Stanza};
use muster_proto::stream::{StreamCondition, StreamError};

use crate::copies::Copies;
use crate::office::Office;
use crate::owned::{Call, Owned};
use crate::remote::{Remote, SessionMail};
use crate::world::World;

impl Owned for Session {
    const ROLE: Role = Role::Sessions;
    const NAME: &'static str = "session";

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
            Input::Bind { .. } | Input::Word { .. } | Input::Resume { .. } | Input::Closed { .. } => None,
            Input::NodeLost(_) | Input::AccountsLost(_) | Input::Order(_) => None,
        }
    }

    fn refusal(input: &Input, condition: Condition) -> Option<Stanza> {
        match input {
            Input::Client { stanza, .. } => stanza.error(condition),
            // A managed client counts what it hears, and says it again.
            _ => None,
        }
    }

    fn refuse(world: &Arc<World>, input: Input, condition: Condition) {
        match input {
            Input::Stanza(stanza) => world.route_all(stanza.error(condition)),
            Input::Bind { socket, .. } => world.tell(socket, ToSocket::Refused(condition.into())),
            Input::Word { socket, word: Word::Enable { .. }, .. } => {
                world.tell(socket, ToSocket::NotEnabled(condition));
            }
            // The next one says the same and more.
            Input::Word { word: Word::Acked(_), .. } => {}
            // What is not handled must not be counted: the client comes back and says it again.
            Input::Word { socket, .. } | Input::Resume { socket, .. } => {
                let why = "too busy; please resume in a while";
                let why = StreamError::because(StreamCondition::ResourceConstraint, why);
                world.tell(socket, ToSocket::Interrupt(why));
            }
            // Its socket was told.
            Input::Client { .. }
            | Input::Closed { .. }
            | Input::NodeLost(_)
            | Input::AccountsLost(_)
            | Input::Order(_) => {}
        }
    }

    fn send(
        world: &World,
        to: u64,
        address: &BareJid,
        call: Call<Self>,
    ) -> Result<(), (Call<Self>, Condition)> {
        let Call::Input(input, receipt) = call else { return Ok(()) };
        let Some(mail) = SessionMail::from_input(input, receipt) else { return Ok(()) };
        let message = Remote::Session { epoch: world.epoch(), address: address.clone(), mail };
        world.send(to, message).map_err(|(message, condition)| {
            let Remote::Session { mail, .. } = message else {
                unreachable!("the message that was given back")
            };
            let (input, receipt) = mail.into_input();
            (Call::Input(input, receipt), condition)
        })
    }

    fn give(self, world: &World, to: u64) -> Result<(), (Self, Condition)> {
        world.send(to, Remote::AdoptSession(Box::new(self))).map_err(|(message, condition)| {
            let Remote::AdoptSession(session) = message else {
                unreachable!("the message that was given back")
            };
            (*session, condition)
        })
    }

    fn copy(self, lsn: Lsn) -> Remote {
        Remote::CopySession { lsn: lsn.0, session: Box::new(self) }
    }

    fn changes(&self, lsn: Lsn, changes: Vec<Change>) -> Remote {
        Remote::SessionChanged { address: self.address.clone(), lsn: lsn.0, changes }
    }
}
