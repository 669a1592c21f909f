//! Subscriptions in use (RFC 6121 §3): what the user says to a contact, and what a contact says to the user.
//!
//! A subscription stanza goes on at once, so that nothing overtakes it (RFC 6120 §10.1); the roster push, which tells
//! the user's clients that it is so, waits until it is kept.

use jid::BareJid;

use super::subscription::{State, Verb};
use super::{Item, Session};
use crate::machine::{Env, Out};
use crate::stanza::{Condition, PresenceType, Stanza};

impl Session {
    /// How the user and a contact stand to each other.
    pub fn state(&self, contact: &BareJid) -> State {
        let asked = self.requests.contains_key(contact);
        match self.roster.item(contact) {
            Some(item) => {
                State { to: item.to, from: item.from, ask: item.ask, asked, approved: item.approved }
            }
            None => State { asked, ..State::default() },
        }
    }

    /// A client of the user's says it to a contact.
    pub(super) fn subscription_out(
        &mut self,
        sid: u64,
        verb: Verb,
        mut stanza: Stanza,
        env: &Env<'_>,
        out: &mut Out<Self>,
    ) {
        let Some(contact) = stanza.to.as_ref().map(jid::Jid::to_bare) else {
            return self.bounce(sid, &stanza, Condition::BadRequest, env, out);
        };
        if contact == self.address {
            return self.bounce(sid, &stanza, Condition::NotAllowed, env, out);
        }
        stanza.to = Some(contact.clone().into());
        let before = self.state(&contact);
        let step = before.sends(verb);
        let item = self.item_in(&contact, step.state);
        if item.is_some() && self.roster.item(&contact).is_none() && self.is_roster_full(env) {
            return self.bounce(sid, &stanza, Condition::ResourceConstraint, env, out);
        }
        let request = if step.state.asked { self.requests.get(&contact).cloned() } else { None };
        let is_changed = self.roster.item(&contact) != item.as_ref();
        let (was_from, passes) = (before.from, step.passes);
        if verb == Verb::Unsubscribed && was_from {
            self.hide_from(&contact, out);
        }
        if passes {
            out.route(stanza.clone());
        }
        if verb == Verb::Subscribed && passes {
            self.show_to(&contact, out);
        }
        self.persist(contact.clone(), item, request, env, out, move |session, done, env, out| match done {
            Ok(()) if is_changed => session.push(&contact, env, out),
            Ok(()) => {}
            Err(condition) => session.bounce(sid, &stanza, condition, env, out),
        });
    }

    /// A contact says it to the user.
    pub(super) fn subscription_in(&mut self, stanza: &Stanza, env: &Env<'_>, out: &mut Out<Self>) {
        let crate::stanza::Kind::Presence(kind) = stanza.kind else { return };
        let (Some(verb), Some(from)) = (Verb::of(kind), &stanza.from) else { return };
        let contact = from.to_bare();
        if contact == self.address {
            return;
        }
        let mut stanza = stanza.clone().with_to(self.address.clone());
        stanza.from = Some(contact.clone().into());
        let before = self.state(&contact);
        let step = before.receives(verb);
        if step.state == before {
            // Nothing new: at most the server says again what the contact seems not to know (§3.1.3).
            return if step.approves {
                self.approve(&contact, out)
            };
        }
        let is_new_request = step.state.asked && !before.asked;
        if is_new_request && self.requests.len() >= env.options.limits.roster_items_max {
            return; // a flood: §3.1.3 lets the contact ask again
        }
        let item = self.item_in(&contact, step.state);
        let request =
            step.state.asked.then(|| self.requests.get(&contact).cloned().unwrap_or_else(|| stanza.clone()));
        let is_changed = self.roster.item(&contact) != item.as_ref();
        if verb == Verb::Unsubscribe && before.from {
            self.hide_from(&contact, out);
        }
        if step.passes {
            self.tell_subscription(verb, &stanza, env, out);
        }
        if step.approves {
            self.approve(&contact, out);
            self.show_to(&contact, out);
        }
        self.persist(contact.clone(), item, request, env, out, move |session, done, env, out| match done {
            Ok(()) if is_changed => session.push(&contact, env, out),
            Ok(()) => {}
            // Presence has no answer. A probe mends what one side forgets (§4.3.2).
            Err(condition) => {
                tracing::warn!(condition = condition.name(), "a subscription could not be kept")
            }
        });
    }

    /// The server says `subscribed` for the user.
    fn approve(&mut self, contact: &BareJid, out: &mut Out<Self>) {
        let yes = Stanza::presence(PresenceType::Subscribed).with_from(self.address.clone());
        out.route(yes.with_to(contact.clone()));
    }

    /// Requests go to available resources (§3.1.3); what changes the roster goes to interested ones too (§3.1.6).
    fn tell_subscription(&mut self, verb: Verb, stanza: &Stanza, env: &Env<'_>, out: &mut Out<Self>) {
        let is_for_roster = verb != Verb::Subscribe;
        let hears = self
            .resources
            .iter()
            .filter(|resource| resource.is_available() || (is_for_roster && resource.interested))
            .map(|resource| resource.sid);
        for sid in hears.collect::<Vec<_>>() {
            self.deliver(sid, stanza.clone(), env, out);
        }
    }

    /// The roster item that goes with a state; `None` if there is none and nothing to note.
    fn item_in(&self, contact: &BareJid, state: State) -> Option<Item> {
        let known = self.roster.item(contact);
        if known.is_none() && !(state.to || state.from || state.ask || state.approved) {
            return None;
        }
        let State { to, from, ask, approved, asked: _ } = state;
        Some(Item { to, from, ask, approved, ..known.cloned().unwrap_or_default() })
    }
}
