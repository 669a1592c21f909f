//! What must hold, where it is promised, and under which faults it is demanded.

/// When an invariant is demanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Under whatever faults: safety.
    Always,
    /// Under any single fault, be it in the middle of a planned change: the whole promise.
    SingleFault,
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
    /// Once another node has written to a slot, the one before never does again, and epochs do not fall.
    OneWriter,
    /// The same of what is committed for an address.
    OneOwner,
    /// At rest, who is seen in a room is who is in it.
    Membership,
    /// After the last heal, all nodes are up in one view.
    ViewConverges,
    /// After the last heal, everybody can talk again.
    ServiceReturns,
    /// At rest, nothing is on its way between nodes: whatever was, has come, or was given up.
    NothingUnderWay,
    /// Who is asked to leave, and nothing else is wrong, does so soon.
    LeavesInTime,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Self; 15] = [
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
        Self::NothingUnderWay,
        Self::LeavesInTime,
    ];

    /// When it is demanded. Where it is not, it is counted all the same.
    pub fn demand(self) -> Demand {
        match self {
            Self::OneWriter => Demand::Always,
            Self::NotDoubled | Self::OneOwner => Demand::SingleFault,
            Self::Kept | Self::NotRefused => Demand::SingleFault,
            Self::SessionSurvives | Self::RoomSurvives => Demand::SingleFault,
            Self::PairOrder | Self::RoomOrder => Demand::SingleFault,
            Self::ExactCount => Demand::Always,
            Self::Membership | Self::ViewConverges | Self::ServiceReturns => Demand::Always,
            Self::NothingUnderWay | Self::LeavesInTime => Demand::Always,
        }
    }
}
