//! The pace at which an arbiter takes what clients say. A node that has more to do than it can must not have ever more
//! of it under way: what waits inside is waited for by everybody, by those who want to go on with a session too. So when
//! many stanzas were read, the time is taken that a turn of everything takes, of all arbiters: what one reads another
//! handles. If it is long, fewer are read until the next turn. The others wait where they are, in their connections, in
//! order.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use crate::floor::Floor;
use crate::world::World;

/// Reads in a turn while there is time enough.
const READS_MAX: usize = 1024;
/// Reads in a turn however long it takes.
const READS_MIN: usize = 8;
/// How long a turn should take at most.
const TURN: Duration = Duration::from_millis(50);

thread_local! {
    static PACE: RefCell<Pace> = const { RefCell::new(Pace::new()) };
}

struct Pace {
    /// Reads in a turn now.
    reads: usize,
    /// Those that are left in this one.
    left: usize,
    /// The last number that was drawn by a connection that has to wait, and the last that was called.
    drawn: u64,
    called: u64,
    waiting: VecDeque<Waker>,
    /// A turn is being timed.
    is_timed: bool,
}

/// The number that a connection draws when it has to wait; 0 while it does not.
#[derive(Default)]
pub struct Number(u64);

/// Whether this connection may read now; if not, it is woken when it may.
pub fn may_read(number: &mut Number, world: &Arc<World>, waker: &Waker) -> bool {
    PACE.with_borrow_mut(|pace| {
        let may = pace.may_read(number, waker);
        if pace.is_half_spent() && !std::mem::replace(&mut pace.is_timed, true) {
            actix_rt::spawn(time(world.clone()));
        }
        may
    })
}

/// Times one turn after the other until nobody waits.
async fn time(world: Arc<World>) {
    loop {
        let since = Instant::now();
        let turns: Vec<_> = world.floors.iter().map(Floor::turn).collect();
        for turn in turns {
            turn.await;
        }
        let (next, goes_on) = PACE.with_borrow_mut(|pace| {
            let next = pace.turn(since.elapsed());
            pace.is_timed = pace.is_half_spent();
            (next, pace.is_timed)
        });
        next.into_iter().for_each(Waker::wake);
        if !goes_on {
            return;
        }
    }
}

impl Pace {
    const fn new() -> Self {
        let waiting = VecDeque::new();
        Self { reads: READS_MAX, left: READS_MAX, drawn: 0, called: 0, waiting, is_timed: false }
    }

    fn may_read(&mut self, number: &mut Number, waker: &Waker) -> bool {
        if number.0 > 0 {
            if number.0 <= self.called {
                number.0 = 0;
            }
            return number.0 == 0;
        }
        if self.left > 0 {
            self.left -= 1;
            return true;
        }
        metrics::counter!("muster_reads_delayed_total").increment(1);
        self.drawn += 1;
        number.0 = self.drawn;
        self.waiting.push_back(waker.clone());
        false
    }

    fn is_half_spent(&self) -> bool {
        self.left <= self.reads / 2
    }

    /// A turn took so long. Who may read in the next one of those who wait.
    fn turn(&mut self, took: Duration) -> Vec<Waker> {
        self.reads = match took <= TURN {
            true => (self.reads * 2).min(READS_MAX),
            false => (self.reads as f64 * TURN.as_secs_f64() / took.as_secs_f64()) as usize,
        }
        .max(READS_MIN);
        let next = self.waiting.len().min(self.reads);
        self.left = self.reads - next;
        self.called += next as u64;
        self.waiting.drain(..next).collect()
    }
}

/// Lets nobody read on this thread any more.
#[cfg(test)]
pub fn stop() {
    PACE.with_borrow_mut(|pace| (pace.reads, pace.left, pace.is_timed) = (0, 0, true));
}

/// How many wait for their turn to read on this thread.
#[cfg(test)]
pub fn waiting() -> usize {
    PACE.with_borrow(|pace| pace.waiting.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those of `connections` who may read, as many times as there are turns of that length.
    fn reads(pace: &mut Pace, connections: &mut [Number], turns: &[u64]) -> Vec<Vec<usize>> {
        let mut all = Vec::new();
        for millis in turns {
            let may = |(at, number): (usize, &mut Number)| pace.may_read(number, Waker::noop()).then_some(at);
            all.push(connections.iter_mut().enumerate().filter_map(may).collect());
            pace.turn(Duration::from_millis(*millis));
        }
        all
    }

    fn connections(count: usize) -> Vec<Number> {
        std::iter::repeat_with(Number::default).take(count).collect()
    }

    #[test]
    fn while_turns_are_short_everybody_reads() {
        let mut pace = Pace::new();
        let seen = reads(&mut pace, &mut connections(1000), &[1; 20]);
        assert!(seen.iter().all(|turn| turn.len() == 1000));
    }

    #[test]
    fn long_turns_let_fewer_read_and_short_ones_more() {
        let mut pace = Pace::new();
        let mut many = connections(5000);
        let counts = |turns: Vec<Vec<usize>>| turns.iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(counts(reads(&mut pace, &mut many, &[100; 5])), [1024, 512, 256, 128, 64]);
        assert_eq!(counts(reads(&mut pace, &mut many, &[5000; 3])), [32, READS_MIN, READS_MIN]);
        assert_eq!(counts(reads(&mut pace, &mut many, &[10; 9]))[..4], [READS_MIN, 16, 32, 64]);
        assert_eq!(pace.reads, READS_MAX);
    }

    #[test]
    fn who_waits_reads_in_order_and_before_who_comes_later() {
        let mut pace = Pace::new();
        let mut many = connections(2000);
        let seen = reads(&mut pace, &mut many, &[5000, 50, 50]);
        assert_eq!(seen[0], (0..1024).collect::<Vec<_>>());
        assert_eq!(seen[1], (1024..1034).collect::<Vec<_>>());
        assert_eq!(
            seen[2],
            (1034..1054).collect::<Vec<_>>(),
            "the first ones, who ask again, come after those who wait"
        );
    }

    #[test]
    fn who_has_left_takes_no_turn_from_others_for_ever() {
        let mut pace = Pace::new();
        let mut many = connections(1100);
        reads(&mut pace, &mut many, &[5000]);
        many.truncate(1024);
        // The 76 who left are called and do not come; everybody else reads again.
        let seen = reads(&mut pace, &mut many, &[10; 12]);
        assert_eq!(seen.last().map(Vec::len), Some(1024));
    }
}
