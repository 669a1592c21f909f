//! Accounts come and go: what is written to the store.

use jid::BareJid;

use crate::sasl::Credentials;
use crate::store::{Key, Write, collection};

/// Longest password that can be set, in bytes: it is hashed on every log-in.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// Makes an account that does not exist. It begins empty, whatever another of that name may have left behind.
pub fn creation(address: &BareJid, credentials: &Credentials) -> Vec<Write> {
    let mut writes = collection::OF_ACCOUNT
        .map(|collection| Write::Remove(Key::new(collection, address.as_str())))
        .to_vec();
    writes.push(Write::SetField(directory(address), address.to_string(), vec![]));
    writes.push(password(address, credentials));
    writes
}

/// Gives an account another password.
pub fn password(address: &BareJid, credentials: &Credentials) -> Write {
    let json = serde_json::to_vec(credentials).expect("keys are plain data");
    Write::Put(Key::new(collection::CREDENTIALS, address.as_str()), json)
}

/// Ends an account: nobody can log in any more. [`crate::session::Order::Remove`] must follow: it clears up the rest.
pub fn closing(address: &BareJid) -> Vec<Write> {
    let credentials = Key::new(collection::CREDENTIALS, address.as_str());
    vec![Write::Remove(credentials), Write::RemoveField(directory(address), address.to_string())]
}

fn directory(address: &BareJid) -> Key {
    Key::new(collection::ACCOUNTS, address.domain().as_str())
}
