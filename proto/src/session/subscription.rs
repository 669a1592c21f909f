//! The subscription state machine of RFC 6121 §3 and appendix A, as pure functions.

use crate::stanza::PresenceType;

/// How a user and a contact stand to each other (RFC 6121 §A.1), with pre-approval (§3.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    /// The user gets the contact's presence.
    pub to: bool,
    /// The contact gets the user's presence.
    pub from: bool,
    /// The user has asked for the contact's: "pending out".
    pub ask: bool,
    /// The contact has asked for the user's: "pending in".
    pub asked: bool,
    /// The user has approved the contact before being asked.
    pub approved: bool,
}

/// The four presence types that manage subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Verb {
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
}

/// What one subscription stanza does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// How they stand then.
    pub state: State,
    /// Whether the stanza goes on: out to the contact, or in to the user's clients.
    pub passes: bool,
    /// Whether the user's server answers `subscribed` by itself (RFC 6121 §3.1.3, §3.4.2).
    pub approves: bool,
}

impl Verb {
    /// The verb of a presence type, if it is one.
    pub fn of(kind: PresenceType) -> Option<Self> {
        match kind {
            PresenceType::Subscribe => Some(Self::Subscribe),
            PresenceType::Subscribed => Some(Self::Subscribed),
            PresenceType::Unsubscribe => Some(Self::Unsubscribe),
            PresenceType::Unsubscribed => Some(Self::Unsubscribed),
            PresenceType::Available
            | PresenceType::Unavailable
            | PresenceType::Probe
            | PresenceType::Error => None,
        }
    }

    /// Its presence type.
    pub fn kind(self) -> PresenceType {
        match self {
            Self::Subscribe => PresenceType::Subscribe,
            Self::Subscribed => PresenceType::Subscribed,
            Self::Unsubscribe => PresenceType::Unsubscribe,
            Self::Unsubscribed => PresenceType::Unsubscribed,
        }
    }
}

impl State {
    /// The user says it to the contact (RFC 6121 §A.2).
    pub fn sends(self, verb: Verb) -> Step {
        let (state, passes) = match verb {
            Verb::Subscribe => (Self { ask: !self.to, ..self }, true),
            Verb::Unsubscribe => (Self { to: false, ask: false, ..self }, true),
            Verb::Subscribed if self.asked => {
                (Self { from: true, asked: false, approved: false, ..self }, true)
            }
            // Nobody has asked: it is a pre-approval (§3.4.2), which the contact does not see.
            Verb::Subscribed => (Self { approved: !self.from, ..self }, false),
            Verb::Unsubscribed => {
                (Self { from: false, asked: false, approved: false, ..self }, self.from || self.asked)
            }
        };
        Step { state, passes, approves: false }
    }

