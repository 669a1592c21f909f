//! What must hold however a cluster was broken, one promise a file, each with its source.

mod acknowledged;
mod converging;
mod counts;
mod duplicates;
mod memory;
mod occupants;
mod order;
mod room_messages;
mod room_order;
mod service;
mod sessions;
mod stored;
mod views;
mod writers;

use crate::history::History;

/// What a run was, for those invariants to which it matters.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// No two faults overlapped, which is what is promised for.
    pub single: bool,
}

/// A promise.
pub struct Invariant {
    /// Its name.
    pub name: &'static str,
    /// What holds.
    pub what: &'static str,
    /// Who promises it.
    pub source: &'static str,
    /// What speaks against it.
    pub check: fn(&History, &Terms) -> Vec<String>,
}

/// All of them.
pub const ALL: &[Invariant] = &[
    acknowledged::KEPT,
    duplicates::NONE_RESUMED,
    order::PER_PAIR,
    room_order::PER_ROOM,
    room_messages::REACH_ALL,
    occupants::KEPT,
    counts::EXACT,
    sessions::NONE_LOST,
    writers::ONE,
    views::ONE_PER_EPOCH,
    views::RISING,
    converging::SOON,
    converging::COPIED,
    stored::ROSTERS,
    stored::OFFLINE,
    stored::ENDS,
    memory::BOUNDED,
    service::SERVED,
];

/// What those saw who saw it happen.
fn complaints(history: &History, about: &str) -> Vec<String> {
    let ours = history.complaints.iter().filter(|complaint| complaint.about == about);
    ours.map(|complaint| format!("{:.2} s: {}", complaint.at.as_secs_f64(), complaint.what)).collect()
}

#[cfg(test)]
mod testing {
    //! Small pieces of histories.

    use std::time::Duration;

    use super::Terms;
    use crate::history::{Kind, Life, Message, Receipt};

    pub(super) fn terms() -> Terms {
        Terms { single: true }
    }

    pub(super) fn message(kind: Kind) -> Message {
        Message {
            kind,
            from: 0,
            to: 1,
            composed_at: Duration::ZERO,
            written: None,
            acked_at: None,
            arrived_at: None,
            refused_at: None,
        }
    }

    pub(super) fn life(client: usize) -> Life {
        Life { client, from: Duration::ZERO, to: None, room: None }
    }

    pub(super) fn receipt(message: usize, life: usize) -> Receipt {
        Receipt { message, life, at: Duration::ZERO }
    }
}
