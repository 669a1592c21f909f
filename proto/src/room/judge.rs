//! Who may change which affiliation and role (XEP-0045 §8.2–8.5, §9, §10.3–10.8).

use std::collections::BTreeSet;

use jid::BareJid;

use super::Room;
use super::admin::Item;
use super::affiliations::{Affiliation, Role};
use crate::machine::Env;
use crate::stanza::{Condition, Stanza, StanzaError};

impl Room {
    /// Whether this user may do that.
    pub(super) fn judge(
        &self,
        item: &Item,
        iq: &Stanza,
        user: &BareJid,
        env: &Env<'_>,
    ) -> Result<(), StanzaError> {
        match item {
            Item::Role { nick, role, .. } => self.judge_role(nick, *role, iq, user, env),
            Item::Affiliation { user: target, affiliation, nick, .. } => {
                if nick.as_ref().is_some_and(|nick| !nick.is_empty() && self.is_reserved(nick, target)) {
                    return Err(Condition::Conflict.into());
                }
                self.judge_affiliation(target, *affiliation, user, env)
            }
        }
    }

    fn judge_role(
        &self,
        nick: &str,
        role: Role,
        iq: &Stanza,
        user: &BareJid,
        env: &Env<'_>,
    ) -> Result<(), StanzaError> {
        if !self.is_moderator(iq, user, env) {
            return Err(Condition::Forbidden.into());
        }
        let target = self.occupants.named(nick).ok_or(Condition::ItemNotFound)?;
        let (own, theirs) = (self.affiliation(user, env), self.affiliation(&target.user, env));
        let is_admin = own >= Affiliation::Admin;
        let itself = target.user == *user;
        let allowed = match (target.role, role) {
            (old, new) if old == new => true,
            // §8.2, and §5.1.3: only administrators kick moderators.
            (Role::Moderator, Role::None) => itself || (is_admin && theirs <= own),
            (_, Role::None) => theirs <= own,
            // §9.6: only administrators make moderators.
            (_, Role::Moderator) => return if is_admin { Ok(()) } else { Err(Condition::Forbidden.into()) },
            // §9.7: nobody takes it from administrators.
            (Role::Moderator, _) if theirs >= Affiliation::Admin => false,
            (Role::Moderator, _) => return if is_admin { Ok(()) } else { Err(Condition::Forbidden.into()) },
            // §8.4: nor voice from those at or above one's own affiliation.
            (_, Role::Visitor) => {
                theirs < Affiliation::Admin && (theirs < own || theirs == Affiliation::None)
            }
            (_, Role::Participant) => true,
        };
        if allowed { Ok(()) } else { Err(Condition::NotAllowed.into()) }
    }

    fn judge_affiliation(
        &self,
        target: &BareJid,
        new: Affiliation,
        user: &BareJid,
        env: &Env<'_>,
    ) -> Result<(), StanzaError> {
        let own = self.affiliation(user, env);
        let old = self.affiliation(target, env);
        if own < Affiliation::Admin {
            return Err(Condition::Forbidden.into());
        }
        // §9.1: nobody bans himself.
        if new == Affiliation::Outcast && (target == user || is_domain_of(target, user)) {
            return Err(Condition::Conflict.into());
        }
        if own < Affiliation::Owner {
            if old >= Affiliation::Admin {
                return Err(Condition::NotAllowed.into());
            }
            if new >= Affiliation::Admin {
                return Err(Condition::Forbidden.into());
            }
        }
        // The service's administrators own the room, listed or not.
        if self.is_service_admin(target, env) && new < Affiliation::Owner && target != user {
            return Err(Condition::NotAllowed.into());
        }
        Ok(())
    }

    /// A room keeps at least one owner (§10.4).
    pub(super) fn keeps_an_owner(&self, items: &[Item]) -> Result<(), StanzaError> {
        let owners = self.affiliations.iter().filter(|(_, entry)| entry.affiliation == Affiliation::Owner);
        let before: BTreeSet<_> = owners.map(|(user, _)| user).collect();
        let mut after = before.clone();
        for item in items {
            match item {
                Item::Affiliation { user, affiliation: Affiliation::Owner, .. } => after.insert(user),
                Item::Affiliation { user, .. } => after.remove(user),
                Item::Role { .. } => false,
            };
        }
        if after.is_empty() && !before.is_empty() { Err(Condition::Conflict.into()) } else { Ok(()) }
    }

    pub(super) fn fits(&self, items: &[Item], env: &Env<'_>) -> Result<(), StanzaError> {
        let new = |item: &&Item| match item {
            Item::Affiliation { user, affiliation, .. } => {
                *affiliation != Affiliation::None && !self.affiliations.contains_key(user)
            }
            Item::Role { .. } => false,
        };
        let count = self.affiliations.len() + items.iter().filter(new).count();
        if count > env.options.limits.room_affiliations_max && items.iter().any(|item| new(&item)) {
            return Err(Condition::ResourceConstraint.into());
        }
        Ok(())
    }
}

/// Whether a JID is nothing but the domain of a user.
pub(super) fn is_domain_of(domain: &BareJid, user: &BareJid) -> bool {
    domain.node().is_none() && domain.domain() == user.domain()
}
