//! Lists of affiliations and roles, and changes to them (XEP-0045 §8.2–8.5, §9, §10.3–10.8). A set is done whole or not.

use jid::{BareJid, Jid};
use minidom::Element;

use super::affiliations::{Affiliation, Entry, Role};
use super::broadcast::{Audience, Notice, unavailable};
use super::config::Whois;
use super::judge::is_domain_of;
use super::occupants::Occupant;
use super::{Change, Room};
use crate::machine::{Env, Machine, Out};
use crate::ns;
use crate::stanza::{Condition, Stanza, StanzaError};
use crate::store::Write;
use crate::xml::{Build, el};

/// Longest reason, in bytes: it is kept and sent to everybody.
const REASON_BYTES_MAX: usize = 2_048;

/// One `<item/>` of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// What an occupant may do from now on, by nickname.
    Role { nick: String, role: Role, reason: Option<String> },
    /// What a user is from now on, with the nickname that is kept for it if that changes too.
    Affiliation { user: BareJid, affiliation: Affiliation, nick: Option<String>, reason: Option<String> },
}

impl Item {
    /// Whose affiliation it changes.
    pub(super) fn user(&self) -> Option<&BareJid> {
        match self {
            Self::Affiliation { user, .. } => Some(user),
            Self::Role { .. } => None,
        }
    }

    /// Whether it makes an administrator or owner.
    pub(super) fn is_promotion(&self) -> bool {
        match self {
            Self::Affiliation { affiliation, .. } => *affiliation >= Affiliation::Admin,
            Self::Role { .. } => false,
        }
    }
}

/// What others are told when a set has been done.
struct News {
    who: Occupant,
    notice: Notice,
    gone: bool,
    /// It sees real addresses now, and did not before.
    sees: bool,
}

impl Room {
    /// Answers with a list, by affiliation or by role.
    pub(super) fn list(&self, iq: &Stanza, user: &BareJid, env: &Env<'_>, out: &mut Out<Self>) {
        let query = iq.child("query", ns::MUC_ADMIN);
        let item = query.as_ref().and_then(|query| query.get_child("item", ns::MUC_ADMIN));
        let affiliation = item.and_then(|item| item.attr("affiliation")).and_then(Affiliation::parse);
        let role = item.and_then(|item| item.attr("role")).and_then(Role::parse);
        let may = match (affiliation, role) {
            (Some(affiliation), None) => self.may_list(affiliation, user, env),
            (None, Some(_)) => self.is_moderator(iq, user, env),
            _ => return out.refuse(iq, Condition::BadRequest),
        };
        if !may {
            return out.refuse(iq, Condition::Forbidden);
        }
        let items: Vec<_> = match (affiliation, role) {
            (Some(affiliation), _) => self.affiliated(affiliation).collect(),
            (None, role) => {
                self.occupants.iter().filter(|who| Some(who.role) == role).map(occupant_item).collect()
            }
        };
        out.route(iq.result(Some(&el("query", ns::MUC_ADMIN).children_of(items))));
    }

    fn affiliated(&self, affiliation: Affiliation) -> impl Iterator<Item = Element> {
        let entries = self.affiliations.iter().filter(move |(_, entry)| entry.affiliation == affiliation);
        entries.map(|(user, entry)| {
            let reason = entry.reason.as_ref().map(|reason| el("reason", ns::MUC_ADMIN).text_of(reason));
            el("item", ns::MUC_ADMIN)
                .with("affiliation", entry.affiliation.name())
                .with("jid", user.as_str())
                .with_some("nick", entry.nick.as_ref())
                .children_of(reason)
        })
    }

    /// Administrators see all but the lists of their betters; in a non-anonymous room members see who belongs to it
    /// (§9.5, §10.5, §10.8).
    fn may_list(&self, affiliation: Affiliation, user: &BareJid, env: &Env<'_>) -> bool {
        let own = self.affiliation(user, env);
        let open = self.config.whois == Whois::Anyone;
        let is_there = self.occupants.of_user(user).next().is_some();
        match affiliation {
            Affiliation::Outcast | Affiliation::None => own >= Affiliation::Admin,
            Affiliation::Member => {
                own >= Affiliation::Admin || (open && (own >= Affiliation::Member || is_there))
            }
            Affiliation::Admin | Affiliation::Owner => {
                own >= Affiliation::Owner || (open && (own >= Affiliation::Member || is_there))
            }
        }
    }

    pub(super) fn is_moderator(&self, iq: &Stanza, user: &BareJid, env: &Env<'_>) -> bool {
        let role = self.sender(iq).map_or(Role::None, |sender| sender.role);
        role == Role::Moderator || self.affiliation(user, env) >= Affiliation::Admin
    }

