//! Deletes accounts one after the other: first nobody can log in any more, then the account's owner clears up.

use jid::BareJid;

use super::call::Call;
use crate::features::account;
use crate::machine::{Effect, Out};
use crate::session::{Order, Session};
use crate::store::{Key, Query, Reply, collection};

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
            Ok(Reply::Document(Some(_))) => self.delete(account, out),
            Ok(_) => {
                self.missing.push(account);
                self.go_on(out);
            }
            Err(error) => self.call.away(&error, out),
        });
    }

    fn delete(self, account: BareJid, out: &mut Out<Session>) {
        out.store(account::closing(&account), move |_, reply, _, out| match reply {
            Ok(_) => {
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
