//! What is on its way to the owners of other nodes: each delivery has a number on its link, and is kept until the other
//! node says that it is safe there. What a node had not confirmed when it died goes to those who own its slots now.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jid::{BareJid, Jid};
use muster_cluster::map::{HashMap, HashSet};
use muster_cluster::{Incarnation, Slot, Table};
use muster_proto::addresses;
use muster_proto::room::{self, Room};
use muster_proto::session::Session;
use muster_proto::stanza::{Condition, Stanza};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::floor::Floor;
use crate::moves::Hearing;
use crate::owned::{Call, Owned};
use crate::receipt::{Label, Receipt, Via};
use crate::remote::{Remote, SessionMail};
use crate::world::World;

/// Deliveries that one other node may owe a confirmation at once; beyond, its link counts as full.
const OWED_MAX: usize = 262_144;
/// What was not confirmed for so long is sent again: it is known there, or was lost.
const AGAIN_AFTER: Duration = Duration::from_secs(30);

/// What is delivered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Goods {
    /// Something for an account.
    Session(#[serde(deserialize_with = "addresses::bare")] BareJid, SessionMail),
    /// A stanza for a room.
    Room(#[serde(deserialize_with = "addresses::bare")] BareJid, Stanza),
    /// One stanza for many accounts; its own `to` is ignored.
    Fanout(Stanza, Vec<Jid>),
}

/// What other nodes owe us, and we them.
pub struct Deliveries {
    owed: Mutex<HashMap<u64, Owed>>,
    /// Confirmed here, and not said yet: the numbers, by the node that waits for them.
    confirmed: Mutex<HashMap<u64, Vec<u64>>>,
    /// Says what was confirmed: after what it does already, so that a lot is said at once when there is a lot to do.
    teller: Floor,
}

/// What one node has not confirmed yet.
#[derive(Default)]
struct Owed {
    /// The number of the first.
    first: u64,
    parcels: VecDeque<Option<Parcel>>,
    count: usize,
}

struct Parcel {
    goods: Goods,
    via: Via,
    since: Instant,
}

/// Why a delivery did not go.
enum Undelivered {
    /// The owner is another one now.
    Moved(Goods, Via),
    /// Too much is owed.
    Full(Goods, Via),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Owed {
    fn push(&mut self, parcel: Parcel) -> u64 {
        self.parcels.push_back(Some(parcel));
        self.count += 1;
        self.first + self.parcels.len() as u64 - 1
    }

    fn take(&mut self, number: u64) -> Option<Parcel> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let parcel = self.parcels.get_mut(index)?.take()?;
        self.count -= 1;
        while let Some(None) = self.parcels.front() {
            self.parcels.pop_front();
            self.first += 1;
        }
        Some(parcel)
    }

    /// Forgets all, but no number: what is confirmed later is not taken for another.
    fn clear(&mut self) -> VecDeque<Option<Parcel>> {
        self.first += self.parcels.len() as u64;
        self.count = 0;
        std::mem::take(&mut self.parcels)
    }
}

impl Deliveries {
    /// Nothing is owed.
    pub fn new(teller: Floor) -> Self {
        Self { owed: Mutex::default(), confirmed: Mutex::default(), teller }
    }

    /// Whether any node owes half of what it may.
    pub fn are_half_owed(&self) -> bool {
        lock(&self.owed).values().any(|owed| owed.count >= OWED_MAX / 2)
    }

    /// How many deliveries are not confirmed.
    pub fn count(&self) -> usize {
        lock(&self.owed).values().map(|owed| owed.count).sum()
    }

    /// Forgets everything, as a node that was ousted must.
    pub fn forget_all(&self) {
        let (owed, confirmed) =
            (std::mem::take(&mut *lock(&self.owed)), std::mem::take(&mut *lock(&self.confirmed)));
        drop((owed, confirmed));
    }
}

impl World {
    /// Takes goods to the node that owns their address by that table, and keeps them until it confirms.
    ///
    /// # Errors
    /// Gives them back.
    fn deliver(
        self: &Arc<Self>,
        to: u64,
        table: &Arc<Table>,
        goods: Goods,
        via: Via,
    ) -> Result<(), Undelivered> {
        let (epoch, label) = (table.epoch(), via.label);
        let number = {
            let mut owed = lock(&self.deliveries.owed);
            // Under the lock: a new table collects what is owed by the dead.
            if !self.acts_by(table) {
                return Err(Undelivered::Moved(goods, via));
            }
            let owed = owed.entry(to).or_default();
            if owed.count >= OWED_MAX {
                return Err(Undelivered::Full(goods, via));
            }
            owed.push(Parcel { goods: goods.clone(), via, since: Instant::now() })
        };
        match self.send(to, Remote::Delivery { epoch, number, label, goods }) {
            // Whoever is not there is dead, and what it owes goes to its successors as soon as we know them; or nobody is
            // there because this node was ousted, and forgets it when it comes back.
            Ok(()) | Err((_, Condition::RecipientUnavailable)) => Ok(()),
            Err(_) => match lock(&self.deliveries.owed).get_mut(&to).and_then(|owed| owed.take(number)) {
                Some(parcel) => Err(Undelivered::Full(parcel.goods, parcel.via)),
                None => Ok(()),
            },
        }
    }

    /// Takes goods to another node, or answers for them.
    pub fn deliver_or_refuse(self: &Arc<Self>, to: u64, table: &Arc<Table>, goods: Goods, via: Via) {
        match self.deliver(to, table, goods, via) {
            Ok(()) => {}
            Err(Undelivered::Moved(goods, via)) => self.hand_in(goods, via),
            Err(Undelivered::Full(Goods::Session(_, mail), via)) => {
                self.refuse::<Session>(mail.into_input(), Condition::ResourceConstraint, via);
            }
            Err(Undelivered::Full(Goods::Room(_, stanza), via)) => {
                self.refuse::<Room>(room::Input::Stanza(stanza), Condition::ResourceConstraint, via);
            }
            // Copies of a message to a room, and presence: as if their receivers were too slow.
            Err(Undelivered::Full(Goods::Fanout(..), via)) => {
                self.count_dropped("fanout");
                via.receipt.settle();
            }
        }
    }

    /// Another node delivers something.
    pub fn receive(self: &Arc<Self>, from: u64, number: u64, label: Option<Label>, goods: Goods) {
        let world = self.clone();
        let receipt = Receipt::new(move || world.confirm(from, number));
        self.hand_in(goods, Via { is_sent_on: true, ..Via::new(receipt, label) });
    }

    /// Takes goods to their owners as if they had come up here.
    fn hand_in(self: &Arc<Self>, goods: Goods, via: Via) {
        match goods {
            Goods::Session(address, mail) => {
                self.call::<Session>(&address, Call::Input(mail.into_input(), via));
            }
            Goods::Room(address, stanza) => {
                self.call::<Room>(&address, Call::Input(room::Input::Stanza(stanza), via));
            }
            Goods::Fanout(stanza, to) => {
                for receiver in to {
                    let (address, via) = (receiver.to_bare(), via.copy_for(&receiver));
                    let mail = SessionMail::Stanza(stanza.clone().with_to(receiver));
                    self.call::<Session>(&address, Call::Input(mail.into_input(), via));
                }
                via.receipt.settle();
            }
        }
    }

    /// What that node delivered is safe: it is told, with what else there is by then.
    fn confirm(self: &Arc<Self>, to: u64, number: u64) {
        let is_first = {
            let mut confirmed = lock(&self.deliveries.confirmed);
            let numbers = confirmed.entry(to).or_default();
            numbers.push(number);
            numbers.len() == 1
        };
        if is_first {
            let world = self.clone();
            self.deliveries.teller.run(move || world.tell_confirmed(to));
        }
    }

    fn tell_confirmed(&self, to: u64) {
        let numbers = lock(&self.deliveries.confirmed).get_mut(&to).map(std::mem::take).unwrap_or_default();
        if !numbers.is_empty() && self.send(to, Remote::Confirmed { numbers }).is_err() {
            // It is sent again after a while, and then known.
            self.count_dropped("confirmed");
        }
    }

    /// That node has these in safety.
    pub fn confirmed(&self, by: u64, numbers: &[u64]) {
        let parcels: Vec<Parcel> = {
            let mut owed = lock(&self.deliveries.owed);
            let Some(owed) = owed.get_mut(&by) else { return };
            numbers.iter().filter_map(|number| owed.take(*number)).collect()
        };
        parcels.into_iter().for_each(|parcel| parcel.via.receipt.settle());
    }

    /// Acts by a new table from now on. What the dead owe goes to whom it makes their successors, before anything that
    /// is sent by the new table.
    pub fn change_table(self: &Arc<Self>, new: &Arc<Table>, dead: &HashSet<u64>) {
        let is_new_here = self.table().view().member_of(Incarnation(self.me())).is_none();
        let (mut refused, mut void) = (Vec::new(), Vec::new());
        {
            let mut owed = lock(&self.deliveries.owed);
            if is_new_here {
                // What a former incarnation still said: its sessions are others' since, and nobody heard it.
                void.extend(owed.values_mut().map(Owed::clear));
            }
            let orphans: Vec<Parcel> = dead
                .iter()
                .filter_map(|node| owed.remove(node))
                .flat_map(|owed| owed.parcels.into_iter().flatten())
                .flat_map(Parcel::for_each_receiver)
                .collect();
            let (here, elsewhere): (Vec<_>, Vec<_>) =
                orphans.into_iter().partition(|parcel| parcel.goods.owner(new) == Some(self.me()));
            for parcel in here {
                let _hearing = Hearing::again(self.me(), parcel.via.is_sent_on);
                self.hand_over_here(parcel);
            }
            self.set_table(new.clone());
            for Parcel { goods, via, .. } in elsewhere {
                let Some(owner) = goods.owner(new) else {
                    refused.push((goods, via));
                    continue;
                };
                let (label, is_sent_on, kept) = (via.label, via.is_sent_on, goods.clone());
                let number =
                    owed.entry(owner).or_default().push(Parcel { goods: kept, via, since: Instant::now() });
                let epoch = new.epoch();
                let again = match is_sent_on {
                    true => Remote::SentOnAgain { epoch, number, label, goods },
                    false => Remote::DeliveryAgain { epoch, number, label, goods },
                };
                if self.send(owner, again).is_err() {
                    self.count_dropped("delivery"); // and sent again after a while
                }
            }
        }
        drop(void);
        for (goods, via) in refused {
            self.hand_in(goods, via);
        }
    }

    /// A delivery that a dead node owed is ours: this node has its machines, or begins from the store.
    fn hand_over_here(self: &Arc<Self>, parcel: Parcel) {
        let via = parcel.via;
        match parcel.goods {
            Goods::Session(address, mail) => {
                self.call_here::<Session>(&address, Call::Input(mail.into_input(), via));
            }
            Goods::Room(address, stanza) => {
                self.call_here::<Room>(&address, Call::Input(room::Input::Stanza(stanza), via));
            }
            Goods::Fanout(..) => {}
        }
    }

    /// Sends again what has waited too long for a confirmation.
    pub fn deliver_again(self: &Arc<Self>) {
        let late: Vec<Parcel> = {
            let mut owed = lock(&self.deliveries.owed);
            let mut late = Vec::new();
            for owed in owed.values_mut() {
                let is_late = |parcel: &Option<Parcel>| {
                    parcel.as_ref().is_some_and(|parcel| parcel.since.elapsed() > AGAIN_AFTER)
                };
                let indexes = 0..owed.parcels.len();
                let numbers: Vec<u64> = indexes
                    .filter(|index| is_late(&owed.parcels[*index]))
                    .map(|index| owed.first + index as u64)
                    .collect();
                late.extend(numbers.into_iter().filter_map(|number| owed.take(number)));
            }
            late
        };
        if !late.is_empty() {
            tracing::warn!(count = late.len(), "deliveries were not confirmed in time and are sent again");
        }
        late.into_iter().for_each(|parcel| self.hand_in(parcel.goods, parcel.via));
    }
}

impl Goods {
    fn owner(&self, table: &Table) -> Option<u64> {
        let (role, address) = match self {
            Self::Session(address, _) => (Session::ROLE, address),
            Self::Room(address, _) => (Room::ROLE, address),
            Self::Fanout(..) => return None,
        };
        table.owner(role, Slot::of(address.as_str().as_bytes())).map(|member| member.incarnation.0)
    }
}

impl Parcel {
    /// The receivers of a fan-out may have different owners now.
    fn for_each_receiver(self) -> Vec<Self> {
        let Goods::Fanout(stanza, to) = self.goods else { return vec![self] };
        let one = |receiver: Jid| {
            let (address, via) = (receiver.to_bare(), self.via.copy_for(&receiver));
            let mail = SessionMail::Stanza(stanza.clone().with_to(receiver));
            Self { goods: Goods::Session(address, mail), via, since: self.since }
        };
        let all = to.into_iter().map(one).collect();
        self.via.receipt.settle();
        all
    }
}
