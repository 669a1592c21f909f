//! Turns passwords into keys, where slow things run: never on an arbiter, and never on all cores at once.

use std::sync::LazyLock;
use std::thread::available_parallelism;

use muster_cluster::simulation;
use muster_proto::sasl::{Credentials, PasswordError};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn_blocking};

/// How many run at once: half of the cores, at least one. The others wait their turn.
static TURNS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(1, usize::from).div_ceil(2)));

/// Keys for both hashes, with fresh salts.
///
/// # Errors
/// The password has prohibited characters or is empty.
pub fn derive(password: &str, iterations: u32) -> Result<Credentials, PasswordError> {
    Credentials::derive(password, seed(), iterations)
}

/// Bytes that nobody can foresee.
pub fn seed() -> [u8; 32] {
    if !simulation::is_on() {
        return rand::random();
    }
    std::array::from_fn(|_| simulation::random().to_le_bytes()[0])
}

/// Runs what is slow on a thread for such things, when it is its turn; in a simulation, which has one thread, at once.
///
/// # Errors
/// It panicked, or the runtime ends.
pub async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, JoinError> {
    if simulation::is_on() {
        return Ok(work());
    }
    let _turn = TURNS.acquire().await;
    spawn_blocking(work).await
}
