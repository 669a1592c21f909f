//! What clients do while the cluster is broken, one kind a file.

mod churn;
mod offline;
mod pairs;
mod rooms;
mod rosters;

use crate::client::ClientId;
use crate::history::History;
use crate::play::Stage;

/// A kind of traffic: it owns some clients, and acts for them.
pub(crate) trait Traffic {
    /// How many clients it has.
    fn clients(&self) -> usize;

    /// A client has a new session.
    fn bound(&mut self, id: ClientId, stage: &mut Stage<'_>);

    /// A stanza came.
    fn heard(&mut self, id: ClientId, stanza: &[u8], stage: &mut Stage<'_>) {
        stage.receive(id, stanza);
    }

    /// Time has passed.
    fn tick(&mut self, stage: &mut Stage<'_>);

    /// All is healed, and nothing new is composed from now on.
    fn rest(&mut self, _: &mut Stage<'_>) {}

    /// All that was said has arrived: now is the time to ask how things are.
    fn ask(&mut self, _: &mut Stage<'_>) {}

    /// Whether what was asked is answered.
    fn is_answered(&self) -> bool {
        true
    }

    /// Notes what it has found at rest.
    fn conclude(&self, _: &mut History) {}
}

/// A kind of traffic, by name.
pub struct Kind {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub what: &'static str,
    /// Makes it, for clients from this one on.
    pub(crate) make: fn(ClientId, &Size) -> Box<dyn Traffic>,
}

/// How much of it there is.
#[derive(Clone, Debug)]
pub struct Size {
    /// The service of rooms.
    pub conference: String,
    /// The domain.
    pub domain: String,
    /// 1.0 is for a machine of two cores; clients and rates follow it.
    pub factor: f64,
}

impl Size {
    /// A number of things, by the factor.
    fn of(&self, number: usize) -> usize {
        ((number as f64 * self.factor).round() as usize).max(1)
    }
}

/// All kinds.
pub const ALL: [Kind; 5] = [
    Kind { name: "pairs", what: "pairs who write to each other, both managed", make: pairs::make },
    Kind { name: "rooms", what: "rooms of five who speak in turn", make: rooms::make },
    Kind { name: "rosters", what: "clients that change their rosters", make: rosters::make },
    Kind { name: "offline", what: "messages to those who are mostly away", make: offline::make },
    Kind { name: "churn", what: "clients that log in and leave, over and over", make: churn::make },
];
