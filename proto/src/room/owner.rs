//! Configuring a room and destroying it (XEP-0045 §10.1, §10.2, §10.9).

use std::collections::BTreeSet;

use jid::{BareJid, Jid};
use minidom::Element;

use super::admin::Item;
use super::affiliations::{Affiliation, Role};
use super::broadcast::{Audience, Notice, unavailable};
use super::config::{Config, Whois};
use super::occupants::Occupant;
use super::{Change, Room};
use crate::form::{Field, FieldKind, Form, FormKind};
use crate::machine::{Env, Machine, Out};
use crate::ns;
use crate::stanza::{Condition, Stanza, StanzaError};
use crate::store::Write;
use crate::xml::{Build, el};

const ADMINS: &str = "muc#roomconfig_roomadmins";
const OWNERS: &str = "muc#roomconfig_roomowners";

impl Room {
    /// Shows an owner the form.
    pub(super) fn show_config(&self, iq: &Stanza, user: &BareJid, env: &Env<'_>, out: &mut Out<Self>) {
        if self.affiliation(user, env) < Affiliation::Owner {
            return out.refuse(iq, Condition::Forbidden);
        }
        let people = |var: &str, label: &str, affiliation: Affiliation| {
            Field::new(FieldKind::JidMulti, var)
                .label(label)
                .values(self.having(affiliation).map(ToString::to_string))
        };
        let form = self
            .config
            .form(&env.options.limits)
            .field(people(ADMINS, "Administrators of the room", Affiliation::Admin))
            .field(people(OWNERS, "Owners of the room", Affiliation::Owner));
        out.route(iq.result(Some(&el("query", ns::MUC_OWNER).child(form.to_element()))));
    }

    fn having(&self, affiliation: Affiliation) -> impl Iterator<Item = &BareJid> {
        self.affiliations
            .iter()
            .filter(move |(_, entry)| entry.affiliation == affiliation)
            .map(|(user, _)| user)
    }

    /// An owner's wish: a configuration, or the end.
    pub(super) fn own(&mut self, iq: Stanza, user: &BareJid, env: &Env<'_>, out: &mut Out<Self>) {
        if self.affiliation(user, env) < Affiliation::Owner {
            return out.refuse(&iq, Condition::Forbidden);
        }
        let Some(query) = iq.child("query", ns::MUC_OWNER) else {
            return out.refuse(&iq, Condition::BadRequest);
        };
        if let Some(destroy) = query.get_child("destroy", ns::MUC_OWNER) {
            return match last_words(destroy) {
                Ok(words) => self.destroy(iq, words, env, out),
                Err(error) => out.refuse(&iq, error),
            };
        }
        match Form::inside(&query) {
            Ok(Some(form)) => match form.kind {
                FormKind::Submit => self.configure(iq, &form, env, out),
                FormKind::Cancel if self.locked => self.destroy(iq, el("destroy", ns::MUC_USER), env, out),
                FormKind::Cancel => out.route(iq.result(None)),
                FormKind::Form | FormKind::Result => out.refuse(&iq, Condition::BadRequest),
            },
            Ok(None) => out.refuse(&iq, Condition::BadRequest),
            Err(error) => out.refuse(&iq, error),
        }
    }

    fn configure(&mut self, iq: Stanza, form: &Form, env: &Env<'_>, out: &mut Out<Self>) {
        let wish = self.config.changed(form, &env.options.limits).and_then(|config| {
            let items = self.people(form, env)?;
            Ok((config, items))
        });
        let (config, items) = match wish {
            Ok(wish) => wish,
            Err(error) => return out.refuse(&iq, error),
        };
        let mut writes = self.config_writes(&config);
        if config.persistent {
            writes.extend(self.affiliation_writes(&items));
        }
        let last_id = self.history.last_id();
        self.durably(writes, iq, env, out, move |room, iq, env, out| {
            room.reconfigure(config, last_id, out);
            room.do_items(items, iq, env, out);
        });
    }

    /// The full lists of administrators and owners, where the form has them, as changes (§10.2).
    fn people(&self, form: &Form, env: &Env<'_>) -> Result<Vec<Item>, StanzaError> {
        let mut items = Vec::new();
        let mut named = BTreeSet::new();
        for (var, affiliation) in [(OWNERS, Affiliation::Owner), (ADMINS, Affiliation::Admin)] {
            if form.get(var).is_none() {
                continue;
            }
            let wanted: BTreeSet<_> = form.jids(var)?.into_iter().map(Jid::into_bare).collect();
            let change = |user: &BareJid, affiliation| Item::Affiliation {
                user: user.clone(),
                affiliation,
                nick: None,
                reason: None,
            };
            let lost =
                self.having(affiliation).filter(|user| !wanted.contains(*user) && !named.contains(*user));
            items.extend(lost.map(|user| change(user, Affiliation::Member)));
            let is = |user: &BareJid| {
                self.affiliations.get(user).is_some_and(|entry| entry.affiliation == affiliation)
            };
            items.extend(wanted.iter().filter(|user| !is(user)).map(|user| change(user, affiliation)));
            named.extend(wanted);
        }
        // Whoever moves from one list to the other is not lost on the way.
        let gained: BTreeSet<_> =
            items.iter().filter(|item| item.is_promotion()).filter_map(Item::user).cloned().collect();
        items.retain(|item| item.is_promotion() || item.user().is_none_or(|user| !gained.contains(user)));
        self.keeps_an_owner(&items)?;
        self.fits(&items, env)?;
        Ok(items)
    }

