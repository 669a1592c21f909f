//! Who is there, who owns what, and how nodes reach each other. Generic over the message; keys are bytes.

mod cluster;
mod config;
mod error;
mod node_id;
mod register;
mod ring;
mod slot;
mod status;
mod view;

pub use cluster::{Cluster, Inbox, Message, Peer};
pub use config::{Config, Endpoint, Limits, Network, Secret, TlsMaterial};
pub use error::{MoveError, SendError, StartError};
pub use node_id::{Incarnation, NodeId, NodeIdError};
pub use register::{MemoryRegister, RegisterError, ViewRegister};
pub use ring::{Share, Table};
pub use slot::{Lsn, Slot, SlotLog};
pub use status::{Fate, GossipFacts, LinkStatus, Load, MemberStatus, Phase, Status};
pub use view::{Member, Role, Roles, State, View};
