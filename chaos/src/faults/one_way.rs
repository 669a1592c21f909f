//! A node is heard by the others and does not hear them, or the other way round: a cut that each side sees differently.

use rand::Rng;

use super::{Fault, Strike};
use crate::site::wires::Flow;

pub(super) const ONE_WAY: Fault = Fault {
    name: "one-way",
    what: "all wires to a node, or all from it, are black holes for some seconds; the other direction is open",
    nodes_min: 2,
    store: None,
    strike,
};

fn strike(strike: &mut Strike<'_>) -> anyhow::Result<()> {
    let node = strike.victim();
    let deaf = strike.chance.random_bool(0.5);
    strike.hits(node);
    let how = if deaf { "hears no other node" } else { "is heard by no other node" };
    strike.step(format!("{} {how}", strike.name(node)));
    for other in (0..strike.site.nodes.len()).filter(|other| *other != node) {
        let (from, to) = if deaf { (other, node) } else { (node, other) };
        strike.site.wires.set(from, to, Flow::Held);
    }
    strike.last()?;
    strike.step(format!("{} hears and is heard", strike.name(node)));
    strike.site.wires.heal();
    strike.healed();
    Ok(())
}
