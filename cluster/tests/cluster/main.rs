//! Clusters of integers over loopback: real sockets, certificates, gossip; a register in memory.

// clippy.toml allows it in unit tests; these are all tests.
#![allow(clippy::unwrap_used)]

mod authority;
mod faults;
mod forms;
mod many;
mod partitions;
mod proxy;
mod stage;
mod strangers;
