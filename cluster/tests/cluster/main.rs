//! Clusters of integers over loopback: real sockets, certificates, gossip; a register in memory.

mod authority;
mod faults;
mod forms;
mod proxy;
mod stage;
mod strangers;
