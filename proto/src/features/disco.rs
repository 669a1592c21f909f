//! Service Discovery (XEP-0030): what the server, its rooms and its accounts are and can do, and what belongs to them.

use minidom::Element;

use super::info::Info;
use super::{adhoc, caps, get, store_error, trusts};
use crate::feature::{Answer, Ask, Cx, Feature, Place, Spec};
use crate::ns;
use crate::room::Listing;
use crate::stanza::{Condition, Stanza, StanzaError};
use crate::store::{Key, Query, Reply, collection};
use crate::xml::{Build, el};

/// XEP-0030.
pub struct Disco;

impl Feature for Disco {
    fn spec(&self) -> Spec {
        Spec { name: "XEP-0030", version: "2.5.0", title: "Service Discovery" }
    }

    fn advertises(&self, _: Place) -> &'static [&'static str] {
        &[ns::DISCO_INFO, ns::DISCO_ITEMS]
    }

    fn asks(&self) -> &'static [Ask] {
        const ASKS: [Ask; 6] = [
            get(Place::Host, ns::DISCO_INFO, "query"),
            get(Place::Host, ns::DISCO_ITEMS, "query"),
            get(Place::Rooms, ns::DISCO_INFO, "query"),
            get(Place::Rooms, ns::DISCO_ITEMS, "query"),
            get(Place::Account, ns::DISCO_INFO, "query"),
            get(Place::Account, ns::DISCO_ITEMS, "query"),
        ];
        &ASKS
    }

    fn answer(&self, cx: &mut Cx<'_, '_>, iq: &Stanza) -> Answer {
        let wants_info = iq.payload.as_ref().is_some_and(|payload| *payload.ns == *ns::DISCO_INFO);
        let query = iq.child("query", if wants_info { ns::DISCO_INFO } else { ns::DISCO_ITEMS });
        let node = query.as_ref().and_then(|query| query.attr("node")).filter(|node| !node.is_empty());
        let answer = match (cx.place, wants_info) {
            (Place::Host, true) => host_info(cx, iq, node),
            (Place::Host, false) => host_items(cx, iq, node),
            (Place::Account, true) => account_info(cx, iq, node),
            (Place::Account, false) => Ok(account_items(cx, iq, node)),
            (Place::Rooms, true) => rooms_info(cx, node),
            (Place::Rooms, false) => return rooms_items(cx, iq, node),
            // A room answers for itself.
            (Place::Room, _) => Err(Condition::ServiceUnavailable.into()),
        };
        answer.map_or_else(Answer::Error, |query| Answer::Result(Some(query)))
    }
}

/// A `<query/>` with items: address, node and name.
pub fn items<'a>(
    node: Option<&str>,
    items: impl IntoIterator<Item = (&'a str, Option<&'a str>, Option<&'a str>)>,
) -> Element {
    let item = |(jid, node, name): (&str, Option<&str>, Option<&str>)| {
        el("item", ns::DISCO_ITEMS).with("jid", jid).with_some("node", node).with_some("name", name)
    };
    el("query", ns::DISCO_ITEMS).with_some("node", node).children_of(items.into_iter().map(item))
}

fn host_info(cx: &Cx<'_, '_>, iq: &Stanza, node: Option<&str>) -> Result<Element, StanzaError> {
    match node {
        None => Ok(caps::host(cx.env).to_element(None)),
        Some(asked) if asked == caps::node(cx.env) => Ok(caps::host(cx.env).to_element(node)),
        Some(ns::COMMANDS) => {
            let info =
                Info::new("automation", "command-list", "Commands").with([ns::DISCO_INFO, ns::DISCO_ITEMS]);
            Ok(info.to_element(node))
        }
        Some(asked) => {
            let command = adhoc::find(cx, iq, asked)?;
            let info = Info::new("automation", "command-node", command.name());
            Ok(info.with([ns::DISCO_INFO, ns::COMMANDS, ns::DATA]).to_element(node))
        }
    }
}

fn host_items(cx: &Cx<'_, '_>, iq: &Stanza, node: Option<&str>) -> Result<Element, StanzaError> {
    let name = iq.to.as_ref().map(|to| to.domain().as_str()).unwrap_or_default();
    match node {
        None => {
            let rooms =
                cx.env.options.domain(name).map(|domain| (domain.conference.as_str(), None, Some("Rooms")));
            Ok(items(None, rooms))
        }
        Some(ns::COMMANDS) => {
            let commands = adhoc::commands_for(cx, iq);
            Ok(items(node, commands.map(|command| (name, Some(command.node()), Some(command.name())))))
        }
        // A command has no items of its own.
        Some(asked) => adhoc::find(cx, iq, asked).map(|_| items(node, [])),
    }
}

/// Strangers must not learn whether an account exists (§8).
fn account_info(cx: &Cx<'_, '_>, iq: &Stanza, node: Option<&str>) -> Result<Element, StanzaError> {
    if !trusts(cx, iq) {
        return Err(Condition::ServiceUnavailable.into());
    }
    if node.is_some() {
        return Err(Condition::ItemNotFound.into());
    }
    let kind = match () {
        () if cx.session.anonymous => "anonymous",
        () if cx.env.options.is_admin(&cx.session.address) => "admin",
        () => "registered",
    };
    Ok(Info::new("account", kind, "").with(cx.env.features.advertised(Place::Account)).to_element(None))
}

/// Strangers get an empty list, whatever they ask for (§8).
fn account_items(cx: &Cx<'_, '_>, iq: &Stanza, node: Option<&str>) -> Element {
    let visible = node.is_none() && trusts(cx, iq);
    let resources = cx.session.available().filter(|_| visible);
    items(node, resources.map(|resource| (resource.jid.as_str(), None, None)))
}

fn rooms_info(cx: &Cx<'_, '_>, node: Option<&str>) -> Result<Element, StanzaError> {
    match node {
        None => {
            let features = cx.env.features.advertised(Place::Rooms);
            Ok(Info::new("conference", "text", "Rooms").with(features).to_element(None))
        }
        Some(_) => Err(Condition::ItemNotFound.into()),
    }
}

fn rooms_items(cx: &mut Cx<'_, '_>, iq: &Stanza, node: Option<&str>) -> Answer {
    if node.is_some() {
        return Answer::Error(Condition::ItemNotFound.into());
    }
    let service = iq.to.as_ref().map(|to| to.domain().as_str()).unwrap_or_default();
    let (directory, iq) = (Key::new(collection::ROOMS, service), iq.clone());
    cx.out.ask(Query::Map(directory), move |_, reply, _, out| match reply {
        Ok(Reply::Map(rooms)) => {
            let listed = rooms.iter().map(|(jid, json)| (jid, Listing::from_json(json)));
            let listed: Vec<_> = listed.filter(|(_, room)| room.public).collect();
            let listed = listed.iter().map(|(jid, room)| {
                (jid.as_str(), None, (!room.name.is_empty()).then_some(room.name.as_str()))
            });
            out.route(iq.result(Some(&items(None, listed))));
        }
        Ok(_) => out.refuse(&iq, Condition::InternalServerError),
        Err(error) => out.refuse(&iq, store_error(&error)),
    });
    Answer::Later
}

#[cfg(test)]
mod tests;
