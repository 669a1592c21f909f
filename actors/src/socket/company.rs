//! Answers that wait a moment for company. To write an `<a/>` by itself is a system call and wakes the client for little, and a
//! client that is busy is told something else soon. So it waits while others of the same thread are read, turn by turn, and not for
//! long (XEP-0198 §4 lets an answer wait for a time). Where nothing else is to be done it leaves at once.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

/// Nobody waits longer.
const WAIT_MAX: Duration = Duration::from_millis(2);

thread_local! {
    static COMPANY: RefCell<Company> = const { RefCell::new(Company::new()) };
}

struct Company {
    waiting: VecDeque<Waiting>,
    /// The number of the first of them; they are numbered from 1.
    first: u64,
    /// Somebody was read in this turn.
    is_busy: bool,
    /// Turns are counted.
    is_watched: bool,
}

struct Waiting {
    since: Instant,
    /// Taken when it has found company.
    waker: Option<Waker>,
}

/// The number under which a connection waits; 0 while it does not, and [`Place::WANTED`] before it has one.
#[derive(Default)]
pub struct Place(u64);

/// Somebody was read.
pub fn read() {
    COMPANY.with_borrow_mut(|company| company.is_busy = true);
}

impl Place {
    /// Of a connection that is to wait.
    pub const WANTED: Self = Self(u64::MAX);

    /// Whether it needs not wait, or not any longer; if it must, it is woken.
    pub fn has_waited(&mut self, waker: &Waker) -> bool {
        if self.0 > 0 {
            self.0 = COMPANY.with_borrow_mut(|company| company.wait(self.0, waker));
        }
        self.0 == 0
    }

    /// It has found company.
    pub fn leave(&mut self) {
        if self.0 > 0 {
            COMPANY.with_borrow_mut(|company| company.take(self.0).map(|waiting| waiting.waker.take()));
            self.0 = 0;
        }
    }
}

impl Company {
    const fn new() -> Self {
        Self { waiting: VecDeque::new(), first: 1, is_busy: false, is_watched: false }
    }

    /// The number under which it waits; 0 if it has.
    fn wait(&mut self, number: u64, waker: &Waker) -> u64 {
        if number != Place::WANTED.0 {
            let waiting = self.take(number).map(|waiting| waiting.waker = Some(waker.clone()));
            return waiting.map_or(0, |()| number);
        }
        if !std::mem::replace(&mut self.is_watched, true) {
            actix_rt::spawn(watch(Watch));
        }
        self.waiting.push_back(Waiting { since: Instant::now(), waker: Some(waker.clone()) });
        self.first + self.waiting.len() as u64 - 1
    }

    fn take(&mut self, number: u64) -> Option<&mut Waiting> {
        self.waiting.get_mut(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// Those who have waited so long, or all if nobody was read since the last turn.
    fn turn(&mut self, now: Instant) -> Vec<Waker> {
        let is_busy = std::mem::take(&mut self.is_busy);
        let waits = |waiting: &Waiting| is_busy && now.saturating_duration_since(waiting.since) < WAIT_MAX;
        let count = self.waiting.iter().take_while(|waiting| !waits(waiting)).count();
        self.first += count as u64;
        self.waiting.drain(..count).filter_map(|waiting| waiting.waker).collect()
    }
}

/// While there is one, turns are counted.
struct Watch;

impl Drop for Watch {
    /// However it ended, nobody waits for it.
    fn drop(&mut self) {
        let all = COMPANY.with_borrow_mut(|company| {
            (company.is_watched, company.is_busy) = (false, false);
            company.turn(Instant::now())
        });
        all.into_iter().for_each(Waker::wake);
    }
}

/// Counts turns until nobody waits.
async fn watch(_watch: Watch) {
    COMPANY.with_borrow_mut(|company| company.is_busy = false);
    loop {
        // Everything else that is ready has its turn.
        tokio::task::yield_now().await;
        let (due, is_over) = COMPANY.with_borrow_mut(|company| {
            let due = company.turn(Instant::now());
            (due, company.waiting.is_empty())
        });
        due.into_iter().for_each(Waker::wake);
        if is_over {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    /// Counts how often it was woken.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Some who wait, and how often each was woken.
    fn waiting(company: &mut Company, count: usize) -> Vec<(u64, Arc<Count>)> {
        company.is_watched = true;
        let wait = |_| {
            let count = Arc::<Count>::default();
            (company.wait(Place::WANTED.0, &Waker::from(count.clone())), count)
        };
        (0..count).map(wait).collect()
    }

    fn turn(company: &mut Company, is_busy: bool, after: Duration) {
        company.is_busy = is_busy;
        company.turn(Instant::now() + after).into_iter().for_each(Waker::wake);
    }

    fn woken(all: &[(u64, Arc<Count>)]) -> Vec<usize> {
        all.iter().map(|(_, count)| count.0.load(Ordering::Relaxed)).collect()
    }

    #[test]
    fn who_waits_leaves_when_nobody_is_read_or_after_a_while() {
        let mut company = Company::new();
        let first = waiting(&mut company, 2);
        turn(&mut company, true, Duration::ZERO);
        assert_eq!(woken(&first), [0, 0], "others are read");
        assert_eq!(company.wait(first[0].0, Waker::noop()), first[0].0, "it waits on");
        turn(&mut company, false, Duration::ZERO);
        assert_eq!(woken(&first), [0, 1], "the first has another waker now");
        let second = waiting(&mut company, 1);
        turn(&mut company, true, WAIT_MAX);
        assert_eq!(woken(&second), [1]);
        assert_eq!(company.wait(second[0].0, Waker::noop()), 0, "it has waited");
    }

    #[test]
    fn who_has_found_company_is_not_woken() {
        let mut company = Company::new();
        let all = waiting(&mut company, 3);
        company.take(all[1].0).expect("it waits").waker = None;
        turn(&mut company, false, Duration::ZERO);
        assert_eq!(woken(&all), [1, 0, 1]);
    }

    #[actix_rt::test]
    async fn on_a_thread_with_nothing_else_to_do_it_leaves_with_the_next_turn() {
        let mut place = Place::WANTED;
        let waited = std::future::poll_fn(|cx| match place.has_waited(cx.waker()) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        });
        waited.await;
        assert!(COMPANY.with_borrow(|company| company.waiting.is_empty()));
        let mut place = Place::WANTED;
        assert!(!place.has_waited(Waker::noop()), "and so does the next one");
        place.leave();
        assert!(place.has_waited(Waker::noop()));
    }
}
