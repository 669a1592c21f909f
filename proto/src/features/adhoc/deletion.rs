//! Deletes accounts one after the other: who was subscribed is told, the store is cleaned, the streams end.

use jid::BareJid;

use super::call::Call;
use crate::features::account;
use crate::machine::{Effect, Out};
use crate::session::{Item, Order, Session};
use crate::store::{Key, Query, Reply, StoreError, collection};

/// What is still to be done, and what was found.
pub(super) struct Deletion {
    waiting: Vec<BareJid>,
    missing: Vec<BareJid>,
    call: Call,
}

impl Deletion {
    pub(super) fn new(waiting: Vec<BareJid>, call: Call) -> Self {
        Self { waiting, missing: vec![], call }
    }

    /// Takes the next account, or answers.
    pub(super) fn go_on(mut self, out: &mut Out<Session>) {
        let Some(account) = self.waiting.pop() else { return self.end(out) };
        let credentials = Key::new(collection::CREDENTIALS, account.as_str());
        out.ask(Query::Document(credentials), move |_, reply, _, out| match reply {
            Ok(Reply::Document(Some(_))) => self.part(account, out),
            Ok(_) => {
                self.missing.push(account);
                self.go_on(out);
            }
            Err(error) => self.call.away(&error, out),
        });
    }

    /// Reads who must be told.
    fn part(self, account: BareJid, out: &mut Out<Session>) {
        let roster = Key::new(collection::ROSTER, account.as_str());
        out.ask(Query::Map(roster), move |_, reply, _, out| match reply {
            Ok(Reply::Map(fields)) => self.remove(account, contacts(fields), out),
            Ok(_) => self.call.away(&StoreError::Failed("a roster is a map".into()), out),
            Err(error) => self.call.away(&error, out),
        });
    }

    fn remove(self, account: BareJid, contacts: Vec<(BareJid, Item)>, out: &mut Out<Session>) {
        out.store(account::removal(&account), move |_, reply, _, out| match reply {
            Ok(_) => {
                let contacts = contacts.iter().map(|(contact, item)| (contact, item));
                account::farewell(&account, contacts).into_iter().for_each(|presence| out.route(presence));
                out.effects.push(Effect::Order(account, Order::Remove));
                self.go_on(out);
            }
            Err(error) => self.call.away(&error, out),
        });
    }

    fn end(self, out: &mut Out<Session>) {
        if self.missing.is_empty() {
            return self.call.done("The accounts were deleted.", out);
        }
        let missing: Vec<_> = self.missing.iter().map(|jid| jid.as_str()).collect();
        self.call.failed(&format!("These did not exist: {}.", missing.join(", ")), out);
    }
}

/// A field that cannot be read is left out: it must not keep an account from being deleted.
fn contacts(fields: Vec<(String, Vec<u8>)>) -> Vec<(BareJid, Item)> {
    let contact = |(jid, json): (String, Vec<u8>)| {
        Some((BareJid::new(&jid).ok()?, serde_json::from_slice(&json).ok()?))
    };
    fields.into_iter().filter_map(contact).collect()
}
