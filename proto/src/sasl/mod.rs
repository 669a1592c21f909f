//! SASL at the server (RFC 4422, RFC 5802, RFC 7677): who is it?

mod credentials;

pub use credentials::{Credentials, Derivation, Derived, Hash, ITERATIONS, Keys, PasswordError, prepare};
