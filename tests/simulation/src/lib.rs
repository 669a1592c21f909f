//! A whole cluster on one thread: the real nodes, with a network, clocks and a store that a seed decides over. The same seed is
//! the same history, to the millisecond.

mod chance;
mod client;
mod commits;
mod ether;
mod fault;
mod history;
mod invariant;
mod log;
mod network;
mod nodes;
mod oracle;
mod pipe;
mod play;
mod store;
mod words;

pub use fault::{Act, Fault};
pub use invariant::{Demand, Invariant};
pub use log::aloud;
pub use play::{Outcome, Script, play, play_script};
