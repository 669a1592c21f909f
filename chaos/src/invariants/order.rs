//! Messages of one sender to one receiver stay in order.

use std::collections::{HashMap, HashSet};

use super::{Invariant, Terms};
use crate::history::{History, Kind};

pub(super) const PER_PAIR: Invariant = Invariant {
    name: "order-per-pair",
    what: "what one session says to another arrives in the order in which it was said",
    source: "RFC 6120 §10.1: in-order processing",
    check,
};

fn check(history: &History, _: &Terms) -> Vec<String> {
    let (mut last, mut seen, mut found) = (HashMap::new(), HashSet::new(), Vec::new());
    for receipt in &history.receipts {
        let message = &history.messages[receipt.message];
        let Some((said_in, _)) = message.written else { continue };
        // What comes again is another fault.
        if message.kind == Kind::Room || !seen.insert((receipt.life, receipt.message)) {
            continue;
        }
        let before = last.insert((said_in, receipt.life), receipt.message);
        if let Some(before) = before.filter(|before| *before > receipt.message) {
            last.insert((said_in, receipt.life), before);
            found.push(format!(
                "message {} from client {} came to client {} after {before}, at {:.3} s",
                receipt.message,
                message.from,
                message.to,
                receipt.at.as_secs_f64()
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::testing::{life, message, receipt, terms};
    use std::time::Duration;

    #[test]
    fn what_comes_late_is_out_of_order() {
        let mut history = History {
            messages: vec![message(Kind::Pair); 3],
            lives: vec![life(0), life(1)],
            receipts: vec![receipt(0, 1), receipt(2, 1), receipt(1, 1), receipt(1, 1)],
            ..History::default()
        };
        history.messages.iter_mut().for_each(|message| message.written = Some((0, Duration::ZERO)));
        let found = check(&history, &terms());
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("after 2"), "{found:?}");
    }
}