    fn config_writes(&self, new: &Config) -> Vec<Write> {
        match (self.config.persistent, new.persistent) {
            (false, true) => self.everything(new),
            (true, true) => vec![self.document(new), self.listing(new)],
            (true, false) => self.nothing(),
            (false, false) => vec![],
        }
    }

    /// Makes the new configuration true. `last_id` is the newest message that has been written with it.
    fn reconfigure(&mut self, config: Config, last_id: u64, out: &mut Out<Self>) {
        let old = self.config.clone();
        let (was_locked, was_listed) = (self.locked, self.is_listed());
        self.commit(Change::Configured(config), out);
        self.trim(out);
        let says_the_same = was_listed && self.is_listed() && old.name == self.config.name;
        // A persistent room's line was written with the rest.
        if !self.config.persistent && !says_the_same {
            self.relist(was_listed, out);
        }
        if self.config.persistent && !old.persistent {
            let late = self.history.iter().filter(|past| past.id > last_id);
            let writes: Vec<_> =
                late.map(|past| Write::Append(self.history_key(), past.id, past.stanza.to_xml())).collect();
            if !writes.is_empty() {
                self.write_behind(writes, out);
            }
        }
        self.remove_strangers(&old, out);
        self.give_voice_back(&old, out);
        if !was_locked {
            self.tell_status(&codes(&old, &self.config), out);
        }
    }

    /// Non-members leave a room that is for members only now (§10.2).
    fn remove_strangers(&mut self, old: &Config, out: &mut Out<Self>) {
        if old.members_only || !self.config.members_only {
            return;
        }
        let strangers = self.occupants.iter().filter(|occupant| occupant.affiliation < Affiliation::Member);
        for stranger in strangers.cloned().collect::<Vec<_>>() {
            self.expel(&stranger, &Notice::codes(&[322]), out);
        }
    }

    /// In a room that is not moderated any more everybody may speak.
    fn give_voice_back(&mut self, old: &Config, out: &mut Out<Self>) {
        if !old.moderated || self.config.moderated {
            return;
        }
        let visitors = self.occupants.iter().filter(|occupant| occupant.role == Role::Visitor);
        for visitor in visitors.cloned().collect::<Vec<_>>() {
            self.set_standing(&visitor, visitor.affiliation, Role::Participant, out);
        }
    }

    fn destroy(&mut self, iq: Stanza, words: Element, env: &Env<'_>, out: &mut Out<Self>) {
        let writes = if self.config.persistent { self.nothing() } else { vec![] };
        self.durably(writes, iq, env, out, move |room, iq, _, out| {
            let notice = Notice { destroy: Some(words), ..Notice::default() };
            for occupant in room.occupants.iter() {
                // Each hears only of itself, and is nothing to a room that is gone (§10.9).
                let occupant = Occupant { affiliation: Affiliation::None, ..occupant.clone() };
                room.tell(&occupant, &unavailable(), &notice, Audience::Own, out);
            }
            room.destroyed(out);
            out.route(iq.result(None));
        });
    }
}

/// What of a destruction is told to occupants: alternate venue, its password, reason.
fn last_words(destroy: &Element) -> Result<Element, StanzaError> {
    let jid = destroy.attr("jid").map(Jid::new).transpose().map_err(|_| Condition::JidMalformed)?;
    let text = |name: &'static str| {
        destroy.get_child(name, ns::MUC_OWNER).map(|child| el(name, ns::MUC_USER).text_of(child.text()))
    };
    Ok(el("destroy", ns::MUC_USER)
        .with_some("jid", jid.as_ref().map(|jid| jid.as_str()))
        .children_of(text("password"))
        .children_of(text("reason")))
}

/// What occupants are told of a new configuration (§10.2.1).
fn codes(old: &Config, new: &Config) -> Vec<u16> {
    let whois = match (old.whois, new.whois) {
        (Whois::Moderators, Whois::Anyone) => Some(172),
        (Whois::Anyone, Whois::Moderators) => Some(173),
        (Whois::Moderators, Whois::Moderators) | (Whois::Anyone, Whois::Anyone) => None,
    };
    let rest = Config { whois: old.whois, ..new.clone() } != *old;
    whois.into_iter().chain(rest.then_some(104)).collect()
}
