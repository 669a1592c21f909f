//! Loads: what clients do while a server is measured.

pub(crate) mod body;
mod chat;
mod failover;
mod gather;
mod hold;
mod idle;
mod kept;
mod login;
mod offline;
mod presence;
mod register;
mod report;
mod room;
mod window;

pub use chat::{Chat, Pace};
pub use failover::Failover;
pub use hold::{Hold, Phase, Status, Steer};
pub use idle::Idle;
pub use login::Storm;
pub use offline::Offline;
pub use presence::Groups;
pub use register::Register;
pub use report::{Report, Scene};
pub use room::Rooms;
