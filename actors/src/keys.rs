//! Turns passwords into keys, where slow things run.

use muster_cluster::simulation;
use muster_proto::sasl::{Credentials, ITERATIONS, PasswordError};
use tokio::task::{JoinError, spawn_blocking};

/// Keys for both hashes, with fresh salts.
///
/// # Errors
/// The password has prohibited characters or is empty.
pub fn derive(password: &str) -> Result<Credentials, PasswordError> {
    Credentials::derive(password, seed(), ITERATIONS)
}

/// Bytes that nobody can foresee.
pub fn seed() -> [u8; 32] {
    if !simulation::is_on() {
        return rand::random();
    }
    std::array::from_fn(|_| simulation::random().to_le_bytes()[0])
}

/// Runs what is slow on a thread for such things; in a simulation, which has one thread, at once.
///
/// # Errors
/// It panicked, or the runtime ends.
pub async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, JoinError> {
    if simulation::is_on() {
        return Ok(work());
    }
    spawn_blocking(work).await
}
