//! Conversations with the server, written as scenes and played on three stages: machines in memory, one node, and a
//! cluster of three.
//!
//! A scene sees the server as its users do: through connections. What it says and hears is XML, compared as trees by the
//! rules of [`pattern`].

pub mod acts;
pub mod client;
pub mod pattern;
pub mod player;
mod script;
pub mod stage;

pub use player::Player;
pub use stage::Stage;
