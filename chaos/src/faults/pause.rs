//! A node's process stands still (SIGSTOP) and goes on a while later (SIGCONT), not knowing that it did.

use super::{Fault, Strike};

pub(super) const PAUSE: Fault = Fault {
    name: "pause",
    what: "a node stands still (SIGSTOP), and goes on some seconds later",
    nodes_min: 2,
    store: None,
    strike,
};

fn strike(strike: &mut Strike<'_>) -> anyhow::Result<()> {
    let node = strike.victim();
    strike.hits(node);
    strike.step(format!("{} stands still", strike.name(node)));
    strike.site.nodes[node].pause()?;
    strike.last()?;
    strike.step(format!("{} goes on", strike.name(node)));
    strike.site.nodes[node].resume()?;
    strike.healed();
    Ok(())
}
