//! One node: its configuration, its listeners, its metrics and its command line.

pub mod admin;
mod authpassword;
pub mod cli;
pub mod config;
mod drain;
pub mod error;
mod http;
mod life;
pub mod listen;
pub mod log;
pub mod metrics;
mod pace;
mod running;
pub mod setup;
mod shared;
pub mod tls;
pub mod users;

pub use config::Config;
pub use error::StartError;
pub use running::{Command, Node, Running};
