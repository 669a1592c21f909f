//! Whether the messages of one sender came, once each and in order.

use serde::{Deserialize, Serialize};

/// What went wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// Sent, and never seen.
    pub lost: u64,
    /// Seen again.
    pub doubled: u64,
    /// Seen after one that was sent later.
    pub reordered: u64,
}

/// The numbers that one receiver has seen from one sender, which counts from 0.
#[derive(Debug, Default)]
pub struct Order {
    next: u64,
    missing: Vec<u64>,
    doubled: u64,
    reordered: u64,
}

impl Order {
    /// Sees a number. Returns whether it is new.
    pub fn see(&mut self, number: u64) -> bool {
        if number >= self.next {
            self.missing.extend(self.next..number);
            self.next = number + 1;
            return true;
        }
        match self.missing.iter().position(|missing| *missing == number) {
            Some(at) => {
                self.missing.swap_remove(at);
                self.reordered += 1;
                true
            }
            None => {
                self.doubled += 1;
                false
            }
        }
    }

    /// What went wrong among the first `sent`.
    #[must_use]
    pub fn faults(&self, sent: u64) -> Faults {
        Faults {
            lost: self.missing.len() as u64 + sent.saturating_sub(self.next),
            doubled: self.doubled,
            reordered: self.reordered,
        }
    }
}

impl std::ops::AddAssign for Faults {
    fn add_assign(&mut self, other: Self) {
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.reordered += other.reordered;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_doubled_or_late_is_counted() {
        let mut order = Order::default();
        for number in [0, 1, 3, 2, 2, 6] {
            order.see(number);
        }
        assert_eq!(order.faults(8), Faults { lost: 3, doubled: 1, reordered: 1 });
    }
}
