//! Messages larger than a frame of a link, in parts: a room with thousands of occupants on its way to another node.

use std::sync::{Mutex, MutexGuard, PoisonError};

use muster_cluster::map::HashMap;
use muster_proto::stanza::Condition;

use crate::remote::Remote;
use crate::world::World;

/// Bytes in one part: half of what a link takes at once.
const PART_BYTES: usize = 512 * 1024;
/// Largest message in all. Beyond it, whatever it carries stays where it is.
const WHOLE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Messages of which not all parts have come, by the node that sends them: one at a time.
#[derive(Default)]
pub struct Joined {
    open: Mutex<HashMap<u64, Vec<u8>>>,
    /// Held while one is sent, so that its parts stay together.
    sending: Mutex<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Joined {
    /// Takes a part from that node; gives the message with its last one. A first part ends what broke off before it.
    pub fn take(&self, from: u64, first: bool, last: bool, bytes: &[u8]) -> Option<Remote> {
        let mut open = lock(&self.open);
        if first {
            open.insert(from, Vec::new());
        }
        let whole = open.get_mut(&from)?;
        whole.extend_from_slice(bytes);
        if whole.len() > WHOLE_BYTES_MAX {
            open.remove(&from);
            return None;
        }
        let whole = last.then(|| open.remove(&from))??;
        serde_json::from_slice(&whole)
            .inspect_err(|error| tracing::error!(%error, from, "a message in parts could not be read"))
            .ok()
    }

    /// No more parts come from that node.
    pub fn forget(&self, from: u64) {
        lock(&self.open).remove(&from);
    }
}

impl World {
    /// Sends a message that is too large for one frame.
    ///
    /// # Errors
    /// Gives it back: `resource-constraint` if the link is full, `policy-violation` if it is too large for anything.
    pub fn send_in_parts(&self, to: u64, message: Remote) -> Result<(), (Remote, Condition)> {
        let whole = match serde_json::to_vec(&message) {
            Ok(whole) if whole.len() <= WHOLE_BYTES_MAX => whole,
            Ok(_) | Err(_) => return Err((message, Condition::PolicyViolation)),
        };
        let _together = lock(&self.parts.sending);
        let count = whole.len().div_ceil(PART_BYTES);
        for (number, part) in whole.chunks(PART_BYTES).enumerate() {
            let (first, last) = (number == 0, number + 1 == count);
            let part = Remote::Part { first, last, bytes: part.to_vec().into() };
            if let Err((_, condition)) = self.send(to, part) {
                return Err((message, condition));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::ledger::Ledger;
    use muster_proto::machine::Machine;
    use muster_proto::session::Session;
    use muster_proto::stanza::{PresenceType, Stanza};
    use muster_proto::store::Reply;

    use super::*;

    fn large() -> (Session, Vec<u8>) {
        let mut session = Session::new("juliet@capulet.lit".parse().unwrap(), vec![Reply::Document(None)]);
        let request = Stanza::presence(PresenceType::Subscribe).with_id(&"x".repeat(3 * PART_BYTES));
        session.requests.insert("romeo@montague.lit".parse().unwrap(), request);
        let whole =
            serde_json::to_vec(&Remote::AdoptSession(Box::new(session.clone()), Ledger::default())).unwrap();
        (session, whole)
    }

    #[test]
    fn a_machine_in_parts_is_the_same_when_it_is_whole_again() {
        let (session, whole) = large();
        let joined = Joined::default();
        let parts: Vec<&[u8]> = whole.chunks(PART_BYTES).collect();
        // One that broke off before, and another node's in between.
        assert!(joined.take(1, true, false, parts[0]).is_none());
        assert!(joined.take(2, true, false, parts[1]).is_none());
        for (number, part) in parts.iter().enumerate() {
            match joined.take(1, number == 0, number + 1 == parts.len(), part) {
                Some(Remote::AdoptSession(arrived, _)) => {
                    assert_eq!((*arrived, number + 1), (session.clone(), parts.len()));
                }
                Some(other) => panic!("{other:?}"),
                None => assert!(number + 1 < parts.len()),
            }
        }
    }

    #[test]
    fn a_message_without_its_beginning_is_none() {
        let (_, whole) = large();
        let joined = Joined::default();
        assert!(joined.take(1, true, false, &whole[..10]).is_none());
        joined.forget(1);
        assert!(joined.take(1, false, true, &whole[10..]).is_none());
    }
}
