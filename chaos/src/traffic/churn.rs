//! Clients that log in, stay for a moment and leave, over and over.

use std::time::Duration;

use super::{Size, Traffic};
use crate::client::ClientId;
use crate::history::LogIn;
use crate::play::Stage;

const CLIENTS: usize = 3;
const STAY: Duration = Duration::from_millis(600);
const REST: Duration = Duration::from_millis(900);
/// A log-in that takes longer has failed.
const LOG_IN_MAX: Duration = Duration::from_secs(20);

#[derive(Clone, Copy)]
enum State {
    Out { until: Duration },
    Entering { since: Duration },
    In { until: Duration },
}

/// Comings and goings.
pub(super) struct Churn {
    first: ClientId,
    states: Vec<State>,
}

pub(super) fn make(first: ClientId, size: &Size) -> Box<dyn Traffic> {
    let count = size.of(CLIENTS);
    Box::new(Churn { first, states: vec![State::Out { until: Duration::ZERO }; count] })
}

impl Traffic for Churn {
    fn clients(&self) -> usize {
        self.states.len()
    }

    fn bound(&mut self, id: ClientId, stage: &mut Stage<'_>) {
        let state = &mut self.states[id - self.first];
        if let State::Entering { since } = *state {
            *state = State::In { until: stage.now + STAY };
            let log_in = LogIn { at: since, node: stage.node(id), took: Some(stage.now - since) };
            stage.history().log_ins.push(log_in);
        }
        stage.say(id, "<presence/>");
    }

    fn tick(&mut self, stage: &mut Stage<'_>) {
        for index in 0..self.states.len() {
            let id = self.first + index;
            match self.states[index] {
                State::Out { until } if stage.composing && stage.now >= until => {
                    self.states[index] = State::Entering { since: stage.now };
                    stage.open(id);
                }
                State::Entering { since } if stage.now > since + LOG_IN_MAX => {
                    let log_in = LogIn { at: since, node: stage.node(id), took: None };
                    stage.history().log_ins.push(log_in);
                    self.leave(index, stage);
                }
                // One whose connection is lost meanwhile comes back first.
                State::In { until } if stage.now >= until && stage.is_in(id) => self.leave(index, stage),
                State::Out { .. } | State::Entering { .. } | State::In { .. } => {}
            }
        }
    }
}

impl Churn {
    fn leave(&mut self, index: usize, stage: &mut Stage<'_>) {
        stage.close(self.first + index);
        self.states[index] = State::Out { until: stage.now + REST };
    }
}
