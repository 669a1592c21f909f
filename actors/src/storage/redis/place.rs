//! Where a slot of ours lies in a Redis Cluster: that decides its lane, because servers own ranges of Redis' own slots.

/// Redis' slots (Redis Cluster specification, "Key distribution model").
const HASH_SLOTS: usize = 16_384;

/// The lane of one of our slots, out of so many.
pub(super) fn lane(slot: u16, lanes: usize) -> usize {
    if lanes == 1 { 0 } else { hash_slot(slot.to_string().as_bytes()) * lanes / HASH_SLOTS }
}

/// One of our slots that belongs to this lane.
pub(super) fn slot_of_lane(number: usize, lanes: usize) -> u16 {
    (0..=u16::MAX).find(|slot| lane(*slot, lanes) == number).unwrap_or(0)
}

/// Redis' slot of a hash tag: CRC16 (XMODEM) modulo 16384.
fn hash_slot(tag: &[u8]) -> usize {
    let crc = tag.iter().fold(0u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    });
    usize::from(crc) % HASH_SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_lies_where_redis_says() {
        // The test vector of the specification, and `CLUSTER KEYSLOT` of a server.
        assert_eq!(hash_slot(b"123456789"), 0x31c3 % HASH_SLOTS);
        assert_eq!(hash_slot(b"foo"), 12_182);
    }

    #[test]
    fn every_lane_has_its_share_of_the_slots() {
        let mut shares = [0; 16];
        (0..16_384).for_each(|slot| shares[lane(slot, 16)] += 1);
        assert!(shares.iter().all(|share| (900..1_150).contains(share)), "{shares:?}");
        assert!((0..16).all(|number| lane(slot_of_lane(number, 16), 16) == number));
        assert_eq!(lane(9_999, 1), 0);
    }
}
