//! What passes to and from a node is late, as on a network that is full.

use std::time::Duration;

use rand::Rng;

use super::{Fault, Strike};
use crate::site::wires::Flow;

pub(super) const SLOW: Fault = Fault {
    name: "slow",
    what: "all that passes between a node and the others is 20 to 150 ms late for some seconds",
    nodes_min: 2,
    store: None,
    strike,
};

fn strike(strike: &mut Strike<'_>) -> anyhow::Result<()> {
    let node = strike.victim();
    let late = Duration::from_millis(strike.chance.random_range(20..150));
    strike.hits(node);
    strike.step(format!("the wires of {} are {} ms late", strike.name(node), late.as_millis()));
    strike.site.around(node, Flow::Slow(late));
    strike.last()?;
    strike.step("they are as before");
    strike.site.wires.heal();
    strike.healed();
    Ok(())
}
