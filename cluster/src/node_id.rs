//! Names of nodes: a [`NodeId`] is stable over restarts, an [`Incarnation`] is one run of its process.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::simulation;

/// The name of a node: 1 to 63 characters of `a-z`, `0-9`, `.` and `-`, and a DNS name in its certificate.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeId(Arc<str>);

impl NodeId {
    /// Longest name, in bytes.
    pub const BYTES_MAX: usize = 63;

    /// Reads a name.
    ///
    /// # Errors
    /// The name is empty, too long, or has a character outside `[a-z0-9.-]`.
    pub fn new(name: &str) -> Result<NodeId, NodeIdError> {
        if name.is_empty() || name.len() > Self::BYTES_MAX {
            return Err(NodeIdError::Length(name.len()));
        }
        match name.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '.' | '-')) {
            Some(c) => Err(NodeIdError::Character(c)),
            None => Ok(NodeId(name.into())),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for NodeId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for NodeId {
    type Err = NodeIdError;

    fn from_str(name: &str) -> Result<NodeId, NodeIdError> {
        NodeId::new(name)
    }
}

impl TryFrom<String> for NodeId {
    type Error = NodeIdError;

    fn try_from(name: String) -> Result<NodeId, NodeIdError> {
        NodeId::new(&name)
    }
}

impl From<NodeId> for String {
    fn from(id: NodeId) -> String {
        id.0.as_ref().to_owned()
    }
}

/// Why a text is not a [`NodeId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeIdError {
    /// Empty or too long.
    #[error("a node id has 1 to 63 characters, not {0}")]
    Length(usize),
    /// A character that DNS names do not have, or an upper-case letter.
    #[error("a node id is made of a-z, 0-9, '.' and '-', not {0:?}")]
    Character(char),
}

/// One run of a node's process: microseconds since 1970 at its start, below 2^53, higher at each start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Incarnation(pub u64);

impl Incarnation {
    /// Takes the wall clock's microseconds.
    pub fn now() -> Incarnation {
        Incarnation((simulation::wall().as_micros() as u64) & ((1 << 53) - 1))
    }

    /// The wall clock's microseconds, or one more than `last` if the clock went back.
    pub fn after(last: Incarnation) -> Incarnation {
        Incarnation::now().max(Incarnation(last.0 + 1))
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_names_in_lower_case() {
        assert!(NodeId::new("node-0.muster").is_ok());
        assert_eq!(NodeId::new(""), Err(NodeIdError::Length(0)));
        assert_eq!(NodeId::new(&"a".repeat(64)), Err(NodeIdError::Length(64)));
        assert_eq!(NodeId::new("Node"), Err(NodeIdError::Character('N')));
        assert_eq!(NodeId::new("a/b"), Err(NodeIdError::Character('/')));
    }

    #[test]
    fn an_incarnation_is_always_higher_than_the_last() {
        let far = Incarnation((1 << 52) + 5);
        assert_eq!(Incarnation::after(far), Incarnation((1 << 52) + 6));
        assert!(Incarnation::now() < Incarnation(1 << 53));
    }
}
