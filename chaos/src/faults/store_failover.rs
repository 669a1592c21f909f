//! The master dies with writes that it has answered and its replica never got, and the sentinels have that one take over.

use rand::Rng;

use super::takeover::{Takeover, watched};
use super::{Fault, Strike};
use crate::site::Store;

/// How long the replica stands still before the master dies: what is written then is lost.
const LAG: std::ops::Range<f64> = 1.0..3.0;

pub(super) const STORE_FAILOVER: Fault = Fault {
    name: "store-failover",
    what: "Redis' master is killed (SIGKILL), and a replica that lacks its last writes takes over; then it follows that one",
    nodes_min: 1,
    store: Some(Store::Sentinel),
    strike,
};

fn strike(strike: &mut Strike<'_>) -> anyhow::Result<()> {
    let takeover = Takeover::of(strike)?;
    let Takeover { master, replica, old, new } = &takeover;
    let sentinels = watched(strike)?;
    sentinels.part(*master)?;
    let shared = sentinels.changed(*master)?;
    strike.step(format!("{new} stands still: what {old} answers from now on it does not get"));
    let seconds = strike.chance.random_range(LAG);
    strike.wait(seconds)?;
    let sentinels = watched(strike)?;
    let answered = sentinels.changed(*master)?;
    sentinels.kill(*master)?;
    sentinels.wake(*replica)?;
    strike.step(format!("{old} is killed, {new} goes on"));
    takeover.wait(strike)?;
    let writes = answered.scripts - shared.scripts;
    let bytes = answered.bytes.saturating_sub(watched(strike)?.had(*replica)?);
    strike.step(format!("{new} is the master, without the last {writes} writes ({bytes} bytes) of {old}"));
    takeover.wake(strike)?;
    strike.step(format!("{old} is started again"));
    takeover.end(strike)
}
