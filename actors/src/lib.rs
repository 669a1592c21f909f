//! Actors run what `proto` says: sockets, sessions and rooms, and the storage they write to.

pub mod storage;
