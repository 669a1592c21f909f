//! Maps whose order nobody can foresee, and which a simulation can repeat: the key is chosen once per process.

use std::hash::{BuildHasher, DefaultHasher, Hasher, RandomState};
use std::sync::OnceLock;

use crate::simulation;

/// As the standard one.
pub type HashMap<K, V> = std::collections::HashMap<K, V, Keyed>;
/// As the standard one.
pub type HashSet<K> = std::collections::HashSet<K, Keyed>;

static KEY: OnceLock<u64> = OnceLock::new();

/// Hashes under the process's key, or in a simulation under one that is always the same.
#[derive(Clone, Copy, Debug)]
pub struct Keyed(u64);

impl Default for Keyed {
    fn default() -> Self {
        // The standard library's keys are drawn at random.
        let key = || *KEY.get_or_init(|| RandomState::new().hash_one(0_u8));
        Self(if simulation::is_on() { 0 } else { key() })
    }
}

impl BuildHasher for Keyed {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.0);
        hasher
    }
}
