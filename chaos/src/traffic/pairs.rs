//! Pairs who write to each other, both with managed sessions; each message is numbered.

use std::time::Duration;

use super::{Size, Traffic};
use crate::client::ClientId;
use crate::history::Kind;
use crate::load::body::Letter;
use crate::play::Stage;

const PAIRS: usize = 8;
/// Each client writes so often.
const EVERY: Duration = Duration::from_millis(400);
const MESSAGE_BYTES: usize = 220;

/// Clients 2k and 2k+1 of its own write to each other.
pub struct Pairs {
    first: ClientId,
    count: usize,
    letters: Vec<Letter>,
    next: Vec<Duration>,
    opened: bool,
}

pub(super) fn make(first: ClientId, size: &Size) -> Box<dyn Traffic> {
    Box::new(Pairs { first, count: size.of(PAIRS) * 2, letters: Vec::new(), next: Vec::new(), opened: false })
}

impl Pairs {
    fn partner(&self, index: usize) -> ClientId {
        self.first + (index ^ 1)
    }
}

impl Traffic for Pairs {
    fn clients(&self) -> usize {
        self.count
    }

    fn bound(&mut self, id: ClientId, stage: &mut Stage<'_>) {
        stage.say(id, "<presence/>");
    }

    fn tick(&mut self, stage: &mut Stage<'_>) {
        if !self.opened {
            self.opened = true;
            for index in 0..self.count {
                stage.open(self.first + index);
                let to = stage.full(self.partner(index));
                self.letters.push(Letter::new(&to, "chat", MESSAGE_BYTES));
            }
        }
        if stage.composing && self.next.is_empty() {
            // Presence is heard of by then; and spread over the interval, so that no two write at once.
            let at = |index: usize| stage.now + EVERY + EVERY.mul_f64(index as f64 / self.count as f64);
            self.next = (0..self.count).map(at).collect();
        }
        for index in 0..self.next.len() {
            if stage.composing && stage.now >= self.next[index] {
                self.next[index] = stage.now.max(self.next[index] + EVERY);
                let to = self.partner(index);
                stage.compose(Kind::Pair, self.first + index, to, &mut self.letters[index]);
            }
        }
    }
}
