//! The master stands still until the sentinels have its replica take over. Then it goes on, and believes for a while that it is
//! the master: whoever asks it is answered.

use anyhow::Context;
use rand::Rng;

use super::store_failover::{ALONE, wait_until, watched};
use super::{Fault, Strike};
use crate::site::{Sentinels, Store};

pub(super) const STORE_HUNG: Fault = Fault {
    name: "store-hung",
    what: "Redis' master stands still (SIGSTOP), a replica takes over, and the former master goes on as if it were the master",
    nodes_min: 1,
    store: Some(Store::Sentinel),
    strike,
};

fn strike(strike: &mut Strike<'_>) -> anyhow::Result<()> {
    let sentinels = watched(strike)?;
    let master = sentinels.master().context("the sentinels do not agree on a master")?;
    let replica = 1 - master;
    let (old, new) = (sentinels.server(master).name.clone(), sentinels.server(replica).name.clone());
    sentinels.pause(master)?;
    strike.step(format!("{old} stands still"));
    wait_until(strike, "the replica does not take over", |sentinels| sentinels.master() == Some(replica))?;
    strike.step(format!("{new} is the master"));
    let seconds = strike.chance.random_range(ALONE);
    strike.wait(seconds)?;
    let sentinels = watched(strike)?;
    sentinels.wake(master)?;
    let believes = sentinels.server(master).fact("replication", "role:").unwrap_or_default();
    strike.step(format!("{old} goes on as {believes}"));
    wait_until(strike, "the former master does not follow the new one", Sentinels::is_whole)?;
    strike.step(format!("{old} follows {new}"));
    strike.healed();
    Ok(())
}
