//! A node's process is killed (SIGKILL) and started again a while later.

use super::{Fault, Strike};

pub(super) const CRASH: Fault = Fault {
    name: "crash",
    what: "a node is killed (SIGKILL), and started again some seconds later",
    nodes_min: 2,
    store: None,
    strike,
};

fn strike(strike: &mut Strike<'_>) -> anyhow::Result<()> {
    let node = strike.victim();
    strike.hits(node);
    strike.step(format!("{} is killed", strike.name(node)));
    strike.site.kill_node(node)?;
    strike.last()?;
    strike.step(format!("{} is started again", strike.name(node)));
    strike.site.start_node(node)?;
    strike.healed();
    Ok(())
}
