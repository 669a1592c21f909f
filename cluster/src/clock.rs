//! The clock by which leases are measured: it never jumps, and it goes on while the machine is suspended, which the
//! standard library's does not promise. Time is counted from an arbitrary zero that all processes of a machine share.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::simulation;

#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOCK: ClockId = ClockId::Monotonic;

/// The time now.
pub fn now() -> Duration {
    if let Some(now) = simulation::now() {
        return now;
    }
    let time = clock_gettime(CLOCK);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_forward() {
        let first = now();
        assert!(first > Duration::ZERO && now() >= first);
    }
}
