//! Two nodes do not reach each other, and both reach all others.

use super::{Fault, Strike};
use crate::site::wires::Flow;

pub(super) const CUT: Fault = Fault {
    name: "cut",
    what: "the wires between two nodes are black holes for some seconds; all others are open",
    nodes_min: 3,
    store: None,
    strike,
};

fn strike(strike: &mut Strike<'_>) -> anyhow::Result<()> {
    let one = strike.victim();
    let other = strike.another(one);
    strike.hits(one);
    strike.hits(other);
    strike.step(format!("{} and {} do not reach each other", strike.name(one), strike.name(other)));
    strike.site.between(one, other, Flow::Held);
    strike.last()?;
    strike.step("they do again");
    strike.site.wires.heal();
    strike.healed();
    Ok(())
}
