//! Takes stanzas and calls to their owners, on this node or another. A shared handle, not an actor.

use std::sync::Arc;

use jid::{BareJid, Jid};
use muster_cluster::map::HashMap;
use muster_cluster::{Incarnation, SendError, Slot, Table};
use muster_proto::machine::{SocketId, ToSocket};
use muster_proto::room::{self, Room};
use muster_proto::session::{self, Order, Session};
use muster_proto::stanza::{Condition, Stanza};

use crate::deliveries::Goods;
use crate::moves::Parked;
use crate::owned::{Call, Owned};
use crate::receipt::Via;
use crate::remote::Remote;
use crate::world::World;

/// Names what answers a stanza that was refused.
const REFUSED: u64 = 0;

impl World {
    /// Takes a stanza to the owner of the address in `to`; whoever cannot be reached is answered for.
    pub fn route(self: &Arc<Self>, stanza: Stanza, via: Via) {
        let Some(to) = &stanza.to else { return via.receipt.settle() };
        tracing::trace!(
            trace = stanza.trace.0,
            slot = Slot::of(to.to_bare().as_str().as_bytes()).0,
            to = %self.shown(to),
            kind = stanza.kind.name(),
            "routed"
        );
        let domain = to.domain().as_str();
        if self.options.domain(domain).is_some() {
            if to.node().is_none() {
                // Hosts answer at the session of whoever asks; nothing else is addressed to them.
                self.route_error(&stanza, Condition::ServiceUnavailable, &via);
                return via.receipt.settle();
            }
            let address = to.clone().into_bare();
            return self.call::<Session>(&address, Call::Input(session::Input::Stanza(stanza), via));
        }
        if self.options.conference(domain).is_some() && to.node().is_some() {
            let address = to.clone().into_bare();
            return self.call::<Room>(&address, Call::Input(room::Input::Stanza(stanza), via));
        }
        self.route_error(&stanza, Condition::RemoteServerNotFound, &via);
        via.receipt.settle();
    }

    /// Answers a stanza with an error, unless it is an answer itself.
    pub fn route_error(self: &Arc<Self>, stanza: &Stanza, condition: Condition, via: &Via) {
        if let Some(error) = stanza.error(condition) {
            self.route(error, via.then(REFUSED, 0));
        }
    }

    /// Takes one stanza to many accounts: its bytes cross a link once.
    pub fn fanout(self: &Arc<Self>, stanza: Stanza, to: Vec<Jid>, via: Via) {
        let table = self.table();
        let mut elsewhere: HashMap<u64, Vec<Jid>> = HashMap::default();
        for receiver in to {
            let slot = Slot::of(receiver.clone().into_bare().as_str().as_bytes());
            match table.owner(Session::ROLE, slot) {
                Some(owner)
                    if owner.incarnation.0 != self.me()
                        && self.is_account(&receiver)
                        && !self.moves.awaits(Session::ROLE, slot.0) =>
                {
                    elsewhere.entry(owner.incarnation.0).or_default().push(receiver);
                }
                _ => {
                    let via = via.copy_for(&receiver);
                    self.route(stanza.clone().with_to(receiver), via);
                }
            }
        }
        for (node, to) in elsewhere {
            self.deliver_or_refuse(node, &table, Goods::Fanout(stanza.clone(), to), via.clone());
        }
        via.receipt.settle();
    }

    fn is_account(&self, jid: &Jid) -> bool {
        jid.node().is_some() && self.options.domain(jid.domain().as_str()).is_some()
    }

    /// Tells the session of an account.
    pub fn order(self: &Arc<Self>, account: &BareJid, order: Order, via: Via) {
        self.call::<Session>(account, Call::Input(session::Input::Order(order), via));
    }

    /// Calls the owner of an address, wherever it is. What waits for its slot here goes first, even if it goes on from here.
    pub fn call<M: Owned>(self: &Arc<Self>, address: &BareJid, mut call: Call<M>) {
        let slot = Slot::of(address.as_str().as_bytes());
        loop {
            let table = self.table();
            call = match self.moves.park::<M>(slot.0, address, call) {
                Parked::Waits => return,
                Parked::Full(call) => return self.refuse_call(call, Condition::ResourceConstraint),
                Parked::Here(call) => call,
            };
            let Some(owner) = table.owner(M::ROLE, slot) else {
                return self.refuse_call(call, Condition::ResourceConstraint);
            };
            let owner = owner.incarnation.0;
            if owner != self.me() {
                let goes_to = self.moves.goes_to((M::ROLE, slot.0)).filter(|to| !self.is_dead(*to));
                return self.call_elsewhere(goes_to.unwrap_or(owner), &table, address, call);
            }
            match M::office(self).call(self, slot.0, address, call, || self.acts_by(&table)) {
                Ok(()) => return,
                Err((full, true)) => return self.refuse_call(full, Condition::ResourceConstraint),
                Err((again, false)) => call = again,
            }
        }
    }

