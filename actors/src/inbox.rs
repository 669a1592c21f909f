//! Takes what other nodes say, each on one arbiter, and passes it on at once.

use std::sync::{Arc, OnceLock, Weak};

use jid::BareJid;
use muster_cluster::{Inbox, Lsn, Peer, Role, Slot};
use muster_proto::room::Room;
use muster_proto::session::Session;

use crate::ledger::{Ledger, Note};
use crate::moves::{Gift, Hearing};
use crate::owned::{Call, Known, Owned};
use crate::receipt::Via;
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
    fn receive(&self, from: &Peer, message: Remote) {
        let Some(world) = self.0.get().and_then(Weak::upgrade) else { return };
        let now = match message.epoch() {
            Some(epoch) => world.moves.ahead(&world, epoch, from.incarnation.0, message),
            None => Some(message),
        };
        if let Some(message) = now {
            world.take(from.incarnation.0, message);
        }
    }
}

impl World {
    /// Passes on one message of another node. If its address is not ours any more, it goes to who owns it now.
    pub fn take(self: &Arc<Self>, from: u64, message: Remote) {
        let _hearing = Hearing::from(from, message.epoch().unwrap_or_default());
        if message.is_given() {
            self.moves.came_from(from);
        }
        match message {
            Remote::Session { address, mail, .. } => {
                let via = Via { said: mail.said(), ..Via::default() };
                self.call::<Session>(&address, Call::Input(mail.into_input(), via));
            }
            Remote::Delivery { number, label, goods, .. } => self.receive(from, number, label, goods),
            Remote::DeliveryAgain { number, label, goods, .. } => {
                let _hearing = Hearing::again(from, false);
                self.receive(from, number, label, goods);
            }
            Remote::SentOnAgain { number, label, goods, .. } => {
                let _hearing = Hearing::again(from, true);
                self.receive(from, number, label, goods);
            }
            Remote::Confirmed { numbers } => self.confirmed(from, &numbers),
            Remote::Socket { socket, message } => {
                if socket.node == self.me() {
                    self.sockets.tell(self, socket, message);
                }
            }
            Remote::AdoptSession(session, ledger) => {
                self.adopt(session.address.clone(), Known { machine: session, ledger, formers: vec![from] });
            }
            Remote::AdoptRoom(room, ledger) => {
                self.adopt(room.address.clone(), Known { machine: room, ledger, formers: vec![from] });
            }
            Remote::OrphanSession(session, ledger) => {
                self.inherit(session.address.clone(), session, ledger);
            }
            Remote::OrphanRoom(room, ledger) => self.inherit(room.address.clone(), room, ledger),
            Remote::Awaited { rooms, slots, .. } => self.awaited(from, rooms, slots),
            Remote::SlotsMoved { rooms, slots, asked, .. } => {
                let role = if rooms { Role::Rooms } else { Role::Sessions };
                self.moves.moved(self, role, Gift { from, asked }, &slots);
            }
            Remote::CopySession { epoch, lsn, session, ledger } => {
                let address = session.address.clone();
                self.keep::<Session>((from, epoch), address, lsn, session, ledger);
            }
            Remote::CopyRoom { epoch, lsn, room, ledger } => {
                let address = room.address.clone();
                self.keep::<Room>((from, epoch), address, lsn, room, ledger);
            }
            Remote::SessionChanged { address, lsn, changes, note, .. } => {
                self.change::<Session>(from, address, lsn, changes, note);
            }
            Remote::RoomChanged { address, lsn, changes, note, .. } => {
                self.change::<Room>(from, address, lsn, changes, note);
            }
            Remote::Backed { rooms: false, address, lsn } => self.backed::<Session>(from, &address, lsn),
            Remote::Backed { rooms: true, address, lsn } => self.backed::<Room>(from, &address, lsn),
            Remote::Part { first, last, bytes } => {
                if let Some(message) = self.parts.take(from, first, last, &bytes) {
                    self.take(from, message);
                }
            }
            Remote::Lacking { rooms: false, address } => self.lacking::<Session>(from, &address),
            Remote::Lacking { rooms: true, address } => self.lacking::<Room>(from, &address),
            Remote::Acting { epoch } => self.heard_acting(from, epoch),
            Remote::KeysChanged { account } => self.known.forget(&account),
            Remote::Forget { rooms: false, address } => self.forget_copy::<Session>(from, &address),
            Remote::Forget { rooms: true, address } => self.forget_copy::<Room>(from, &address),
        }
    }

    /// A machine moves here, with what its former owner did not see safe.
    fn adopt<M: Owned>(self: &Arc<Self>, address: BareJid, mut known: Known<M>) {
        let slot = Slot::of(address.as_str().as_bytes()).0;
        known.formers.extend(M::copies(self).remove(&address));
        M::office(self).adopt(self, slot, &address, known);
        self.pass_on::<M>(&address);
        self.resume_posts::<M>(&[address]);
    }

    /// The copy of a machine whose owner is dead comes here from who was its backup.
    fn inherit<M: Owned>(self: &Arc<Self>, address: BareJid, machine: Box<M>, ledger: Ledger) {
        let slot = Slot::of(address.as_str().as_bytes()).0;
        if self.moves.has_left(M::ROLE, slot, &address) {
            return;
        }
        M::office(self).inherit(self, slot, &address, Known { machine, ledger, formers: vec![] });
        self.pass_on::<M>(&address);
        self.resume_posts::<M>(&[address]);
    }

    fn keep<M: Owned>(
        self: &Arc<Self>,
        (of, epoch): (u64, u64),
        address: BareJid,
        lsn: u64,
        machine: Box<M>,
        ledger: Ledger,
    ) {
        // An owner that is none any more must never commit again: its copies are its heir's now.
        if self.is_dead(of) {
            return;
        }
        match M::copies(self).keep(of, epoch, address.clone(), Known { machine, ledger, formers: vec![] }) {
            Some(formers) => {
                self.say_forget::<M>(formers, &address);
                self.say_backed::<M>(of, address, lsn);
            }
            None => self.say_lacking::<M>(of, address),
        }
    }

    fn change<M: Owned>(
        self: &Arc<Self>,
        of: u64,
        address: BareJid,
        lsn: u64,
        changes: Vec<M::Change>,
        note: Note,
    ) {
        if self.is_dead(of) {
            return;
        }
        match M::copies(self).apply(&self.warden, of, &address, changes, note) {
            true => self.say_backed::<M>(of, address, lsn),
            // Or it would wait for this for ever.
            false => self.say_lacking::<M>(of, address),
        }
    }

    fn say_backed<M: Owned>(&self, of: u64, address: BareJid, lsn: u64) {
        let message = Remote::Backed { rooms: M::ROLE == Role::Rooms, address, lsn };
        if self.send(of, message).is_err() {
            self.count_dropped("backed");
        }
    }

    fn lacking<M: Owned>(self: &Arc<Self>, by: u64, address: &BareJid) {
        let slot = Slot::of(address.as_str().as_bytes()).0;
        M::office(self).call_if_there(slot, address, Call::Lacking(by));
    }

    fn backed<M: Owned>(self: &Arc<Self>, by: u64, address: &BareJid, lsn: u64) {
        let slot = Slot::of(address.as_str().as_bytes()).0;
        M::office(self).call_if_there(slot, address, Call::Backed(by, Lsn(lsn)));
    }
}
