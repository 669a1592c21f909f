//! How two nodes greet: who may link with whom, decided without any socket.

use crate::wire::{Hello, Refusal, VERSION_MAX, VERSION_MIN, Welcome};
use crate::{Incarnation, NodeId, Peer};

/// What the accepting side knows of itself.
#[derive(Debug, Clone)]
pub(crate) struct Own<'a> {
    /// Its name and incarnation.
    pub(crate) me: &'a Peer,
    /// The cluster's name.
    pub(crate) cluster: &'a str,
}

/// The node that dials is the one with the lower name, so each pair has one link.
pub(crate) fn dials(me: &NodeId, peer: &NodeId) -> bool {
    me < peer
}

/// The version that both sides speak, if there is one.
pub(crate) fn version(hello: &Hello) -> Option<u16> {
    let newest = hello.version_max.min(VERSION_MAX);
    (newest >= hello.version_min.max(VERSION_MIN)).then_some(newest)
}

/// Judges a hello. `named` says whether the certificate carries the name it gives, `member` whether the view has its
/// incarnation.
///
/// # Errors
/// The refusal to send.
pub(crate) fn judge(
    own: &Own<'_>,
    hello: &Hello,
    named: bool,
    member: impl FnOnce(Incarnation) -> bool,
) -> Result<u16, Refusal> {
    let version = version(hello).ok_or(Refusal::Version)?;
    if hello.cluster != own.cluster {
        return Err(Refusal::Cluster);
    }
    if !named {
        return Err(Refusal::Name);
    }
    if hello.expects != own.me.incarnation {
        return Err(Refusal::Incarnation);
    }
    if !member(hello.incarnation) {
        return Err(Refusal::Stranger);
    }
    if !dials(&hello.node, &own.me.node) {
        return Err(Refusal::Turn);
    }
    Ok(version)
}

/// Whether the dialling side can live with the answer.
///
/// # Errors
/// The version is none that it offered.
pub(crate) fn welcome(answer: &Welcome) -> Result<(), Refusal> {
    if (VERSION_MIN..=VERSION_MAX).contains(&answer.version) { Ok(()) } else { Err(Refusal::Version) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> NodeId {
        NodeId::new(name).unwrap()
    }

    fn hello() -> Hello {
        Hello {
            version_min: 1,
            version_max: 9,
            cluster: "c".into(),
            node: id("a"),
            incarnation: Incarnation(1),
            expects: Incarnation(2),
            received: 0,
            epoch: 1,
        }
    }

    fn judged(change: impl FnOnce(&mut Hello)) -> Result<u16, Refusal> {
        let mut hello = hello();
        change(&mut hello);
        let me = Peer { node: id("b"), incarnation: Incarnation(2) };
        judge(&Own { me: &me, cluster: "c" }, &hello, hello.node != id("false"), |i| i == Incarnation(1))
    }

    #[test]
    fn the_newest_version_that_both_speak_is_taken() {
        assert_eq!(judged(|_| ()), Ok(VERSION_MAX));
        assert_eq!(judged(|h| h.version_min = VERSION_MAX + 1), Err(Refusal::Version));
        assert_eq!(judged(|h| h.version_max = 0), Err(Refusal::Version));
    }

    #[test]
    fn only_the_right_peer_in_the_right_order_is_welcome() {
        assert_eq!(judged(|h| h.cluster = "d".into()), Err(Refusal::Cluster));
        assert_eq!(judged(|h| h.node = id("false")), Err(Refusal::Name));
        assert_eq!(judged(|h| h.expects = Incarnation(1)), Err(Refusal::Incarnation));
        assert_eq!(judged(|h| h.incarnation = Incarnation(3)), Err(Refusal::Stranger));
        assert_eq!(judged(|h| h.node = id("c")), Err(Refusal::Turn));
    }
}
