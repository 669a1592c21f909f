//! Thousands of XMPP clients in one thread: one poll loop, output that is prepared once, input that is framed but not parsed.

mod account;
mod connection;
mod engine;
mod framer;
mod login;
mod sasl;
mod targets;
mod tickets;
mod wire;

pub use account::{Account, Accounts};
pub use engine::{Clients, Engine, Load};
pub use framer::{Frame, Framer};
pub(crate) use login::attribute;
pub use login::{Entrance, Manners, Mechanism, Purpose, Ticket};
pub use sasl::scram_keys;
pub use targets::{Distance, Spread, Targets};
pub use wire::Security;

/// The number of a client: its place in the engine.
pub type ClientId = usize;
