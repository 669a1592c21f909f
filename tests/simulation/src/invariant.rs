//! What must hold, where it is promised, and under which faults it is demanded.

/// When an invariant is demanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Under whatever faults: safety.
    Always,
    /// Under any single fault: the whole promise.
    SingleFault,
    /// Looked at and counted, and not demanded yet.
    NotYet,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// A stanza that was acknowledged is delivered, or stored until its receiver comes (XEP-0198 §4).
    Kept,
    /// It does not come back to its sender as an error, either.
    NotRefused,
    /// A resumed session hears nothing twice (XEP-0198 §5).
    NotDoubled,
    /// What one says to another comes in order (RFC 6120 §10.1).
    PairOrder,
    /// Everybody in a room hears the same order (XEP-0045 §7.4).
    RoomOrder,
    /// What the server says it has handled never falls and is never more than was said (XEP-0198 §4).
    ExactCount,
    /// A client resumes at any node (XEP-0198 §5).
    SessionSurvives,
    /// An occupant of a room stays one.
    RoomSurvives,
    /// In each epoch, one node writes to a slot.
    OneWriter,
    /// Two nodes never both commit for an address.
    OneOwner,
    /// At rest, who is seen in a room is who is in it.
    Membership,
    /// After the last heal, all nodes are up in one view.
    ViewConverges,
    /// After the last heal, everybody can talk again.
    ServiceReturns,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Kept,
        Self::NotRefused,
        Self::NotDoubled,
        Self::PairOrder,
        Self::RoomOrder,
        Self::ExactCount,
        Self::SessionSurvives,
        Self::RoomSurvives,
        Self::OneWriter,
        Self::OneOwner,
        Self::Membership,
        Self::ViewConverges,
        Self::ServiceReturns,
    ];

    /// When it is demanded. This is the list of what is not promised yet.
    pub fn demand(self) -> Demand {
        match self {
            // Until what a successor says again is known by all who have heard it.
            Self::NotDoubled => Demand::NotYet,
            // Until one who comes late to a slot never acts by the view in which it had it.
            Self::OneWriter | Self::OneOwner => Demand::NotYet,
            // Until a successor has what its predecessor was about to pass on.
            Self::Kept => Demand::NotYet,
            Self::NotRefused => Demand::SingleFault,
            Self::SessionSurvives | Self::RoomSurvives => Demand::SingleFault,
            Self::PairOrder | Self::RoomOrder => Demand::SingleFault,
            Self::ExactCount => Demand::Always,
            Self::Membership | Self::ViewConverges | Self::ServiceReturns => Demand::Always,
        }
    }
}
