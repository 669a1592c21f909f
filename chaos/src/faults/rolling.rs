//! A rolling upgrade: each node in turn is asked to end (SIGTERM), started again, and ready before the next one's turn.

use std::time::Duration;

use super::{Fault, Strike};

/// A node hands over within `node.drain_seconds_max`, and leaves within some seconds more.
const END_TIME_MAX: Duration = Duration::from_secs(40);

pub(super) const ROLLING: Fault = Fault {
    name: "rolling",
    what: "every node in turn is asked to end (SIGTERM) and started again, as an upgrade does",
    nodes_min: 2,
    store: None,
    strike,
};

fn strike(strike: &mut Strike<'_>) -> anyhow::Result<()> {
    for node in strike.site.running() {
        strike.hits(node);
        strike.step(format!("{} is asked to end", strike.name(node)));
        if let Err(error) = strike.site.stop_node(node, END_TIME_MAX) {
            strike.complain("ends-when-asked", format!("{error:#}"));
        }
        strike.step(format!("{} is started again", strike.name(node)));
        strike.site.start_node(node)?;
        strike.wait_until_whole()?;
    }
    strike.healed();
    Ok(())
}
