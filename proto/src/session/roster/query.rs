//! The roster's own protocol (RFC 6121 §2): gets, sets, removals and pushes.

use std::collections::BTreeSet;

use jid::{BareJid, Jid};
use minidom::Element;

use super::Item;
use crate::machine::{Env, Machine, Out};
use crate::ns;
use crate::session::{Change, Session};
use crate::stanza::{Condition, IqType, Kind, PresenceType, Stanza};
use crate::xml::{Build, el};

/// Longest name of a contact or group, in bytes.
const NAME_BYTES_MAX: usize = 1023;
/// Most groups of one contact.
const GROUPS_MAX: usize = 100;

/// What a client wants of one item.
struct Wish {
    contact: BareJid,
    /// `None`: it shall go.
    kept: Option<(Option<String>, BTreeSet<String>)>,
}

impl Session {
    /// A roster get or set.
    pub(in crate::session) fn roster_iq(&mut self, iq: &Stanza, env: &Env<'_>, out: &mut Out<Self>) {
        // §2.3.3: only the account's own clients may read or change it.
        let Some(sid) = self.sid_of_sender(iq) else { return out.refuse(iq, Condition::Forbidden) };
        let Some(query) = iq.child("query", ns::ROSTER) else { return out.refuse(iq, Condition::BadRequest) };
        if iq.kind == Kind::Iq(IqType::Get) {
            return self.roster_get(sid, iq, &query, out);
        }
        match wish(&query) {
            Err(condition) => out.refuse(iq, condition),
            Ok(Wish { contact, .. }) if contact == self.address => out.refuse(iq, Condition::NotAllowed),
            Ok(Wish { contact, kept: None }) => self.roster_remove(contact, iq.clone(), env, out),
            Ok(Wish { contact, kept: Some((name, groups)) }) => {
                let known = self.roster.item(&contact).cloned();
                if known.is_none() && self.is_roster_full(env) {
                    return out.refuse(iq, Condition::ResourceConstraint);
                }
                let item = Item { name, groups, ..known.unwrap_or_default() };
                self.roster_set(contact, item, iq.clone(), env, out);
            }
        }
    }

    /// Whether there is no room for another contact.
    pub(in crate::session) fn is_roster_full(&self, env: &Env<'_>) -> bool {
        self.roster.len() >= env.options.limits.roster_items_max
    }

    fn roster_get(&mut self, sid: u64, iq: &Stanza, query: &Element, out: &mut Out<Self>) {
        if self.resource(sid).is_some_and(|resource| !resource.interested) {
            self.commit(Change::Interested(sid), out);
        }
        let version = self.roster.version();
        if query.attr("ver") == Some(&version) {
            return out.route(iq.result(None)); // §2.6.3: it is what the client has
        }
        let items = self.roster.iter().map(|(contact, item)| element(contact, Some(item)));
        let roster = el("query", ns::ROSTER).with("ver", version).children_of(items);
        out.route(iq.result(Some(&roster)));
    }

    fn roster_set(&mut self, contact: BareJid, item: Item, iq: Stanza, env: &Env<'_>, out: &mut Out<Self>) {
        let request = self.requests.get(&contact).cloned();
        self.persist(
            contact.clone(),
            Some(item),
            request,
            env,
            out,
            move |session, done, env, out| match done {
                Ok(()) => {
                    session.push(&contact, env, out);
                    out.route(iq.result(None));
                }
                Err(condition) => out.refuse(&iq, condition),
            },
        );
    }

    /// §2.5: who is removed is also told that the subscriptions are over.
    fn roster_remove(&mut self, contact: BareJid, iq: Stanza, env: &Env<'_>, out: &mut Out<Self>) {
        if self.roster.item(&contact).is_none() {
            return out.refuse(&iq, Condition::ItemNotFound);
        }
        let state = self.state(&contact);
        self.persist(contact.clone(), None, None, env, out, move |session, done, env, out| {
            if let Err(condition) = done {
                return out.refuse(&iq, condition);
            }
            let say =
                |kind| Stanza::presence(kind).with_from(session.address.clone()).with_to(contact.clone());
            let (unsubscribe, unsubscribed) =
                (say(PresenceType::Unsubscribe), say(PresenceType::Unsubscribed));
            if state.to || state.ask {
                out.route(unsubscribe);
            }
            if state.from {
                session.hide_from(&contact, out);
            }
            if state.from || state.asked {
                out.route(unsubscribed);
            }
            session.push(&contact, env, out);
            out.route(iq.result(None));
        });
    }

    /// Tells the interested resources how an item is now (§2.1.6).
    pub(in crate::session) fn push(&mut self, contact: &BareJid, env: &Env<'_>, out: &mut Out<Self>) {
        let item = element(contact, self.roster.item(contact));
        let query = el("query", ns::ROSTER).with("ver", self.roster.version()).child(item);
        let push = Stanza::iq(IqType::Set, &format!("push-{:016x}", env.random), Some(&query));
        let interested: Vec<_> = self
            .resources
            .iter()
            .filter(|resource| resource.interested)
            .map(|resource| (resource.sid, resource.jid.clone()))
            .collect();
        for (sid, jid) in interested {
            self.deliver(sid, push.clone().with_to(jid), env, out);
        }
    }
}

/// Reads a set (§2.1.5, §2.3.3). What only the server may say of an item is not looked at.
fn wish(query: &Element) -> Result<Wish, Condition> {
    let mut children = query.children();
    let (Some(item), None) = (children.next(), children.next()) else { return Err(Condition::BadRequest) };
    if !item.is("item", ns::ROSTER) {
        return Err(Condition::BadRequest);
    }
    let jid = item.attr("jid").ok_or(Condition::BadRequest)?;
    let contact = Jid::new(jid).map_err(|_| Condition::JidMalformed)?.into_bare();
    if item.attr("subscription") == Some("remove") {
        return Ok(Wish { contact, kept: None });
    }
    let name = item.attr("name").filter(|name| !name.is_empty()).map(ToOwned::to_owned);
    if name.as_ref().is_some_and(|name| name.len() > NAME_BYTES_MAX) {
        return Err(Condition::NotAcceptable);
    }
    let mut groups = BTreeSet::new();
    for group in item.children().filter(|child| child.is("group", ns::ROSTER)) {
        let group = group.text();
        if group.is_empty() || group.len() > NAME_BYTES_MAX || groups.len() >= GROUPS_MAX {
            return Err(Condition::NotAcceptable);
        }
        if !groups.insert(group) {
            return Err(Condition::BadRequest);
        }
    }
    Ok(Wish { contact, kept: Some((name, groups)) })
}

/// An item as the protocol writes it; `None`: it was removed.
fn element(contact: &BareJid, item: Option<&Item>) -> Element {
    let element = el("item", ns::ROSTER).with("jid", contact.to_string());
    let Some(item) = item else { return element.with("subscription", "remove") };
    let subscription = match (item.to, item.from) {
        (false, false) => "none",
        (true, false) => "to",
        (false, true) => "from",
        (true, true) => "both",
    };
    let groups = item.groups.iter().map(|group| el("group", ns::ROSTER).text_of(group));
    element
        .with("subscription", subscription)
        .with_some("name", item.name.as_deref())
        .with_some("ask", item.ask.then_some("subscribe"))
        .with_some("approved", item.approved.then_some("true"))
        .children_of(groups)
}
