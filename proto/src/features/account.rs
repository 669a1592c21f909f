//! Accounts come and go: what is written to the store, and who is told.

use jid::BareJid;

use crate::sasl::Credentials;
use crate::session::Item;
use crate::stanza::{PresenceType, Stanza};
use crate::store::{Key, Write, collection};

/// Longest password that can be set, in bytes: it is hashed on every log-in.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// Makes an account, or gives it another password.
pub fn creation(address: &BareJid, credentials: &Credentials) -> Vec<Write> {
    let directory = Key::new(collection::ACCOUNTS, address.domain().as_str());
    vec![password(address, credentials), Write::SetField(directory, address.to_string(), vec![])]
}

/// Gives an account another password.
pub fn password(address: &BareJid, credentials: &Credentials) -> Write {
    let json = serde_json::to_vec(credentials).expect("keys are plain data");
    Write::Put(Key::new(collection::CREDENTIALS, address.as_str()), json)
}

/// Removes an account and all that belongs to it. The credentials go first: nobody can log in any more.
pub fn removal(address: &BareJid) -> Vec<Write> {
    let own =
        collection::OF_ACCOUNT.iter().map(|collection| Write::Remove(Key::new(collection, address.as_str())));
    let directory = Key::new(collection::ACCOUNTS, address.domain().as_str());
    own.chain([Write::RemoveField(directory, address.to_string())]).collect()
}

/// Ends all subscriptions of an account that is removed (RFC 6121 §3.2, §3.3).
pub fn farewell<'a>(
    address: &BareJid,
    roster: impl IntoIterator<Item = (&'a BareJid, &'a Item)>,
) -> Vec<Stanza> {
    let mut stanzas = vec![];
    for (contact, item) in roster {
        let mut say = |kind| {
            stanzas.push(Stanza::presence(kind).with_from(address.clone()).with_to(contact.clone()));
        };
        if item.to || item.ask {
            say(PresenceType::Unsubscribe);
        }
        if item.from {
            say(PresenceType::Unsubscribed);
        }
    }
    stanzas
}
