//! Sockets, sessions and rooms as supervised actors, and the store they write to. They decide nothing: `proto` does.

pub mod storage;

mod copies;
mod copying;
mod deliveries;
mod doorman;
mod fence;
mod floor;
mod gate;
mod inbox;
mod intake;
mod keys;
mod ledger;
mod listener;
mod mail;
mod metrics;
mod moves;
mod office;
mod owned;
mod pace;
mod parts;
mod receipt;
mod remote;
mod replication;
mod room;
mod router;
#[cfg(not(feature = "sabotage"))]
mod sabotage;
#[cfg(feature = "sabotage")]
pub mod sabotage;
mod session;
mod shown;
mod socket;
mod sockets;
#[cfg(test)]
mod stage;
mod status;
mod system;
mod throttle;
mod warden;
mod world;

pub use listener::{ClientListener, ListenerTls};
pub use status::{NodeStatus, RingStatus, Status};
pub use system::{Setup, StartError, System};
pub use throttle::Guards;
