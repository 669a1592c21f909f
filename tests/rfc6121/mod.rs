//! Instant messaging and presence (RFC 6121).

mod messages;
