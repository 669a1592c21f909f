//! Every scene, in one binary: the stages with nodes are built once and shared.

#![allow(clippy::unwrap_used, reason = "a scene that goes otherwise has failed")]

mod cluster;
mod fuzz;
mod rfc6120;
mod rfc6121;
mod xep;
