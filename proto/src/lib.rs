//! What XMPP says, as pure functions: stanza in, changes and effects out.
//!
//! No socket, no clock, no task and no actor in here: time, randomness and ids are arguments.

pub mod addresses;
pub mod datetime;
pub mod feature;
pub mod features;
pub mod form;
pub mod machine;
pub mod ns;
pub mod options;
pub mod room;
pub mod sasl;
pub mod session;
pub mod stanza;
pub mod store;
pub mod stream;
#[doc(hidden)]
pub mod testing;
pub mod xml;

pub use jid::{BareJid, FullJid, Jid};
pub use minidom::Element;
pub use stanza::Stanza;
