//! A node is added, takes its share, and after a while leaves in order.

use std::time::Duration;

use super::{Fault, Strike};

const END_TIME_MAX: Duration = Duration::from_secs(40);

pub(super) const JOIN: Fault = Fault {
    name: "join",
    what: "a node is added to the cluster, takes its share, and leaves in order some seconds later",
    nodes_min: 1,
    store: None,
    strike,
};

fn strike(strike: &mut Strike<'_>) -> anyhow::Result<()> {
    let spare = strike.site.order.nodes;
    strike.hits(spare);
    strike.step(format!("{} joins", strike.name(spare)));
    strike.site.start_node(spare)?;
    strike.wait_until_whole()?;
    strike.step(format!("{} has its share", strike.name(spare)));
    strike.last()?;
    strike.step(format!("{} is asked to end", strike.name(spare)));
    strike.site.nodes[spare].wanted = false;
    if let Err(error) = strike.site.stop_node(spare, END_TIME_MAX) {
        strike.complain("ends-when-asked", format!("{error:#}"));
    }
    strike.healed();
    Ok(())
}
