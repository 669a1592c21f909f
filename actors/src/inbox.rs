//! Takes what other nodes say, on the cluster's thread, and passes it on at once.

use std::sync::{Arc, OnceLock, Weak};

use muster_cluster::{Inbox, Peer, Role, Slot};
use muster_proto::room::{self, Room};
use muster_proto::session::{self, Session};

use crate::owned::Call;
use crate::remote::Remote;
use crate::world::World;

/// The node's inbox. The cluster starts before the world is whole, so the world is put in later.
#[derive(Default)]
pub struct Mailroom(OnceLock<Weak<World>>);

impl Mailroom {
    /// From now on, passes on to this world.
    pub fn open(&self, world: &Arc<World>) {
        drop(self.0.set(Arc::downgrade(world)));
    }
}

impl Inbox<Remote> for Mailroom {
    fn receive(&self, _from: &Peer, message: Remote) {
        let Some(world) = self.0.get().and_then(Weak::upgrade) else { return };
        let now = match message.epoch() {
            Some(epoch) => world.moves.ahead(&world, epoch, message),
            None => Some(message),
        };
        if let Some(message) = now {
            world.take(message);
        }
    }
}

impl World {
    /// Passes on one message of another node. If its address is not ours any more, it goes to who owns it now.
    pub fn take(self: &Arc<Self>, message: Remote) {
        match message {
            Remote::Session { address, mail, .. } => {
                let (input, receipt) = mail.into_input();
                self.call::<Session>(&address, Call::Input(input, receipt));
            }
            Remote::Room { address, stanza, .. } => {
                self.call::<Room>(&address, Call::Input(room::Input::Stanza(stanza), None));
            }
            Remote::Fanout { stanza, to, .. } => {
                for receiver in to {
                    let address = receiver.to_bare();
                    let mut stanza = stanza.clone();
                    stanza.to = Some(receiver);
                    self.call::<Session>(&address, Call::Input(session::Input::Stanza(stanza), None));
                }
            }
            Remote::Socket { socket, message } => {
                if socket.node == self.me() {
                    self.sockets.tell(self, socket, message);
                }
            }
            Remote::AdoptSession(session) => {
                let address = session.address.clone();
                let slot = Slot::of(address.as_str().as_bytes()).0;
                self.sessions.adopt(self, slot, &address, session);
            }
            Remote::AdoptRoom(room) => {
                let address = room.address.clone();
                let slot = Slot::of(address.as_str().as_bytes()).0;
                self.rooms.adopt(self, slot, &address, room);
            }
            Remote::SlotsMoved { epoch, rooms, slots } => {
                let role = if rooms { Role::Rooms } else { Role::Sessions };
                self.moves.moved(self, role, epoch, &slots);
            }
        }
    }
}
