//! Sessions as owned actors.

use std::sync::Arc;

use jid::BareJid;
use muster_cluster::Role;
use muster_proto::machine::ToSocket;
use muster_proto::session::{Input, Session};
use muster_proto::stanza::{Condition, Stanza};

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

    fn stanza(input: &Input) -> Option<&Stanza> {
        match input {
            Input::Stanza(stanza) | Input::Client { stanza, .. } => Some(stanza),
            Input::Bind { .. } | Input::Closed { .. } | Input::NodeLost(_) => None,
            Input::AccountsLost(_) | Input::Order(_) => None,
        }
    }

    fn refuse(world: &Arc<World>, input: Input, condition: Condition) {
        match input {
            Input::Stanza(stanza) => world.route_all(stanza.error(condition)),
            Input::Bind { socket, .. } => world.tell(socket, ToSocket::Refused(condition.into())),
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

    fn give(self, world: &World, to: u64) -> Result<(), (Self, bool)> {
        world.send(to, Remote::AdoptSession(Box::new(self))).map_err(|(message, condition)| {
            let Remote::AdoptSession(session) = message else {
                unreachable!("the message that was given back")
            };
            (*session, condition == Condition::ResourceConstraint)
        })
    }
}
