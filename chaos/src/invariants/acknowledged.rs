//! What was acknowledged arrives.

use super::{Invariant, Terms};
use crate::history::{History, Kind};

pub(super) const KEPT: Invariant = Invariant {
    name: "acknowledged-is-kept",
    what: "a message that the server acknowledged arrives at whom it is for, or is refused",
    source: "XEP-0198 §4: an acknowledgement takes over responsibility; ARCHITECTURE.md, managed streams",
    check,
};

fn check(history: &History, _: &Terms) -> Vec<String> {
    let lost = history.messages.iter().enumerate().filter(|(_, message)| {
        message.kind != Kind::Room
            && message.acked_at.is_some()
            && message.arrived_at.is_none()
            && message.refused_at.is_none()
    });
    let say = |(number, message): (usize, &crate::history::Message)| {
        format!(
            "message {number} from client {} to {}, composed at {:.3} s, acknowledged at {:.3} s, never arrived",
            message.from,
            message.to,
            message.composed_at.as_secs_f64(),
            message.acked_at.unwrap_or_default().as_secs_f64()
        )
    };
    lost.map(say).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::testing::{message, terms};
    use std::time::Duration;

    #[test]
    fn an_acknowledged_message_that_never_arrives_is_lost_and_an_unknown_one_is_not() {
        let mut history = History { messages: vec![message(Kind::Pair); 3], ..History::default() };
        history.messages[1].acked_at = Some(Duration::from_secs(1));
        history.messages[2].acked_at = Some(Duration::from_secs(1));
        history.messages[2].arrived_at = Some(Duration::from_secs(2));
        let found = check(&history, &terms());
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("message 1 "), "{found:?}");
    }
}