    /// Does a set.
    pub(super) fn administer(&mut self, iq: Stanza, user: &BareJid, env: &Env<'_>, out: &mut Out<Self>) {
        let items = iq.child("query", ns::MUC_ADMIN).ok_or(Condition::BadRequest.into());
        let items = items.and_then(|query| self.read(&query));
        let judged = items.and_then(|items| {
            items.iter().try_for_each(|item| self.judge(item, &iq, user, env))?;
            self.keeps_an_owner(&items)?;
            self.fits(&items, env)?;
            Ok(items)
        });
        match judged {
            Ok(items) => {
                let writes = if self.config.persistent { self.affiliation_writes(&items) } else { vec![] };
                self.durably(writes, iq, env, out, move |room, iq, env, out| {
                    room.do_items(items, iq, env, out)
                });
            }
            Err(error) => out.refuse(&iq, error),
        }
    }

    fn read(&self, query: &Element) -> Result<Vec<Item>, StanzaError> {
        let items = query.children().filter(|child| child.is("item", ns::MUC_ADMIN));
        let items = items.map(|item| self.read_item(item)).collect::<Result<Vec<_>, _>>()?;
        if items.is_empty() { Err(Condition::BadRequest.into()) } else { Ok(items) }
    }

    fn read_item(&self, item: &Element) -> Result<Item, StanzaError> {
        let reason =
            item.get_child("reason", ns::MUC_ADMIN).map(Element::text).filter(|reason| !reason.is_empty());
        if reason.as_ref().is_some_and(|reason| reason.len() > REASON_BYTES_MAX) {
            return Err(Condition::NotAcceptable.into());
        }
        let jid = item.attr("jid").map(Jid::new).transpose().map_err(|_| Condition::JidMalformed)?;
        let nick = item.attr("nick").map(ToOwned::to_owned);
        // Only one of them may change at once (§17.4).
        match (item.attr("affiliation"), item.attr("role")) {
            (Some(affiliation), None) => {
                let affiliation = Affiliation::parse(affiliation).ok_or(Condition::BadRequest)?;
                let (user, nick) = match (jid, nick) {
                    (Some(jid), nick) => (jid.into_bare(), nick),
                    // Some clients know no more than the nickname.
                    (None, Some(nick)) => {
                        (self.occupants.named(&nick).ok_or(Condition::ItemNotFound)?.user.clone(), None)
                    }
                    (None, None) => return Err(Condition::BadRequest.into()),
                };
                let nick = nick.map(|nick| self.prepared(&nick)).transpose()?;
                Ok(Item::Affiliation { user, affiliation, nick, reason })
            }
            (None, Some(role)) => {
                let role = Role::parse(role).ok_or(Condition::BadRequest)?;
                let nick = self.prepared(&nick.ok_or(Condition::BadRequest)?)?;
                Ok(Item::Role { nick, role, reason })
            }
            _ => Err(Condition::BadRequest.into()),
        }
    }

    /// A nickname as it would be in an occupant JID; empty stays empty.
    fn prepared(&self, nick: &str) -> Result<String, StanzaError> {
        if nick.is_empty() {
            return Ok(String::new());
        }
        let jid = self.address.with_resource_str(nick).map_err(|_| Condition::JidMalformed)?;
        Ok(jid.resource().as_str().to_owned())
    }

    /// Does what was judged and is durable. Those who are removed hear of it first, then whoever asked, then everybody
    /// else (§8.2).
    pub(super) fn do_items(&mut self, items: Vec<Item>, iq: &Stanza, env: &Env<'_>, out: &mut Out<Self>) {
        let actor = self.sender(iq).map(|sender| sender.nick().to_owned());
        let mut news = Vec::new();
        for item in items {
            self.do_item(item, actor.as_ref(), iq, env, &mut news, out);
        }
        out.route(iq.result(None));
        for change in news {
            self.tell_of_change(&change, out);
        }
        self.end_if_deserted(out);
    }

    /// The writes that make a set durable.
    pub(super) fn affiliation_writes(&self, items: &[Item]) -> Vec<Write> {
        let write = |item: &Item| match item {
            Item::Affiliation { user, .. } => Some(self.affiliation_write(user, self.entry(item).as_ref())),
            Item::Role { .. } => None,
        };
        items.iter().filter_map(write).collect()
    }

