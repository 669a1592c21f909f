//! Who is there, who owns what, and how nodes reach each other. Generic over the message; keys are bytes.

#[doc(hidden)]
pub mod bench;
pub mod clock;
mod cluster;
mod config;
mod council;
mod error;
mod gossip;
mod lease;
mod life;
mod link;
pub mod map;
mod metrics;
mod node_id;
pub mod priority;
mod quiet;
mod register;
mod ring;
mod shared;
pub mod simulation;
mod slot;
mod status;
mod thread;
mod tls;
mod trail;
mod view;
mod wire;

pub use cluster::{Cluster, Inbox, Message, Peer};
pub use config::{Config, Endpoint, Limits, Network, Secret, TlsMaterial};
pub use error::{MoveError, SendError, StartError};
pub use node_id::{Incarnation, NodeId, NodeIdError};
pub use register::{MemoryRegister, RegisterError, ViewRegister};
pub use ring::{Share, Table};
pub use shared::Addresses;
pub use slot::{Lsn, Slot, SlotLog, hash64};
pub use status::{Fate, GossipFacts, LinkStatus, Load, MemberStatus, Phase, Status};
pub use trail::Step;
pub use view::{Member, Role, Roles, State, View};
