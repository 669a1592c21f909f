//! Messages to those who are mostly away: kept for them (XEP-0160), and read when they come.

use std::time::Duration;

use super::{Size, Traffic};
use crate::client::ClientId;
use crate::history::Kind;
use crate::load::body::Letter;
use crate::play::Stage;

const PAIRS: usize = 2;
const EVERY: Duration = Duration::from_millis(700);
const AWAY: Duration = Duration::from_secs(6);
const HERE: Duration = Duration::from_secs(3);
const MESSAGE_BYTES: usize = 220;

#[derive(Clone, Copy, PartialEq)]
enum Reader {
    Away { until: Duration },
    Coming,
    Here { until: Duration },
}

/// Clients of even number write, those of odd number are mostly away.
pub(super) struct Offline {
    first: ClientId,
    letters: Vec<Letter>,
    next: Vec<Duration>,
    readers: Vec<Reader>,
    /// All is healed: readers come and stay.
    resting: bool,
}

pub(super) fn make(first: ClientId, size: &Size) -> Box<dyn Traffic> {
    let count = size.of(PAIRS);
    Box::new(Offline {
        first,
        letters: Vec::new(),
        next: vec![Duration::ZERO; count],
        readers: vec![Reader::Away { until: AWAY }; count],
        resting: false,
    })
}

impl Offline {
    fn write(&mut self, pair: usize, stage: &mut Stage<'_>) {
        let writer = self.first + 2 * pair;
        if stage.composing && stage.now >= self.next[pair] {
            self.next[pair] = stage.now.max(self.next[pair] + EVERY);
            stage.compose(Kind::Offline, writer, writer + 1, &mut self.letters[pair]);
        }
    }

    fn come_and_go(&mut self, pair: usize, stage: &mut Stage<'_>) {
        let id = self.first + 2 * pair + 1;
        match self.readers[pair] {
            Reader::Away { until } if self.resting || stage.now >= until => {
                self.readers[pair] = Reader::Coming;
                stage.open(id);
            }
            Reader::Here { until } if !self.resting && stage.now >= until && stage.is_in(id) => {
                self.readers[pair] = Reader::Away { until: stage.now + AWAY };
                stage.close(id);
            }
            Reader::Away { .. } | Reader::Coming | Reader::Here { .. } => {}
        }
    }
}

impl Traffic for Offline {
    fn clients(&self) -> usize {
        2 * self.next.len()
    }

    fn bound(&mut self, id: ClientId, stage: &mut Stage<'_>) {
        let index = id - self.first;
        if index % 2 == 1 {
            self.readers[index / 2] = Reader::Here { until: stage.now + HERE };
        }
        stage.say(id, "<presence/>");
    }

    fn tick(&mut self, stage: &mut Stage<'_>) {
        if self.letters.is_empty() {
            for pair in 0..self.next.len() {
                stage.open(self.first + 2 * pair);
                let to = stage.bare(self.first + 2 * pair + 1);
                self.letters.push(Letter::new(&to, "chat", MESSAGE_BYTES));
            }
        }
        for pair in 0..self.next.len() {
            self.write(pair, stage);
            self.come_and_go(pair, stage);
        }
    }

    fn rest(&mut self, _: &mut Stage<'_>) {
        self.resting = true;
    }
}
