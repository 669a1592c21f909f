//! Accounts are removed, or their clients are told to log in again.

use super::*;
use crate::BareJid;
use crate::session::{Input, Order};
use crate::store::collection;
use crate::stream::error::StreamCondition;

#[test]
fn a_removed_account_is_forgotten_and_its_contacts_are_told() {
    let mut world = World::default();
    let (romeo, juliet) = lovers(&mut world);
    world.session_input("romeo@montague.lit", Input::Order(Order::Remove));
    assert_eq!(world.ended(romeo).unwrap().condition, StreamCondition::NotAuthorized);
    let heard = hears(&mut world, juliet);
    assert!(heard.contains(&format!("presence unavailable {ROMEO}")), "{heard:?}");
    assert!(heard.contains(&"presence unsubscribed romeo@montague.lit".to_owned()), "{heard:?}");
    assert!(heard.contains(&"presence unsubscribe romeo@montague.lit".to_owned()), "{heard:?}");
    let contact = BareJid::new("romeo@montague.lit").unwrap();
    let item = world.session("juliet@capulet.lit").unwrap().roster.item(&contact).cloned().unwrap();
    assert!(!item.to && !item.from);
    for collection in [collection::CREDENTIALS, collection::ROSTER, collection::REQUESTS] {
        assert!(!world.store.has(collection, "romeo@montague.lit"), "{collection}");
    }
    world.says(juliet, "<message to='romeo@montague.lit'><body>Wherefore?</body></message>");
    assert_eq!(refusal(&mut world, juliet), Condition::ServiceUnavailable);
}

#[test]
fn an_account_whose_streams_end_stays() {
    let mut world = World::default();
    let (romeo, juliet) = lovers(&mut world);
    world.session_input("romeo@montague.lit", Input::Order(Order::EndStreams));
    assert_eq!(world.ended(romeo).unwrap().condition, StreamCondition::NotAuthorized);
    assert_eq!(hears(&mut world, juliet), [format!("presence unavailable {ROMEO}")]);
    let romeo = world.bind(ROMEO);
    world.says(romeo, "<presence/>");
    assert_eq!(hears(&mut world, juliet), [format!("presence {ROMEO}")]);
}