    /// Calls the owner of an address with what waited here for its slot.
    pub fn call_after_waiting<M: Owned>(self: &Arc<Self>, address: &BareJid, call: Call<M>) {
        let (table, slot) = (self.table(), Slot::of(address.as_str().as_bytes()));
        let owner = table.owner(M::ROLE, slot).map(|owner| owner.incarnation.0);
        if let Some(other) = owner.filter(|owner| *owner != self.me()) {
            return self.call_elsewhere(other, &table, address, call);
        }
        if let Err((call, _)) = M::office(self).call(self, slot.0, address, call, || true) {
            drop(call);
            self.count_dropped("parked");
        }
    }

    /// Calls the owner of an address, which this node is about to be.
    pub fn call_here<M: Owned>(self: &Arc<Self>, address: &BareJid, call: Call<M>) {
        let slot = Slot::of(address.as_str().as_bytes()).0;
        let call = match self.moves.park::<M>(slot, address, call) {
            Parked::Waits => return,
            Parked::Full(call) | Parked::Here(call) => call,
        };
        if let Err((call, _)) = M::office(self).call(self, slot, address, call, || true) {
            drop(call);
            self.count_dropped("delivery");
        }
    }

    fn call_elsewhere<M: Owned>(
        self: &Arc<Self>,
        owner: u64,
        table: &Arc<Table>,
        address: &BareJid,
        call: Call<M>,
    ) {
        let Call::Input(input, via) = call else { return };
        let input = match M::goods(address, input) {
            Ok(goods) => return self.deliver_or_refuse(owner, table, goods, via),
            Err(input) => input,
        };
        match M::send(self, owner, address, input, via.said) {
            Ok(()) => {}
            // Its socket keeps it and says it again to the next owner.
            Err((_, Condition::RecipientUnavailable)) => self.count_dropped("said"),
            Err((input, condition)) => self.refuse_call(Call::<M>::Input(input, via), condition),
        }
    }

    fn refuse_call<M: Owned>(self: &Arc<Self>, call: Call<M>, condition: Condition) {
        let Call::Input(input, via) = call else { return };
        if let Some((socket, handled)) = via.said {
            let error = M::refusal(&input, condition);
            error.into_iter().for_each(|error| self.tell(socket, ToSocket::Stanza(error)));
            self.tell(socket, ToSocket::Handled(handled));
        }
        self.refuse::<M>(input, condition, via);
    }

    /// Answers for an owner that cannot.
    pub fn refuse<M: Owned>(self: &Arc<Self>, input: M::Input, condition: Condition, via: Via) {
        metrics::counter!("muster_refused_total", "condition" => condition.name()).increment(1);
        M::refuse(self, input, condition, &via);
        via.receipt.settle();
    }

    /// Tells a socket, wherever it is.
    pub fn tell(self: &Arc<Self>, socket: SocketId, message: ToSocket) {
        if socket.node == self.me() {
            return self.sockets.tell(self, socket, message);
        }
        if let Err((message, _)) = self.send(socket.node, Remote::Socket { socket, message }) {
            self.count_dropped("to_socket");
            if let Remote::Socket { message, .. } = message {
                self.undo(socket, &message);
            }
        }
    }

    /// A session was bound or resumed for a connection that has gone meanwhile.
    pub fn undo(self: &Arc<Self>, socket: SocketId, message: &ToSocket) {
        let account = match message {
            ToSocket::Bound { jid, .. } => jid.to_bare(),
            ToSocket::Resumed(how) => how.jid.to_bare(),
            _ => return,
        };
        let gone = session::Input::Closed { socket, resumable: true };
        self.call::<Session>(&account, Call::Input(gone, Via::default()));
    }

    /// Whether that node has so much waiting for it that nothing new is to be begun with it.
    pub fn is_full(&self, node: u64) -> bool {
        node != self.me() && self.cluster().is_some_and(|cluster| cluster.is_full(Incarnation(node)))
    }

    /// Sends to another node.
    ///
    /// # Errors
    /// Gives the message back: `resource-constraint` if the link is full, `recipient-unavailable` if there is none.
    pub fn send(&self, to: u64, message: Remote) -> Result<(), (Remote, Condition)> {
        let Some(cluster) = self.cluster() else { return Err((message, Condition::RecipientUnavailable)) };
        let sent = match message.begins() {
            true => cluster.offer(Incarnation(to), message),
            false => cluster.send(Incarnation(to), message),
        };
        sent.or_else(|error| match error {
            SendError::Full(message) => Err((message, Condition::ResourceConstraint)),
            SendError::Unreachable(message) => Err((message, Condition::RecipientUnavailable)),
            SendError::TooLarge(message) => self.send_in_parts(to, message),
        })
    }
}
