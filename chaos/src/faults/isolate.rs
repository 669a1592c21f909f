//! A node hears no other node and is heard by none, links and gossip; clients and the store still reach it.

use super::{Fault, Strike};
use crate::site::wires::Flow;

pub(super) const ISOLATE: Fault = Fault {
    name: "isolate",
    what: "all wires between a node and the others are black holes for some seconds",
    nodes_min: 2,
    store: None,
    strike,
};

fn strike(strike: &mut Strike<'_>) -> anyhow::Result<()> {
    let node = strike.victim();
    strike.hits(node);
    strike.step(format!("{} is cut off from all others", strike.name(node)));
    strike.site.around(node, Flow::Held);
    strike.last()?;
    strike.step(format!("{} is reached again", strike.name(node)));
    strike.site.around(node, Flow::Open);
    strike.healed();
    Ok(())
}
