//! SASL at the server (RFC 4422, RFC 6120 §6): who is it?
//!
//! An [`Exchange`] takes what the client says and what the world answers, and yields steps. It knows nothing of XML.

mod credentials;
mod exchange;
mod failure;
mod mechanism;
mod scram;
#[cfg(test)]
mod tests;

pub use credentials::{
    Credentials, Derivation, Derived, Hash, ITERATIONS, ITERATIONS_MIN, Keys, PasswordError, prepare,
};
pub use exchange::{Circumstances, Exchange, Step};
pub use failure::Failure;
pub use mechanism::Mechanism;
