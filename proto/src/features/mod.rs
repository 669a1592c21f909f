//! THE list of features. To add one: its file, its `mod`, its line in [`all`].

pub mod account;
pub mod adhoc;
pub mod caps;
pub mod carbons;
pub mod disco;
pub mod elsewhere;
pub mod info;
pub mod ping;
pub mod private;
pub mod register;
pub mod time;
pub mod vcard;
pub mod version;

use crate::feature::{Ask, Cx, Feature, Place, Spec};
use crate::stanza::{Condition, ErrorType, IqType, Stanza, StanzaError};
use crate::store::StoreError;

/// Every feature, in the order a stanza meets them.
pub fn all() -> Vec<Box<dyn Feature>> {
    vec![
        Box::new(disco::Disco),
        Box::new(caps::Caps),
        Box::new(adhoc::AdHoc),
        Box::new(adhoc::Administration),
        Box::new(carbons::Carbons),
        Box::new(ping::Ping),
        Box::new(version::Version),
        Box::new(time::Time),
        Box::new(vcard::Vcard),
        Box::new(private::Private),
        Box::new(register::Register),
        Box::new(elsewhere::Forms),
        Box::new(elsewhere::Rooms),
        Box::new(elsewhere::Offline),
        Box::new(elsewhere::StreamManagement),
        Box::new(elsewhere::Delay),
        Box::new(elsewhere::DirectTls),
        Box::new(elsewhere::ChannelBindings),
        Box::new(elsewhere::Invitations),
        Box::new(elsewhere::SelfPing),
        Box::new(elsewhere::Hints),
        Box::new(elsewhere::Forwarding),
        Box::new(elsewhere::DateTimes),
        Box::new(elsewhere::FormTypes),
    ]
}

/// All that the server implements: what the machines themselves are, then the features in order of number.
pub fn table() -> Vec<Spec> {
    let mut specs: Vec<_> = all().iter().map(|feature| feature.spec()).collect();
    specs.sort_by_key(|spec| spec.name);
    elsewhere::CORE.into_iter().chain(specs).collect()
}

/// A question that a feature answers.
const fn get(place: Place, ns: &'static str, name: &'static str) -> Ask {
    Ask { place, kind: IqType::Get, ns, name }
}

/// A request that a feature fulfils.
const fn set(place: Place, ns: &'static str, name: &'static str) -> Ask {
    Ask { place, kind: IqType::Set, ns, name }
}

/// Whether the account itself sent the stanza.
fn is_own(cx: &Cx<'_, '_>, stanza: &Stanza) -> bool {
    stanza.from.as_ref().is_some_and(|from| cx.session.is_own(from))
}

/// Whether the sender may know that the account exists: it is the account itself, or gets its presence.
fn trusts(cx: &Cx<'_, '_>, stanza: &Stanza) -> bool {
    let subscribed =
        |stanza: &Stanza| stanza.from.as_ref().is_some_and(|from| cx.session.roster.is_from(&from.to_bare()));
    cx.session.exists && (is_own(cx, stanza) || subscribed(stanza))
}

/// What a client is told when the store did not do as it was asked: to try again.
fn store_error(error: &StoreError) -> StanzaError {
    let condition = match error {
        StoreError::Away(_) | StoreError::Stale => Condition::ResourceConstraint,
        StoreError::Failed(_) => Condition::InternalServerError,
    };
    StanzaError::from(condition).of_type(ErrorType::Wait)
}

#[cfg(test)]
mod tests;
