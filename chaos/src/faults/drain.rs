//! A node hands everything over (`muster node drain`), stays empty for a while, and is started anew.

use std::time::Duration;

use super::{Fault, Strike};

const END_TIME_MAX: Duration = Duration::from_secs(40);

pub(super) const DRAIN: Fault = Fault {
    name: "drain",
    what: "a node is emptied (`muster node drain`), then stopped and started again",
    nodes_min: 2,
    store: None,
    strike,
};

fn strike(strike: &mut Strike<'_>) -> anyhow::Result<()> {
    let node = strike.victim();
    strike.hits(node);
    strike.step(format!("{} is drained", strike.name(node)));
    if let Err(error) = strike.site.nodes[node].drain() {
        strike.complain("ends-when-asked", format!("{error:#}"));
    }
    strike.step(format!("{} is empty", strike.name(node)));
    strike.wait(2.0)?;
    if let Err(error) = strike.site.stop_node(node, END_TIME_MAX) {
        strike.complain("ends-when-asked", format!("{error:#}"));
    }
    strike.step(format!("{} is started again", strike.name(node)));
    strike.site.start_node(node)?;
    strike.healed();
    Ok(())
}
