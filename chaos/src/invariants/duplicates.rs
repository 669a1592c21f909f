//! A session hears nothing twice.

use std::collections::HashMap;

use super::{Invariant, Terms};
use crate::history::History;

pub(super) const NONE_RESUMED: Invariant = Invariant {
    name: "no-duplicates",
    what: "within one session, however often it is resumed, no message comes twice",
    source: "XEP-0198 §5: only what was not acknowledged is sent again",
    check,
};

fn check(history: &History, _: &Terms) -> Vec<String> {
    let mut seen = HashMap::new();
    let mut found = Vec::new();
    for receipt in &history.receipts {
        if let Some(before) = seen.insert((receipt.life, receipt.message), receipt.at) {
            let message = &history.messages[receipt.message];
            found.push(format!(
                "message {} from client {} came twice to client {}: at {:.3} s and {:.3} s",
                receipt.message,
                message.from,
                history.lives[receipt.life].client,
                before.as_secs_f64(),
                receipt.at.as_secs_f64()
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Kind;
    use crate::invariants::testing::{life, message, receipt, terms};

    #[test]
    fn twice_in_one_session_is_wrong_and_once_in_each_of_two_is_not() {
        let history = History {
            messages: vec![message(Kind::Pair); 2],
            lives: vec![life(0), life(0)],
            receipts: vec![receipt(0, 0), receipt(0, 1), receipt(1, 1), receipt(1, 1)],
            ..History::default()
        };
        let found = check(&history, &terms());
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("message 1 "), "{found:?}");
    }
}
