//! One node: its configuration, its listeners, its metrics and its command line.

pub mod config;
