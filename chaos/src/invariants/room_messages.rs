//! What a room was told reaches all who are in it.

use std::collections::HashSet;
use std::time::Duration;

use super::{Invariant, Terms};
use crate::history::{History, Kind};

pub(super) const REACH_ALL: Invariant = Invariant {
    name: "rooms-reach-all",
    what: "an acknowledged message to a room reaches every session that was in it before and to the end",
    source: "XEP-0045 §7.4; ARCHITECTURE.md: a room survives with its occupants under any single fault",
    check,
};

/// Who entered less than this before a message was sent may have missed it.
const ENTERED_BEFORE: Duration = Duration::from_millis(500);

fn check(history: &History, terms: &Terms) -> Vec<String> {
    if !terms.single {
        return Vec::new();
    }
    let receipts: HashSet<_> =
        history.receipts.iter().map(|receipt| (receipt.message, receipt.life)).collect();
    let stays: Vec<_> = history
        .lives
        .iter()
        .enumerate()
        .filter_map(|(number, life)| {
            let (room, since) = life.room.filter(|_| life.to.is_none())?;
            Some((number, life.client, room, since))
        })
        .collect();
    let mut found = Vec::new();
    for (number, message) in history.messages.iter().enumerate() {
        let Some(acked) = message.acked_at.filter(|_| message.kind == Kind::Room) else { continue };
        if message.refused_at.is_some() {
            continue;
        }
        for (life, client, room, since) in &stays {
            let there = *room == message.to && *since + ENTERED_BEFORE < message.composed_at;
            if there && !receipts.contains(&(number, *life)) {
                found.push(format!(
                    "room {room}: message {number} from client {}, composed at {:.3} s, acknowledged at {:.3} s, \
                     never came to client {client}",
                    message.from,
                    message.composed_at.as_secs_f64(),
                    acked.as_secs_f64()
                ));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::testing::{life, message, receipt, terms};

    #[test]
    fn who_was_there_all_the_time_and_did_not_hear_is_noticed() {
        let mut said = message(Kind::Room);
        (said.to, said.composed_at, said.acked_at) =
            (4, Duration::from_secs(9), Some(Duration::from_secs(9)));
        let there = |since| crate::history::Life { room: Some((4, Duration::from_secs(since))), ..life(0) };
        let history = History {
            messages: vec![said],
            lives: vec![there(1), there(1), there(10)],
            receipts: vec![receipt(0, 0)],
            ..History::default()
        };
        assert_eq!(check(&history, &terms()).len(), 1, "the second; the third entered later");
    }
}
