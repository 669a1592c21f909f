//! Chance that can be repeated.

/// A generator (xorshift64*).
pub struct Chance(u64);

impl Chance {
    /// The chance of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below this one.
    pub fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % most
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// A few bytes are lost, doubled, exchanged or put in.
    pub fn spoil(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        const INSERTS: [&[u8]; 12] = [
            b"<",
            b">",
            b"'",
            b"&",
            b"&#x0;",
            b"\0",
            b"\xff",
            b"<!--",
            b"]]>",
            b"\xe2\x98\xba",
            b" xmlns='x'",
            b"</iq>",
        ];
        for _ in 0..self.below(3) + 1 {
            let at = self.below(bytes.len() + 1);
            let end = (at + self.below(8)).min(bytes.len());
            match self.below(4) {
                0 => drop(bytes.drain(at..end)),
                1 => {
                    let copy = bytes[at..end].to_vec();
                    bytes.splice(at..at, copy);
                }
                2 if at < bytes.len() => bytes[at] = self.next().to_le_bytes()[0],
                _ => drop(bytes.splice(at..at, self.pick(&INSERTS).iter().copied())),
            }
        }
        bytes
    }
}
