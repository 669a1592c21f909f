//! The pace at which new connections are taken: what is more waits in the kernel, in order of arrival.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// What was not used is kept for so long: a few who come together do not wait.
const CREDIT: Duration = Duration::from_millis(20);

/// The pace.
pub struct Pace {
    step: Duration,
    next: Mutex<Instant>,
}

impl Pace {
    /// So many a second.
    pub fn new(per_second: u32) -> Self {
        Self { step: Duration::from_secs(1) / per_second.max(1), next: Mutex::new(Instant::now()) }
    }

    /// Waits for the next turn.
    pub async fn turn(&self) {
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let earliest = Instant::now().checked_sub(CREDIT).unwrap_or(*next);
            let turn = (*next).max(earliest);
            *next = turn + self.step;
            turn
        };
        if turn > Instant::now() {
            sleep_until(turn).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_storm_is_taken_at_its_pace_and_a_few_at_once() {
        tokio::time::advance(Duration::from_secs(10)).await;
        let (pace, began) = (Pace::new(1_000), Instant::now());
        for _ in 0..1_000 {
            pace.turn().await;
        }
        let taken = began.elapsed();
        assert!((Duration::from_millis(950)..Duration::from_millis(1_050)).contains(&taken), "{taken:?}");
        tokio::time::advance(Duration::from_secs(10)).await;
        let began = Instant::now();
        for _ in 0..20 {
            pace.turn().await;
        }
        assert_eq!(began.elapsed(), Duration::ZERO, "who comes after a quiet time does not wait");
    }
}
