//! Measures XMPP servers, Muster and others, and breaks Muster on purpose: a client engine that costs little itself, loads and
//! traffic that it puts on a server, faults, and what must hold all the same.

mod cli;
pub mod client;
pub mod compare;
mod faults;
pub mod floor;
mod history;
mod interrupt;
mod invariants;
pub mod load;
pub mod measure;
pub mod million;
mod nodes;
pub mod picture;
mod play;
mod proof;
mod site;
mod traffic;
mod trial;
mod verdict;

pub use cli::harness;
