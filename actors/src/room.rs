//! Rooms as owned actors.

use std::sync::Arc;

use jid::BareJid;
use muster_cluster::{Lsn, Role};
use muster_proto::machine::SocketId;
use muster_proto::room::{Change, Input, Room};
use muster_proto::stanza::{Condition, Stanza};

use crate::copies::Copies;
use crate::deliveries::Goods;
use crate::ledger::{Ledger, Note};
use crate::office::Office;
use crate::owned::Owned;
use crate::receipt::Via;
use crate::remote::Remote;
use crate::world::World;

impl Owned for Room {
    const ROLE: Role = Role::Rooms;
    const NAME: &'static str = "room";
    const MULTIPLIES: bool = true;

    fn office(world: &World) -> &Office<Self> {
        &world.rooms
    }

    fn copies(world: &World) -> &Copies<Self> {
        &world.room_copies
    }

    fn stanza(input: &Input) -> Option<&Stanza> {
        match input {
            Input::Stanza(stanza) => Some(stanza),
            Input::AddressesLost(_) => None,
        }
    }

    fn refuse(world: &Arc<World>, input: Input, condition: Condition, via: &Via) {
        if let Input::Stanza(stanza) = input {
            world.route_error(&stanza, condition, via);
        }
    }

    fn goods(address: &BareJid, input: Input) -> Result<Goods, Input> {
        match input {
            Input::Stanza(stanza) => Ok(Goods::Room(address.clone(), stanza)),
            input @ Input::AddressesLost(_) => Err(input),
        }
    }

    fn send(
        _: &World,
        _: u64,
        _: &BareJid,
        _: Input,
        _: Option<(SocketId, u64)>,
    ) -> Result<(), (Input, Condition)> {
        Ok(()) // What a node tells itself of losses does not cross links.
    }

    fn give(self, world: &World, to: u64, ledger: &Ledger) -> Result<(), (Self, Condition)> {
        world.send(to, Remote::AdoptRoom(Box::new(self), ledger.clone())).map_err(|(message, condition)| {
            let Remote::AdoptRoom(room, _) = message else { unreachable!("the message that was given back") };
            (*room, condition)
        })
    }

    fn copy(self, epoch: u64, lsn: Lsn, ledger: Ledger) -> Remote {
        Remote::CopyRoom { epoch, lsn: lsn.0, room: Box::new(self), ledger }
    }

    fn orphan(self, ledger: Ledger) -> Remote {
        Remote::OrphanRoom(Box::new(self), ledger)
    }

    fn changes(&self, epoch: u64, lsn: Lsn, changes: Vec<Change>, note: Note) -> Remote {
        Remote::RoomChanged { epoch, address: self.address.clone(), lsn: lsn.0, changes, note }
    }
}
