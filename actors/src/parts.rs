//! Machines too large for one message between nodes: they move in parts.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use jid::BareJid;
use muster_cluster::{Role, Slot};
use muster_proto::room::Room;
use muster_proto::session::Session;

use crate::owned::Owned;
use crate::remote::Remote;
use crate::world::World;

/// Bytes of one part: well below what a message may have.
const PART_BYTES: usize = 256 * 1024;
/// Bytes of one machine; a larger one is lost, and begins from the store.
const MACHINE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Machines that have arrived in part.
#[derive(Default)]
pub struct Joined(Mutex<HashMap<(Role, BareJid), Vec<u8>>>);

/// One part of a machine.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Part {
    /// A room instead of a session.
    pub room: bool,
    /// Whose.
    pub address: BareJid,
    /// Where it belongs: the parts before it have so many bytes.
    pub offset: u64,
    /// Whether it is the last.
    pub last: bool,
    /// A part of the machine as JSON.
    pub bytes: Vec<u8>,
}

/// A machine in parts, in order.
pub fn split<M: Owned>(machine: &M, address: &BareJid) -> VecDeque<Remote> {
    let bytes = serde_json::to_vec(machine).unwrap_or_else(|error| {
        tracing::error!(%error, "a machine cannot be written");
        vec![]
    });
    let count = bytes.len().div_ceil(PART_BYTES);
    let part = |(number, bytes): (usize, &[u8])| {
        Remote::AdoptPart(Part {
            room: M::ROLE == Role::Rooms,
            address: address.clone(),
            offset: u64::try_from(number * PART_BYTES).unwrap_or(u64::MAX),
            last: number + 1 == count,
            bytes: bytes.to_vec(),
        })
    };
    bytes.chunks(PART_BYTES).enumerate().map(part).collect()
}

impl Joined {
    /// Takes the next part; the whole after the last one.
    fn join(&self, part: Part) -> Option<Vec<u8>> {
        let role = if part.room { Role::Rooms } else { Role::Sessions };
        let place = (role, part.address);
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = parts.remove(&place).unwrap_or_default();
        if part.offset == 0 {
            bytes.clear();
        }
        if u64::try_from(bytes.len()) != Ok(part.offset) || bytes.len() + part.bytes.len() > MACHINE_BYTES_MAX
        {
            tracing::warn!("a machine did not arrive whole; it begins from the store");
            return None;
        }
        bytes.extend_from_slice(&part.bytes);
        if part.last {
            return Some(bytes);
        }
        parts.insert(place, bytes);
        None
    }
}

impl World {
    /// Takes one part of a machine that moves here; with the last one it is here.
    pub fn adopt_part(self: &Arc<Self>, part: Part) {
        let (room, address) = (part.room, part.address.clone());
        let Some(bytes) = self.parts.join(part) else { return };
        match room {
            true => self.adopt_bytes::<Room>(&address, &bytes),
            false => self.adopt_bytes::<Session>(&address, &bytes),
        }
    }

    fn adopt_bytes<M: Owned>(self: &Arc<Self>, address: &BareJid, bytes: &[u8]) {
        let slot = Slot::of(address.as_str().as_bytes()).0;
        match serde_json::from_slice::<M>(bytes) {
            Ok(machine) => M::office(self).adopt(self, slot, address, Box::new(machine)),
            Err(error) => tracing::error!(%error, "a machine cannot be read; it begins from the store"),
        }
    }
}

#[cfg(test)]
mod tests {
    use muster_proto::machine::Machine;
    use muster_proto::stanza::{PresenceType, Stanza};
    use muster_proto::store::Reply;

    use super::*;

    fn session(bytes: usize) -> Session {
        let mut session = Session::new("juliet@capulet.lit".parse().unwrap(), vec![Reply::Document(None)]);
        let request = Stanza::presence(PresenceType::Subscribe).with_id(&"x".repeat(bytes));
        session.requests.insert("romeo@montague.lit".parse().unwrap(), request);
        session
    }

    #[test]
    fn a_machine_in_parts_is_the_same_when_it_is_whole_again() {
        let session = session(3 * PART_BYTES);
        let parts = Joined::default();
        let messages = split(&session, &session.address);
        assert_eq!(messages.len(), 4);
        // One that broke off before, and then all of it.
        let again = split(&session, &session.address);
        let mut whole = vec![];
        for message in again.into_iter().take(2).chain(messages) {
            let Remote::AdoptPart(part) = message else { panic!() };
            whole.extend(parts.join(part));
        }
        let [whole] = &whole[..] else { panic!("once") };
        assert_eq!(serde_json::from_slice::<Session>(whole).unwrap(), session);
    }

    #[test]
    fn a_machine_with_a_gap_is_none() {
        let session = session(3 * PART_BYTES);
        let parts = Joined::default();
        for message in split(&session, &session.address).into_iter().skip(1) {
            let Remote::AdoptPart(part) = message else { panic!() };
            assert_eq!(parts.join(part), None);
        }
    }
}
