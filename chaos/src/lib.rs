//! Measures XMPP servers, Muster and others: a client engine that costs little itself, loads that it puts on a server, and
//! what the operating system says about the server meanwhile.

pub mod client;
pub mod compare;
pub mod floor;
mod interrupt;
pub mod load;
pub mod measure;
pub mod picture;
