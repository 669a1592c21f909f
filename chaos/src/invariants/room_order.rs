//! A room has one order, and everybody in it sees that.

use std::collections::HashMap;

use super::{Invariant, Terms};
use crate::history::{History, Kind, LifeId, MessageId};

pub(super) const PER_ROOM: Invariant = Invariant {
    name: "order-per-room",
    what: "all occupants of a room see its messages in the same order",
    source: "XEP-0045 §7.4: the room reflects each message to all; its owner is the sequencer (ARCHITECTURE.md)",
    check,
};

fn check(history: &History, _: &Terms) -> Vec<String> {
    // For each room: what each session saw, in its order, each message once.
    let mut rooms: HashMap<usize, HashMap<LifeId, Vec<MessageId>>> = HashMap::new();
    for receipt in &history.receipts {
        let message = &history.messages[receipt.message];
        if message.kind == Kind::Room {
            let seen = rooms.entry(message.to).or_default().entry(receipt.life).or_default();
            seen.push(receipt.message);
        }
    }
    let mut found = Vec::new();
    for (room, sights) in &rooms {
        let mut sights: Vec<_> = sights.iter().collect();
        // Each is compared with who saw most.
        sights.sort_by_key(|(life, seen)| (std::cmp::Reverse(seen.len()), **life));
        let Some((_, longest)) = sights.first() else { continue };
        let mut places = HashMap::new();
        for (place, message) in longest.iter().enumerate() {
            places.entry(*message).or_insert(place);
        }
        for (life, seen) in &sights[1..] {
            let mut last = None;
            let mut counted = std::collections::HashSet::new();
            for message in seen.iter().filter(|message| counted.insert(**message)) {
                let Some(place) = places.get(message) else { continue };
                if last.is_some_and(|last| last > place) {
                    let client = history.lives[**life].client;
                    found.push(format!(
                        "room {room}: client {client} saw message {message} later than others"
                    ));
                }
                last = last.max(Some(place));
            }
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::testing::{life, message, receipt, terms};

    #[test]
    fn two_who_see_two_messages_in_another_order_are_noticed() {
        let mut history = History {
            messages: vec![message(Kind::Room); 3],
            lives: vec![life(0), life(1), life(2)],
            ..History::default()
        };
        history.receipts = [(0, 0), (1, 0), (2, 0), (0, 1), (2, 1), (0, 2)]
            .map(|(message, life)| receipt(message, life))
            .to_vec();
        assert!(check(&history, &terms()).is_empty(), "who misses some sees the others in order");
        history.receipts.push(receipt(1, 1));
        assert_eq!(check(&history, &terms()).len(), 1);
    }
}