    /// What an item makes of an entry; `None` removes it.
    fn entry(&self, item: &Item) -> Option<Entry> {
        let Item::Affiliation { user, affiliation, nick, reason } = item else { return None };
        let old = self.affiliations.get(user).and_then(|entry| entry.nick.clone());
        // Outcasts keep no nickname (§9.1); an empty one takes it away (§9.5).
        let nick =
            nick.clone().or(old).filter(|nick| !nick.is_empty() && *affiliation != Affiliation::Outcast);
        let entry = Entry { affiliation: *affiliation, nick, reason: reason.clone() };
        (*affiliation != Affiliation::None).then_some(entry)
    }

    fn do_item(
        &mut self,
        item: Item,
        actor: Option<&String>,
        iq: &Stanza,
        env: &Env<'_>,
        news: &mut Vec<News>,
        out: &mut Out<Self>,
    ) {
        let entry = self.entry(&item);
        match item {
            Item::Role { nick, role, reason } => {
                let Some(who) = self.occupants.named(&nick).cloned() else { return };
                let codes = if role == Role::None { vec![307] } else { vec![] };
                let notice = Notice { codes, reason, actor: actor.cloned(), ..Notice::default() };
                let affiliation = who.affiliation;
                self.restand(who, affiliation, role, notice, news, out);
            }
            Item::Affiliation { user, affiliation, reason, .. } => {
                let old = self.affiliation(&user, env);
                self.commit(Change::Affiliation(user.clone(), entry), out);
                let here = |who: &&Occupant| who.user == user || is_domain_of(&user, &who.user);
                let here: Vec<_> = self.occupants.iter().filter(here).cloned().collect();
                if here.is_empty() && affiliation == Affiliation::Member && old == Affiliation::None {
                    self.welcome(&user, iq, out);
                }
                for who in here {
                    let now = self.affiliation(&who.user, env);
                    let notice =
                        Notice { reason: reason.clone(), actor: actor.cloned(), ..Notice::default() };
                    self.reaffiliate(who, now, notice, news, out);
                }
            }
        }
    }

    /// A new member of a members-only room is invited (§9.5).
    fn welcome(&self, user: &BareJid, iq: &Stanza, out: &mut Out<Self>) {
        if let Some(from) = iq.from.as_ref().filter(|_| self.config.members_only) {
            out.route(self.invitation(user.clone().into(), from.to_bare().as_str(), std::iter::empty()));
        }
    }

    fn reaffiliate(
        &mut self,
        who: Occupant,
        now: Affiliation,
        notice: Notice,
        news: &mut Vec<News>,
        out: &mut Out<Self>,
    ) {
        let (code, role) = if now == Affiliation::Outcast {
            (Some(301), Role::None)
        } else if now < Affiliation::Member && self.config.members_only {
            (Some(321), Role::None)
        } else {
            (None, who.role.after(who.affiliation, now, &self.config))
        };
        let notice = Notice { codes: code.into_iter().collect(), ..notice };
        self.restand(who, now, role, notice, news, out);
    }

    /// Gives an occupant what it is now; without a role it is out.
    fn restand(
        &mut self,
        mut who: Occupant,
        affiliation: Affiliation,
        role: Role,
        notice: Notice,
        news: &mut Vec<News>,
        out: &mut Out<Self>,
    ) {
        let gone = role == Role::None;
        let sees = !self.sees_jids(who.role) && self.sees_jids(role);
        (who.affiliation, who.role) = (affiliation, role);
        if gone {
            self.remove(&who, &notice, out);
        } else {
            self.commit(Change::Standing(who.nick().to_owned(), affiliation, role), out);
        }
        news.push(News { who, notice, gone, sees });
    }

    /// Gives an occupant what it is now, and tells everybody.
    pub(super) fn set_standing(
        &mut self,
        who: &Occupant,
        affiliation: Affiliation,
        role: Role,
        out: &mut Out<Self>,
    ) {
        let mut news = Vec::new();
        self.restand(who.clone(), affiliation, role, Notice::default(), &mut news, out);
        for change in news {
            self.tell_of_change(&change, out);
        }
    }

    fn tell_of_change(&self, news: &News, out: &mut Out<Self>) {
        let News { who, notice, gone, sees } = news;
        if *gone {
            return self.tell(who, &unavailable(), notice, Audience::Others, out);
        }
        self.tell(who, &who.shown().presence, notice, Audience::Others, out);
        self.tell(who, &who.shown().presence, notice, Audience::Own, out);
        // A moderator knows whom it moderates (§8).
        for seat in who.seats.iter().filter(|_| *sees) {
            self.tell_of_others(who, &seat.jid, out);
        }
    }
}

fn occupant_item(who: &Occupant) -> Element {
    el("item", ns::MUC_ADMIN)
        .with("affiliation", who.affiliation.name())
        .with("role", who.role.name())
        .with("nick", who.nick())
        .with("jid", who.shown().jid.as_str())
}
