//! The master stands still until the sentinels have its replica take over. Then it goes on, and believes for a while that it is
//! the master: whoever asks it is answered.

use super::takeover::{Takeover, watched};
use super::{Fault, Strike};
use crate::site::Store;

pub(super) const STORE_HUNG: Fault = Fault {
    name: "store-hung",
    what: "Redis' master stands still (SIGSTOP), a replica takes over, and the former master goes on as if it were the master",
    nodes_min: 1,
    store: Some(Store::Sentinel),
    strike,
};

fn strike(strike: &mut Strike<'_>) -> anyhow::Result<()> {
    let takeover = Takeover::of(strike)?;
    let Takeover { master, old, new, .. } = &takeover;
    watched(strike)?.pause(*master)?;
    strike.step(format!("{old} stands still"));
    takeover.wait(strike)?;
    strike.step(format!("{new} is the master"));
    takeover.wake(strike)?;
    let believes = watched(strike)?.server(*master).fact("replication", "role:").unwrap_or_default();
    strike.step(format!("{old} goes on as {believes}"));
    takeover.end(strike)
}
