//! What happened, by the virtual clock: printed when a seed fails, and summed up so that two runs can be compared.

use std::cell::RefCell;
use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use tokio::time::Instant;

/// The lines of one history.
#[derive(Clone)]
pub struct History(Rc<RefCell<Lines>>);

struct Lines {
    since: Instant,
    text: String,
    sum: DefaultHasher,
    loud: bool,
}

impl History {
    /// An empty one that begins now. A loud one is printed as it happens.
    pub fn new(loud: bool) -> Self {
        let lines = Lines { since: Instant::now(), text: String::new(), sum: DefaultHasher::new(), loud };
        Self(Rc::new(RefCell::new(lines)))
    }

    /// Something happened.
    pub fn note(&self, what: std::fmt::Arguments<'_>) {
        let mut lines = self.0.borrow_mut();
        let at = lines.since.elapsed();
        let start = lines.text.len();
        // Writing to a string does not fail.
        let _ = writeln!(lines.text, "{:>9.3} {what}", at.as_secs_f64());
        let Lines { text, sum, loud, .. } = &mut *lines;
        text[start..].hash(sum);
        if *loud {
            print!("{}", &text[start..]);
        }
    }

    /// All of it.
    pub fn text(&self) -> String {
        self.0.borrow().text.clone()
    }

    /// A number that is the same for two histories only if they are.
    pub fn sum(&self) -> u64 {
        self.0.borrow().sum.finish()
    }
}

/// Notes a line.
#[macro_export]
macro_rules! note {
    ($history:expr, $($what:tt)*) => { $history.note(format_args!($($what)*)) };
}