    /// The contact says it to the user (RFC 6121 §A.3).
    pub fn receives(self, verb: Verb) -> Step {
        let approves = verb == Verb::Subscribe && (self.from || self.approved);
        let (state, passes) = match verb {
            Verb::Subscribe if self.from => (self, false),
            Verb::Subscribe if self.approved => {
                (Self { from: true, asked: false, approved: false, ..self }, false)
            }
            Verb::Subscribe => (Self { asked: true, ..self }, !self.asked),
            Verb::Unsubscribe => (Self { from: false, asked: false, ..self }, self.from || self.asked),
            Verb::Subscribed => (Self { to: self.to || self.ask, ask: false, ..self }, self.ask),
            Verb::Unsubscribed => (Self { to: false, ask: false, ..self }, self.to || self.ask),
        };
        Step { state, passes, approves }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: State = State { to: false, from: false, ask: false, asked: false, approved: false };
    const NONE_OUT: State = State { ask: true, ..NONE };
    const NONE_IN: State = State { asked: true, ..NONE };
    const NONE_OUT_IN: State = State { ask: true, asked: true, ..NONE };
    const TO: State = State { to: true, ..NONE };
    const TO_IN: State = State { to: true, asked: true, ..NONE };
    const FROM: State = State { from: true, ..NONE };
    const FROM_OUT: State = State { from: true, ask: true, ..NONE };
    const BOTH: State = State { to: true, from: true, ..NONE };

    /// In the order of the tables of appendix A.
    const ALL: [State; 9] = [NONE, NONE_OUT, NONE_IN, NONE_OUT_IN, TO, TO_IN, FROM, FROM_OUT, BOTH];

    type Row = (bool, State);

    fn check(table: [Row; 9], verb: Verb, step: fn(State, Verb) -> Step) {
        for (before, (passes, after)) in ALL.into_iter().zip(table) {
            let step = step(before, verb);
            let seen = State { approved: false, ..step.state };
            assert_eq!((step.passes, seen), (passes, after), "{verb:?} in {before:?}");
        }
    }

    #[test]
    fn an_outbound_subscribe_follows_a_2_1() {
        let table = [
            (true, NONE_OUT),
            (true, NONE_OUT),
            (true, NONE_OUT_IN),
            (true, NONE_OUT_IN),
            (true, TO),
            (true, TO_IN),
            (true, FROM_OUT),
            (true, FROM_OUT),
            (true, BOTH),
        ];
        check(table, Verb::Subscribe, State::sends);
    }

    #[test]
    fn an_outbound_unsubscribe_follows_a_2_2() {
        let table = [
            (true, NONE),
            (true, NONE),
            (true, NONE_IN),
            (true, NONE_IN),
            (true, NONE),
            (true, NONE_IN),
            (true, FROM),
            (true, FROM),
            (true, FROM),
        ];
        check(table, Verb::Unsubscribe, State::sends);
    }

    #[test]
    fn an_outbound_subscribed_follows_a_2_3() {
        let table = [
            (false, NONE),
            (false, NONE_OUT),
            (true, FROM),
            (true, FROM_OUT),
            (false, TO),
            (true, BOTH),
            (false, FROM),
            (false, FROM_OUT),
            (false, BOTH),
        ];
        check(table, Verb::Subscribed, State::sends);
    }

    #[test]
    fn an_outbound_unsubscribed_follows_a_2_4() {
        let table = [
            (false, NONE),
            (false, NONE_OUT),
            (true, NONE),
            (true, NONE_OUT),
            (false, TO),
            (true, TO),
            (true, NONE),
            (true, NONE_OUT),
            (true, TO),
        ];
        check(table, Verb::Unsubscribed, State::sends);
    }

    #[test]
    fn an_inbound_subscribe_follows_a_3_1() {
        let table = [
            (true, NONE_IN),
            (true, NONE_OUT_IN),
            (false, NONE_IN),
            (false, NONE_OUT_IN),
            (true, TO_IN),
            (false, TO_IN),
            (false, FROM),
            (false, FROM_OUT),
            (false, BOTH),
        ];
        check(table, Verb::Subscribe, State::receives);
    }

    #[test]
    fn an_inbound_unsubscribe_follows_a_3_2() {
        let table = [
            (false, NONE),
            (false, NONE_OUT),
            (true, NONE),
            (true, NONE_OUT),
            (false, TO),
            (true, TO),
            (true, NONE),
            (true, NONE_OUT),
            (true, TO),
        ];
        check(table, Verb::Unsubscribe, State::receives);
    }

    #[test]
    fn an_inbound_subscribed_follows_a_3_3() {
        let table = [
            (false, NONE),
            (true, TO),
            (false, NONE_IN),
            (true, TO_IN),
            (false, TO),
            (false, TO_IN),
            (false, FROM),
            (true, BOTH),
            (false, BOTH),
        ];
        check(table, Verb::Subscribed, State::receives);
    }

    #[test]
    fn an_inbound_unsubscribed_follows_a_3_4() {
        let table = [
            (false, NONE),
            (true, NONE),
            (false, NONE_IN),
            (true, NONE_IN),
            (true, NONE),
            (true, NONE_IN),
            (false, FROM),
            (true, FROM),
            (true, FROM),
        ];
        check(table, Verb::Unsubscribed, State::receives);
    }

    #[test]
    fn only_who_may_already_see_or_is_approved_is_answered_by_the_server() {
        for state in ALL {
            assert_eq!(state.receives(Verb::Subscribe).approves, state.from, "{state:?}");
            let approved = State { approved: true, ..state };
            let step = approved.receives(Verb::Subscribe);
            assert!(step.approves && step.state.from && !step.passes, "{state:?}");
        }
    }

    #[test]
    fn a_pre_approval_is_noted_until_it_is_used_or_cancelled() {
        let approved = State { approved: true, ..NONE };
        assert_eq!(NONE.sends(Verb::Subscribed).state, approved);
        assert_eq!(approved.sends(Verb::Unsubscribed), Step { state: NONE, passes: false, approves: false });
        assert_eq!(approved.receives(Verb::Subscribe).state, FROM);
        assert_eq!(FROM.sends(Verb::Subscribed).state, FROM, "who is approved needs no pre-approval");
    }
}
