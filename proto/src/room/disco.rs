//! What a room says of itself (XEP-0045 §6.4, §6.5, §7.12; XEP-0128).

use minidom::Element;

use super::Room;
use super::affiliations::Affiliation;
use super::config::Whois;
use crate::feature::Place;
use crate::form::{Field, Form, FormKind};
use crate::machine::{Env, Out};
use crate::ns;
use crate::stanza::{Condition, Stanza};
use crate::xml::{Build, el};

/// The node that tells one's reserved nickname (XEP-0045 §7.12).
const RESERVED_NICK: &str = "x-roomuser-item";
/// The node that tells which extensions pass (XEP-0045 §18.1.1).
const TRAFFIC: &str = "http://jabber.org/protocol/muc#traffic";

impl Room {
    pub(super) fn disco_info(&self, iq: &Stanza, env: &Env<'_>, out: &mut Out<Self>) {
        let query = iq.child("query", ns::DISCO_INFO);
        match query.as_ref().and_then(|query| query.attr("node")) {
            None | Some("") => out.route(iq.result(Some(&self.info(env)))),
            Some(RESERVED_NICK) => out.route(iq.result(Some(&self.reserved_nick(iq)))),
            // Everything passes.
            Some(TRAFFIC) => out.refuse(iq, Condition::ServiceUnavailable),
            Some(_) => out.refuse(iq, Condition::ItemNotFound),
        }
    }

    fn info(&self, env: &Env<'_>) -> Element {
        let name = Some(&self.config.name).filter(|name| !name.is_empty()).cloned();
        let name = name.or_else(|| self.address.node().map(ToString::to_string)).unwrap_or_default();
        let mut features = vec![ns::DISCO_INFO, ns::DISCO_ITEMS, ns::PING];
        features.extend(self.nature());
        features.extend(env.features.advertised(Place::Room));
        features.sort_unstable();
        features.dedup();
        let feature = |name: &str| el("feature", ns::DISCO_INFO).with("var", name);
        el("query", ns::DISCO_INFO)
            .child(identity(&name))
            .children_of(features.into_iter().map(feature))
            .child(self.details().to_element())
    }

    /// What kind of room it is (§16.3).
    fn nature(&self) -> [&'static str; 6] {
        let config = &self.config;
        let either = |yes: bool, one, other| if yes { one } else { other };
        [
            either(config.password.is_some(), "muc_passwordprotected", "muc_unsecured"),
            either(config.public, "muc_public", "muc_hidden"),
            either(config.persistent, "muc_persistent", "muc_temporary"),
            either(config.members_only, "muc_membersonly", "muc_open"),
            either(config.moderated, "muc_moderated", "muc_unmoderated"),
            either(config.whois == Whois::Anyone, "muc_nonanonymous", "muc_semianonymous"),
        ]
    }

    fn details(&self) -> Form {
        let config = &self.config;
        let text = |name: &str, label: &str, value: String| {
            Field::text(format!("muc#roominfo_{name}")).label(label).value(value)
        };
        let subject = self.subject.message.as_ref().and_then(|message| message.child_text("subject"));
        let mut form = Form::new(FormKind::Result, ns::MUC_ROOMINFO)
            .field(text("description", "Description", config.description.clone()))
            .field(text("subject", "Current discussion topic", subject.unwrap_or_default()))
            .field(
                Field::boolean("muc#roominfo_subjectmod", config.change_subject)
                    .label("Participants may change the subject"),
            )
            .field(
                Field::boolean("muc#roomconfig_changesubject", config.change_subject)
                    .label("Participants may change the subject"),
            )
            .field(
                Field::boolean("muc#roomconfig_allowinvites", config.allow_invites)
                    .label("Members may invite others"),
            )
            .field(
                Field::text("muc#roomconfig_allowpm")
                    .label("Who may send private messages")
                    .value(config.private_messages.name()),
            )
            .field(Field::text("muc#roomconfig_roomname").label("Name").value(&config.name))
            .field(text("occupants", "Number of occupants", self.occupants.len().to_string()))
            .field(
                Field::text("muc#maxhistoryfetch")
                    .label("Messages shown to those who enter")
                    .value(config.history_max.to_string()),
            );
        if !config.lang.is_empty() {
            form = form.field(text("lang", "Language of the discussion", config.lang.clone()));
        }
        form
    }

    /// Who is there: told to those who are there too, or to everybody if the room is public (§6.5).
    pub(super) fn disco_items(&self, iq: &Stanza, out: &mut Out<Self>) {
        let query = iq.child("query", ns::DISCO_ITEMS);
        if query.as_ref().and_then(|query| query.attr("node")).is_some_and(|node| !node.is_empty()) {
            return out.refuse(iq, Condition::ItemNotFound);
        }
        let mut query = el("query", ns::DISCO_ITEMS);
        if self.may_see_occupants(iq) {
            let item = |jid: &jid::FullJid| el("item", ns::DISCO_ITEMS).with("jid", jid.as_str());
            query = query.children_of(
                self.occupants.iter().map(|occupant| item(&occupant.jid).with("name", occupant.nick())),
            );
        }
        out.route(iq.result(Some(&query)));
    }

    fn may_see_occupants(&self, iq: &Stanza) -> bool {
        let open = self.config.public && !self.config.members_only && self.config.password.is_none();
        let user = iq.from.as_ref().map(jid::Jid::to_bare);
        let affiliation = user.and_then(|user| self.affiliations.get(&user)).map(|entry| entry.affiliation);
        let banned = affiliation == Some(Affiliation::Outcast);
        self.sender(iq).is_some() || (open && !banned)
    }

    /// The nickname that is kept for whoever asks.
    fn reserved_nick(&self, iq: &Stanza) -> Element {
        let entry = iq.from.as_ref().and_then(|from| self.affiliations.get(&from.to_bare()));
        let nick = entry.and_then(|entry| entry.nick.as_deref());
        el("query", ns::DISCO_INFO).with("node", RESERVED_NICK).children_of(nick.map(identity))
    }
}

fn identity(name: &str) -> Element {
    el("identity", ns::DISCO_INFO).with("category", "conference").with("type", "text").with("name", name)
}
