//! The view: who is a member, in which state. Pure data; a successor is proposed by compare-and-set on its epoch.

use std::net::SocketAddr;

use bitflags::bitflags;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{Incarnation, NodeId, Step};

bitflags! {
    /// What a node does.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[serde(transparent)]
    pub struct Roles: u8 {
        /// Holds sockets and owns nothing.
        const EDGE = 1;
        /// Owns sessions.
        const SESSIONS = 2;
        /// Owns rooms.
        const ROOMS = 4;
        /// Sessions and rooms.
        const CORE = 6;
    }
}

/// A role that owns slots. Each has its own table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Accounts in use.
    Sessions,
    /// Rooms in use.
    Rooms,
}

impl Role {
    /// Both roles.
    pub const ALL: [Role; 2] = [Role::Sessions, Role::Rooms];

    /// The flag of the role.
    pub fn flag(self) -> Roles {
        match self {
            Role::Sessions => Roles::SESSIONS,
            Role::Rooms => Roles::ROOMS,
        }
    }
}

/// Where a member stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Known, owns nothing yet.
    Joining,
    /// Owns its slots.
    Up,
    /// Leaves in order; owns slots only if nobody else can.
    Draining,
    /// Gone. Keeps its place in every preference list, so its slots return to it.
    Down,
}

/// One node as the view has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The node's stable name.
    pub node: NodeId,
    /// The run of its process that this entry speaks of.
    pub incarnation: Incarnation,
    /// Where it stands physically; copies prefer different zones. May be empty.
    #[serde(default)]
    pub zone: String,
    /// Its share of slots in percent of a normal node's. Default 100.
    #[serde(default = "Member::weight_default")]
    pub weight: u16,
    /// What it does. Roles of newer versions are not understood, and left out.
    #[serde(deserialize_with = "known_roles")]
    pub roles: Roles,
    /// Where it stands in its life.
    pub state: State,
    /// Whether it counts when a majority is asked for: from its first [`State::Up`] until [`State::Down`], over restarts.
    #[serde(default)]
    pub voter: bool,
    /// Where other nodes reach its link listener. None if it has none (a node without a network).
    #[serde(default)]
    pub link: Option<SocketAddr>,
}

impl Member {
    fn weight_default() -> u16 {
        100
    }
}

fn known_roles<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Roles, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(text.split('|').filter_map(|name| Roles::from_name(name.trim())).collect())
}

/// Who is a member. Totally ordered by epoch; everyone computes the same owners from the same view.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// Rises by one with each change. Zero: no view yet.
    pub epoch: u64,
    /// All members, those that are down included, sorted by node id.
    pub members: Vec<Member>,
    /// What the last views changed, the newest first: whoever missed one can make up for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trail: Vec<Step>,
}

impl View {
    /// The member of that name.
    pub fn member(&self, node: &NodeId) -> Option<&Member> {
        self.members.binary_search_by(|m| m.node.cmp(node)).ok().map(|i| &self.members[i])
    }

    /// The member of that incarnation.
    pub fn member_of(&self, incarnation: Incarnation) -> Option<&Member> {
        self.members.iter().find(|m| m.incarnation == incarnation)
    }

    /// The view that follows this one, with `member` put in or replaced.
    pub fn with(&self, member: Member) -> View {
        let mut members = self.members.clone();
        match members.binary_search_by(|m| m.node.cmp(&member.node)) {
            Ok(i) => members[i] = member,
            Err(i) => members.insert(i, member),
        }
        self.next(members)
    }

    /// The view that follows this one, in which that incarnation is in another state.
    pub fn with_state(&self, incarnation: Incarnation, state: State) -> Option<View> {
        let mut member = self.member_of(incarnation)?.clone();
        member.state = state;
        member.voter = match state {
            State::Up => true,
            State::Down => false,
            State::Joining | State::Draining => member.voter,
        };
        Some(self.with(member))
    }

    /// The view that follows this one, without that node.
    pub fn without(&self, node: &NodeId) -> View {
        self.next(self.members.iter().filter(|m| m.node != *node).cloned().collect())
    }

    /// Those who count when a majority is asked for.
    pub fn voters(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|m| m.voter)
    }

    /// The view as bytes, for the register and for links. Self-describing, so that fields can be added.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a view has only text keys and finite numbers")
    }

    /// Reads a view.
    ///
    /// # Errors
    /// The bytes are no view.
    pub fn from_bytes(bytes: &[u8]) -> Result<View, serde_json::Error> {
        let mut view: View = serde_json::from_slice(bytes)?;
        view.members.sort_by(|a, b| a.node.cmp(&b.node));
        view.members.dedup_by(|a, b| a.node == b.node);
        Ok(view)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_of_a_newer_version_is_read_as_far_as_it_is_understood() {
        let json = br#"{"epoch":3,"members":[{"node":"b","incarnation":2,"roles":"ROOMS | ORBIT","state":"up","more":1},
            {"node":"a","incarnation":1,"roles":"","state":"down"}],"moves":[]}"#;
        let view = View::from_bytes(json).unwrap();
        assert_eq!(view.member(&NodeId::new("b").unwrap()).unwrap().roles, Roles::ROOMS);
        assert_eq!(view.members[0].node.as_str(), "a");
        assert_eq!(View::from_bytes(&view.to_bytes()).unwrap(), view);
    }

    #[test]
    fn who_was_up_has_a_vote_until_it_is_down() {
        let json = br#"{"epoch":3,"members":[{"node":"a","incarnation":1,"roles":"","state":"joining"}]}"#;
        let view = View::from_bytes(json).unwrap();
        let me = Incarnation(1);
        let votes = |view: &View| view.voters().count();
        let up = view.with_state(me, State::Up).unwrap();
        let draining = up.with_state(me, State::Draining).unwrap();
        let down = draining.with_state(me, State::Down).unwrap();
        assert_eq!([&view, &up, &draining, &down].map(votes), [0, 1, 1, 0]);
        assert_eq!(down.epoch, 6);
    }
}
