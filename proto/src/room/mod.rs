//! A room (XEP-0045): its occupants, its rules, its recent past.

use jid::BareJid;
use serde::{Deserialize, Serialize};

use crate::machine::{Env, Machine, Out};
use crate::session::LostAccounts;
use crate::stanza::Stanza;
use crate::store::{Query, Reply};

/// A room. Serialised, it is its own snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Room {
    /// Where it is.
    pub address: BareJid,
}

/// What happens to a room.
pub enum Input {
    /// Somebody sent it, or one of its occupants, a stanza. `from` is a full JID.
    Stanza(Stanza),
    /// The sessions of these accounts died with their node: they have left.
    AccountsLost(LostAccounts),
}

/// Records of a room's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {}

impl Machine for Room {
    type Input = Input;
    type Change = Change;

    fn load(_address: &BareJid) -> Vec<Query> {
        vec![]
    }

    fn new(address: BareJid, _replies: Vec<Reply>) -> Self {
        Self { address }
    }

    fn handle(&mut self, _input: Input, _env: &Env<'_>, _out: &mut Out<Self>) {}

    fn apply(&mut self, _change: &Change) {}

    fn is_idle(&self) -> bool {
        true
    }
}
