//! What nodes say to each other about sockets, sessions and rooms. Variants are only ever appended.

use jid::BareJid;
use muster_proto::addresses;
use muster_proto::machine::{SocketId, ToSocket};
use muster_proto::room::{self, Room};
use muster_proto::session::{self, Ask, Order, Session, Word};
use muster_proto::stanza::Stanza;
use serde::{Deserialize, Serialize};

use crate::deliveries::Goods;
use crate::ledger::{Ledger, Note};
use crate::receipt::Label;

/// One message between nodes.
#[derive(Debug, Serialize, Deserialize)]
pub enum Remote {
    /// For the session of an account, by the sender's view of that epoch.
    Session {
        /// The sender's view.
        epoch: u64,
        /// Whose session.
        #[serde(deserialize_with = "addresses::bare")]
        address: BareJid,
        /// What happens to it.
        mail: SessionMail,
    },
    /// For accounts and rooms of the receiver, which says when it is safe there.
    Delivery {
        /// The sender's view.
        epoch: u64,
        /// Its number among the sender's deliveries to the receiver.
        number: u64,
        /// What it is called, if it may come twice.
        label: Option<Label>,
        /// What it is.
        goods: Goods,
    },
    /// Deliveries of the receiver are safe.
    Confirmed {
        /// Their numbers.
        numbers: Vec<u64>,
    },
    /// For a socket of the receiver.
    Socket {
        /// Which one.
        socket: SocketId,
        /// What it is told.
        message: ToSocket,
    },
    /// A session moves to the receiver.
    AdoptSession(Box<Session>, Ledger),
    /// A room moves to the receiver.
    AdoptRoom(Box<Room>, Ledger),
    /// Everything in these slots has moved to the receiver.
    SlotsMoved {
        /// By which view.
        epoch: u64,
        /// The ring of rooms instead of that of sessions.
        rooms: bool,
        /// Which slots.
        slots: Vec<u16>,
        /// Whether the receiver had asked for them.
        asked: bool,
    },
    /// All of a session, for the receiver to keep a copy.
    CopySession {
        /// The owner's view.
        epoch: u64,
        /// The number of its last change.
        lsn: u64,
        /// What it is.
        session: Box<Session>,
        /// What its owner knows beside it.
        ledger: Ledger,
    },
    /// All of a room, for the receiver to keep a copy.
    CopyRoom {
        /// The owner's view.
        epoch: u64,
        /// The number of its last change.
        lsn: u64,
        /// What it is.
        room: Box<Room>,
        /// What its owner knows beside it.
        ledger: Ledger,
    },
    /// Changes of a session whose copy the receiver keeps.
    SessionChanged {
        /// The owner's view.
        epoch: u64,
        /// Whose.
        #[serde(deserialize_with = "addresses::bare")]
        address: BareJid,
        /// The number of the last.
        lsn: u64,
        /// What changed, in order.
        changes: Vec<session::Change>,
        /// What changed beside it.
        note: Note,
    },
    /// Changes of a room whose copy the receiver keeps.
    RoomChanged {
        /// The owner's view.
        epoch: u64,
        /// Which.
        #[serde(deserialize_with = "addresses::bare")]
        address: BareJid,
        /// The number of the last.
        lsn: u64,
        /// What changed, in order.
        changes: Vec<room::Change>,
        /// What changed beside it.
        note: Note,
    },
    /// The sender's copy has every change up to this one.
    Backed {
        /// A room instead of a session.
        rooms: bool,
        /// Which.
        #[serde(deserialize_with = "addresses::bare")]
        address: BareJid,
        /// The number.
        lsn: u64,
    },
    /// A part of a message that is too large for one frame.
    Part {
        /// Whether it is the first.
        first: bool,
        /// Whether no part follows.
        last: bool,
        /// The part.
        bytes: bytes::Bytes,
    },
    /// A copy is not needed any more.
    Forget {
        /// A room instead of a session.
        rooms: bool,
        /// Which.
        #[serde(deserialize_with = "addresses::bare")]
        address: BareJid,
    },
    /// The sender does not have the copy that the receiver believes it has, or not any more.
    Lacking {
        /// A room instead of a session.
        rooms: bool,
        /// Which.
        #[serde(deserialize_with = "addresses::bare")]
        address: BareJid,
    },
    /// The sender acts by the view of that epoch: what it addressed by an older one came before this.
    Acting {
        /// The view.
        epoch: u64,
    },
    /// The password of an account was changed at the sender, or the account is gone.
    KeysChanged {
        /// Which account.
        account: String,
    },
    /// The sender owns these slots by the view of that epoch, and waits for what the receiver has of them.
    Awaited {
        /// The view.
        epoch: u64,
        /// The ring of rooms instead of that of sessions.
        rooms: bool,
        /// Which slots.
        slots: Vec<u16>,
    },
    /// The copy of a session whose owner is dead; the receiver owns its slot and may lack it.
    OrphanSession(Box<Session>, Ledger),
    /// The same of a room.
    OrphanRoom(Box<Room>, Ledger),
    /// A delivery that was another node's, which died before it was safe there: it was said before what its sender says now.
    DeliveryAgain {
        /// The sender's view.
        epoch: u64,
        /// Its number among the sender's deliveries to the receiver.
        number: u64,
        /// What it is called, if it may come twice.
        label: Option<Label>,
        /// What it is.
        goods: Goods,
    },
    /// The same of what others had said to the sender: that was before what they say again themselves.
    SentOnAgain {
        /// The sender's view.
        epoch: u64,
        /// Its number among the sender's deliveries to the receiver.
        number: u64,
        /// What it is called, if it may come twice.
        label: Option<Label>,
        /// What it is.
        goods: Goods,
    },
}

