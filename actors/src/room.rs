//! Rooms as owned actors.

use std::sync::Arc;

use jid::BareJid;
use muster_cluster::{Lsn, Role};
use muster_proto::room::{Change, Input, Room};
use muster_proto::stanza::{Condition, Stanza};

use crate::copies::Copies;
use crate::office::Office;
use crate::owned::{Call, Owned};
use crate::remote::Remote;
use crate::world::World;

impl Owned for Room {
    const ROLE: Role = Role::Rooms;
    const NAME: &'static str = "room";

    fn office(world: &World) -> &Office<Self> {
        &world.rooms
    }

    fn copies(world: &World) -> &Copies<Self> {
        &world.room_copies
    }

    fn stanza(input: &Input) -> Option<&Stanza> {
        match input {
            Input::Stanza(stanza) => Some(stanza),
            Input::AccountsLost(_) => None,
        }
    }

    fn refuse(world: &Arc<World>, input: Input, condition: Condition) {
        if let Input::Stanza(stanza) = input {
            world.route_all(stanza.error(condition));
        }
    }

    fn send(
        world: &World,
        to: u64,
        address: &BareJid,
        call: Call<Self>,
    ) -> Result<(), (Call<Self>, Condition)> {
        let Call::Input(Input::Stanza(stanza), receipt) = call else { return Ok(()) };
        let message = Remote::Room { epoch: world.epoch(), address: address.clone(), stanza };
        world.send(to, message).map_err(|(message, condition)| {
            let Remote::Room { stanza, .. } = message else {
                unreachable!("the message that was given back")
            };
            (Call::Input(Input::Stanza(stanza), receipt), condition)
        })
    }

    fn give(self, world: &World, to: u64) -> Result<(), (Self, Condition)> {
        world.send(to, Remote::AdoptRoom(Box::new(self))).map_err(|(message, condition)| {
            let Remote::AdoptRoom(room) = message else { unreachable!("the message that was given back") };
            (*room, condition)
        })
    }

    fn copy(self, lsn: Lsn) -> Remote {
        Remote::CopyRoom { lsn: lsn.0, room: Box::new(self) }
    }

    fn changes(&self, lsn: Lsn, changes: Vec<Change>) -> Remote {
        Remote::RoomChanged { address: self.address.clone(), lsn: lsn.0, changes }
    }
}
