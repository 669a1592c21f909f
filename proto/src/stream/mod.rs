//! A client's stream (RFC 6120): bytes in, effects out.

pub mod error;

pub use error::StreamError;
