//! Messages and their arrivals.

use std::time::Duration;

use serde::Serialize;

use super::LifeId;
use crate::client::ClientId;

/// The place of a message in the history.
pub type MessageId = usize;

/// What a message is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Kind {
    /// A conversation of two, both there.
    Pair,
    /// A room.
    Room,
    /// To somebody who is mostly away.
    Offline,
}

/// A message.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    /// What it is part of.
    pub kind: Kind,
    /// Who says it.
    pub from: ClientId,
    /// The client it is for, or the room.
    pub to: usize,
    /// When its author had it ready: with or without a connection.
    pub composed_at: Duration,
    /// The session that first wrote it, and when.
    pub written: Option<(LifeId, Duration)>,
    /// When the server said that it has it (XEP-0198 §4). Without that it may have it or not.
    pub acked_at: Option<Duration>,
    /// When it first arrived anywhere.
    pub arrived_at: Option<Duration>,
    /// When the server refused it, which ends its responsibility.
    pub refused_at: Option<Duration>,
}

/// An arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// Of which message.
    pub message: MessageId,
    /// At which session.
    pub life: LifeId,
    /// When.
    pub at: Duration,
}