/// What may happen to a session from another node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum SessionMail {
    /// A socket wants a session.
    Enter {
        /// Where it is.
        socket: SocketId,
        /// Which one.
        ask: Ask,
        /// It is there still, told that this one has what it asks for.
        instead_of: Option<SocketId>,
    },
    /// A client said something.
    Client {
        /// Which session.
        sid: u64,
        /// What it said.
        stanza: Stanza,
        /// By which socket, and its number there.
        said: Option<(SocketId, u64)>,
    },
    /// A socket is gone.
    Closed {
        /// Which one.
        socket: SocketId,
        /// Whether its client may come back.
        resumable: bool,
    },
    /// A stanza has arrived.
    Stanza(Stanza),
    /// The administrator, or another session, says so.
    Order(Order),
    /// A managed client said something.
    Word {
        /// Which session.
        sid: u64,
        /// By which socket.
        socket: SocketId,
        /// What it said.
        word: Word,
        /// By which socket, and its number there.
        said: Option<(SocketId, u64)>,
    },
    /// A socket has outlived the owner of its session.
    Reattach {
        /// Which session.
        sid: u64,
        /// Where it is.
        socket: SocketId,
        /// The number of the last stanza that it wrote, if its stream is managed.
        wrote: Option<u32>,
    },
}

impl SessionMail {
    /// What crosses a link of an input; `None` for what a node only tells itself.
    pub fn from_input(input: session::Input, said: Option<(SocketId, u64)>) -> Option<Self> {
        Some(match input {
            session::Input::Enter { socket, ask, instead_of } => Self::Enter { socket, ask, instead_of },
            session::Input::Client { sid, stanza } => Self::Client { sid, stanza, said },
            session::Input::Closed { socket, resumable } => Self::Closed { socket, resumable },
            session::Input::Word { sid, socket, word } => Self::Word { sid, socket, word, said },
            session::Input::Stanza(stanza) => Self::Stanza(stanza),
            session::Input::Order(order) => Self::Order(order),
            session::Input::Reattach { sid, socket, wrote } => Self::Reattach { sid, socket, wrote },
            session::Input::NodeLost(_) | session::Input::AddressesLost(_) => return None,
        })
    }

    /// The input.
    pub fn into_input(self) -> session::Input {
        match self {
            Self::Enter { socket, ask, instead_of } => session::Input::Enter { socket, ask, instead_of },
            Self::Client { sid, stanza, .. } => session::Input::Client { sid, stanza },
            Self::Closed { socket, resumable } => session::Input::Closed { socket, resumable },
            Self::Word { sid, socket, word, .. } => session::Input::Word { sid, socket, word },
            Self::Reattach { sid, socket, wrote } => session::Input::Reattach { sid, socket, wrote },
            Self::Stanza(stanza) => session::Input::Stanza(stanza),
            Self::Order(order) => session::Input::Order(order),
        }
    }

    /// By which socket it was said, and its number there.
    pub fn said(&self) -> Option<(SocketId, u64)> {
        match self {
            Self::Client { said, .. } | Self::Word { said, .. } => *said,
            _ => None,
        }
    }
}

impl Remote {
    /// Whether it brings something of a slot that moves.
    pub fn is_given(&self) -> bool {
        matches!(
            self,
            Self::AdoptSession(..)
                | Self::AdoptRoom(..)
                | Self::OrphanSession(..)
                | Self::OrphanRoom(..)
                | Self::SlotsMoved { .. }
                | Self::Part { .. }
        )
    }

    /// Whether something begins with it that could as well be refused, and somebody would be told.
    pub fn begins(&self) -> bool {
        match self {
            Self::Delivery { goods, .. } => !matches!(goods, Goods::Fanout(..)),
            Self::Session { mail, .. } => {
                matches!(mail, SessionMail::Enter { .. } | SessionMail::Client { .. })
            }
            _ => false,
        }
    }

    /// The view by which the sender addressed it; `None` if neither that nor its place among others matters.
    pub fn epoch(&self) -> Option<u64> {
        match self {
            Self::Session { epoch, .. }
            | Self::Delivery { epoch, .. }
            | Self::DeliveryAgain { epoch, .. }
            | Self::SentOnAgain { epoch, .. }
            | Self::CopySession { epoch, .. }
            | Self::CopyRoom { epoch, .. }
            | Self::SessionChanged { epoch, .. }
            | Self::RoomChanged { epoch, .. }
            | Self::Awaited { epoch, .. }
            | Self::Acting { epoch } => Some(*epoch),
            // By its view who gives may know somebody dead, whose last words the same view makes others drop.
            Self::SlotsMoved { epoch, .. } => Some(*epoch),
            // No view need be known for these, but what came before them must have been heard.
            Self::AdoptSession(..) | Self::AdoptRoom(..) => Some(0),
            Self::OrphanSession(..) | Self::OrphanRoom(..) => Some(0),
            Self::Forget { .. } | Self::Part { .. } => Some(0),
            Self::Socket { .. } | Self::Confirmed { .. } | Self::KeysChanged { .. } => None,
            Self::Backed { .. } | Self::Lacking { .. } => None,
        }
    }
}
