//! Instant messaging and presence (RFC 6121).

mod messages;
mod offline;
mod presence;
mod roster;
mod subscriptions;
