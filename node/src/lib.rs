//! One node: its configuration, its listeners, its metrics and its command line.

pub mod config;
pub mod listen;
pub mod log;
pub mod metrics;
pub mod setup;
mod stand_in;
pub mod tls;
