//! What a feature is: a specification, what it advertises, what it answers, and the doors where it meets a stanza.
//!
//! disco#info is derived from the list, so no feature can forget to announce itself. All guards run, then stamps,
//! then watches; inside one power the list is the order.

use std::collections::HashMap;

use minidom::Element;

use crate::machine::{Env, Machine, Out};
use crate::options::Domain;
use crate::session::{Change, Session};
use crate::stanza::{IqType, Kind, Stanza, StanzaError};

/// Where a stanza is addressed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The domain itself; answered at the sender's session.
    Host,
    /// The conference service; answered at the sender's session.
    Rooms,
    /// A bare JID of ours; answered at its own session.
    Account,
    /// A room.
    Room,
}

/// The four doors where features meet a stanza.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Door {
    /// A client of ours sent it. `from` is set; [`Cx::place`] is what the address looks like.
    FromClient,
    /// It arrives at one of our accounts. Guards and stamps run before delivery, watches after it.
    AtAccount,
    /// It arrives at one of our rooms.
    AtRoom,
    /// It leaves for one resource of ours.
    ToClient,
}

/// What a feature may do with a stanza at a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Power {
    /// [`Feature::guard`]: may refuse it.
    Guard,
    /// [`Feature::stamp`]: may add to it.
    Stamp,
    /// [`Feature::watch`]: may look at it.
    Watch,
}

/// Where a feature comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Such as `XEP-0199` or `RFC 6121 §2`.
    pub name: &'static str,
    /// The version implemented, empty for an RFC.
    pub version: &'static str,
    /// What it is called.
    pub title: &'static str,
}

/// An IQ that a feature answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ask {
    /// Where it is sent to.
    pub place: Place,
    /// Get or set.
    pub kind: IqType,
    /// The payload's namespace.
    pub ns: &'static str,
    /// The payload's name.
    pub name: &'static str,
}

/// What a feature says to an IQ.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A result.
    Result(Option<Element>),
    /// An error.
    Error(StanzaError),
    /// The feature answers by itself, after the store did.
    Later,
}

/// What a feature may see and do.
pub struct Cx<'a, 'e> {
    /// Where the stanza was sent to.
    pub place: Place,
    /// The account: the sender's at [`Door::FromClient`], [`Place::Host`] and [`Place::Rooms`]; else the addressee.
    pub session: &'a mut Session,
    /// The sender's session at [`Door::FromClient`], the receiver's at [`Door::ToClient`], and the asker's when one of
    /// our own resources asks; else `None`.
    pub sid: Option<u64>,
    /// At [`Door::AtAccount`], for watches: the sessions that got the stanza. Empty if none did.
    pub delivered: &'a [u64],
    /// Time, chance, settings.
    pub env: &'a Env<'e>,
    /// Changes and effects.
    pub out: &'a mut Out<Session>,
}

impl Cx<'_, '_> {
    /// Hands a stanza to one of the account's own clients, through [`Door::ToClient`].
    pub fn deliver(&mut self, sid: u64, stanza: Stanza) {
        self.session.deliver(sid, stanza, self.env, self.out);
    }

    /// Applies a change and notes it for the log.
    pub fn commit(&mut self, change: Change) {
        self.session.commit(change, self.out);
    }
}

/// One XEP, in one file.
pub trait Feature: Send + Sync + 'static {
    /// Where it comes from.
    fn spec(&self) -> Spec;

    /// What disco#info says of it there.
    fn advertises(&self, _place: Place) -> &'static [&'static str] {
        &[]
    }

    /// What it adds to the stream features that a logged-in client of this domain is offered (RFC 6120 §4.3.2).
    fn stream_feature(&self, _domain: &Domain, _env: &Env<'_>) -> Option<Element> {
        None
    }

    /// Which IQs it answers.
    fn asks(&self) -> &'static [Ask] {
        &[]
    }

    /// Answers one of them. `iq.from` and `iq.to` are set.
    fn answer(&self, _cx: &mut Cx<'_, '_>, _iq: &Stanza) -> Answer {
        Answer::Later
    }

    /// At which doors it stands, and with what power. It is not asked of any other stanza, so most cost none anything.
    fn stands(&self) -> &'static [(Door, Power)] {
        &[]
    }

    /// May refuse a stanza.
    ///
    /// # Errors
    /// What the sender is told.
    fn guard(&self, _door: Door, _cx: &mut Cx<'_, '_>, _stanza: &Stanza) -> Result<(), StanzaError> {
        Ok(())
    }

    /// May add to a stanza.
    fn stamp(&self, _door: Door, _cx: &mut Cx<'_, '_>, _stanza: &mut Stanza) {}

    /// May look at a stanza and ask for effects.
    fn watch(&self, _door: Door, _cx: &mut Cx<'_, '_>, _stanza: &Stanza) {}
}

/// Every feature, and who answers what.
pub struct Features {
    all: Vec<Box<dyn Feature>>,
    /// Who stands at a door with a power, in order: by door, then by power.
    standing: [[Vec<usize>; 3]; 4],
    asks: HashMap<(Place, IqType, &'static str, &'static str), usize>,
}

impl Features {
    /// Indexes a list. The first of two that answer the same wins.
    pub fn new(all: Vec<Box<dyn Feature>>) -> Self {
        let mut asks = HashMap::new();
        let mut standing = <[[Vec<usize>; 3]; 4]>::default();
        for (index, feature) in all.iter().enumerate() {
            for (door, power) in feature.stands() {
                standing[*door as usize][*power as usize].push(index);
            }
            for ask in feature.asks() {
                asks.entry((ask.place, ask.kind, ask.ns, ask.name)).or_insert(index);
            }
        }
        Self { all, standing, asks }
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Feature> {
        self.all.iter().map(AsRef::as_ref)
    }

    /// What disco#info says at a place: sorted, each once.
    pub fn advertised(&self, place: Place) -> Vec<&'static str> {
        let mut names: Vec<_> = self.iter().flat_map(|feature| feature.advertises(place)).copied().collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Who answers this IQ there.
    pub fn who_answers(&self, place: Place, iq: &Stanza) -> Option<&dyn Feature> {
        let (Kind::Iq(kind), Some(payload)) = (iq.kind, &iq.payload) else { return None };
        // The key borrows literals, so the look-up compares instead of building one.
        self.asks
            .iter()
            .find(|((at, get_or_set, ns, name), _)| {
                *at == place && *get_or_set == kind && **ns == *payload.ns && **name == *payload.name
            })
            .map(|(_, index)| self.all[*index].as_ref())
    }

    fn at(&self, door: Door, power: Power) -> impl Iterator<Item = &dyn Feature> {
        self.standing[door as usize][power as usize].iter().map(|index| self.all[*index].as_ref())
    }

    /// Runs all guards of a door.
    ///
    /// # Errors
    /// The first refusal.
    pub fn guard(&self, door: Door, cx: &mut Cx<'_, '_>, stanza: &Stanza) -> Result<(), StanzaError> {
        self.at(door, Power::Guard).try_for_each(|feature| feature.guard(door, cx, stanza))
    }

    /// Runs all stamps of a door.
    pub fn stamp(&self, door: Door, cx: &mut Cx<'_, '_>, stanza: &mut Stanza) {
        self.at(door, Power::Stamp).for_each(|feature| feature.stamp(door, cx, stanza));
    }

    /// Runs all watches of a door.
    pub fn watch(&self, door: Door, cx: &mut Cx<'_, '_>, stanza: &Stanza) {
        self.at(door, Power::Watch).for_each(|feature| feature.watch(door, cx, stanza));
    }
}
