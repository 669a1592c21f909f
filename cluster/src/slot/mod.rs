//! Slots: the unit of ownership, of the replicated log, of hand-off and of the store's fence.

mod log;

use std::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

pub use log::{Lsn, SlotLog};

/// Keys the hash. Changing it moves every key to another slot: it is part of the stored format.
const SEED: u64 = 0x6d75_7374_6572_2031;

/// One of the 16,384 parts into which all keys fall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Slot(pub u16);

impl Slot {
    /// How many slots there are.
    pub const COUNT: u16 = 16_384;

    /// The slot of a key. The same on every node, platform and version.
    pub fn of(key: &[u8]) -> Slot {
        Slot((hash64(key) % u64::from(Slot::COUNT)) as u16)
    }

    /// Every slot in order.
    pub fn all() -> impl Iterator<Item = Slot> {
        (0..Slot::COUNT).map(Slot)
    }

    /// The slot as an index below [`Slot::COUNT`].
    pub fn index(self) -> usize {
        usize::from(self.0 % Slot::COUNT)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// XXH3 with a fixed seed, whose output is frozen.
pub fn hash64(bytes: &[u8]) -> u64 {
    xxh3_64_with_seed(bytes, SEED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_of_known_keys_never_change() {
        let slots = ["", "romeo@montague.lit", "juliet@capulet.lit", "s2s:example.org"]
            .map(|k| Slot::of(k.as_bytes()).0);
        assert_eq!(slots, [1218, 6825, 6540, 3715]);
    }
}
