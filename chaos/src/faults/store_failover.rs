//! The master dies with writes that it has answered and its replica never got, and the sentinels have that one take over.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rand::Rng;

use super::{Fault, Strike};
use crate::site::{Sentinels, Store};

/// How long the replica stands still before the master dies: what is written then is lost.
const LAG: std::ops::Range<f64> = 1.0..3.0;
/// How long the new master is alone.
pub(super) const ALONE: std::ops::Range<f64> = 1.0..5.0;
/// Sentinels that cannot agree try again after 10 s; a former master is left alone for up to 20 s.
const SENTINELS_TIME_MAX: Duration = Duration::from_secs(60);

pub(super) const STORE_FAILOVER: Fault = Fault {
    name: "store-failover",
    what: "Redis' master is killed (SIGKILL), and a replica that lacks its last writes takes over; then it follows that one",
    nodes_min: 1,
    store: Some(Store::Sentinel),
    strike,
};

fn strike(strike: &mut Strike<'_>) -> anyhow::Result<()> {
    let sentinels = watched(strike)?;
    let master = sentinels.master().context("the sentinels do not agree on a master")?;
    let replica = 1 - master;
    let (old, new) = (sentinels.server(master).name.clone(), sentinels.server(replica).name.clone());
    sentinels.part(master)?;
    let shared = sentinels.changed(master)?;
    strike.step(format!("{new} stands still: what {old} answers from now on it does not get"));
    let seconds = strike.chance.random_range(LAG);
    strike.wait(seconds)?;
    let sentinels = watched(strike)?;
    let answered = sentinels.changed(master)?;
    sentinels.kill(master)?;
    sentinels.wake(replica)?;
    strike.step(format!("{old} is killed, {new} goes on"));
    wait_until(strike, "the replica does not take over", |sentinels| sentinels.master() == Some(replica))?;
    let writes = answered.scripts - shared.scripts;
    let bytes = answered.bytes.saturating_sub(watched(strike)?.had(replica)?);
    strike.step(format!("{new} is the master, without the last {writes} writes ({bytes} bytes) of {old}"));
    let seconds = strike.chance.random_range(ALONE);
    strike.wait(seconds)?;
    watched(strike)?.wake(master)?;
    strike.step(format!("{old} is started again"));
    wait_until(strike, "the former master does not follow the new one", Sentinels::is_whole)?;
    strike.step(format!("{old} follows {new}"));
    strike.healed();
    Ok(())
}

pub(super) fn watched<'s>(strike: &'s mut Strike<'_>) -> anyhow::Result<&'s mut Sentinels> {
    strike.site.sentinels.as_mut().context("this cluster's store has no sentinels")
}

pub(super) fn wait_until(
    strike: &mut Strike<'_>,
    why: &str,
    is: impl Fn(&Sentinels) -> bool,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + SENTINELS_TIME_MAX;
    while !is(watched(strike)?) {
        if Instant::now() > deadline {
            bail!("{why} within {} s", SENTINELS_TIME_MAX.as_secs());
        }
        strike.wait(0.1)?;
    }
    Ok(())
}
