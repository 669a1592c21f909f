//! What all faults have in common in which a replica takes over from Redis' master.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rand::Rng;

use super::Strike;
use crate::site::Sentinels;

/// How long the new master is alone.
const ALONE: std::ops::Range<f64> = 1.0..5.0;
/// Sentinels that cannot agree try again after 10 s; a former master is left alone for up to 20 s.
const SENTINELS_TIME_MAX: Duration = Duration::from_secs(60);

/// The two servers, by their numbers and names.
pub(super) struct Takeover {
    pub(super) master: usize,
    pub(super) replica: usize,
    pub(super) old: String,
    pub(super) new: String,
}

impl Takeover {
    /// Who is the master, and who is to be.
    pub(super) fn of(strike: &mut Strike<'_>) -> anyhow::Result<Self> {
        let sentinels = watched(strike)?;
        let master = sentinels.master().context("the sentinels do not agree on a master")?;
        let name = |number: usize| sentinels.server(number).name.clone();
        Ok(Self { master, replica: 1 - master, old: name(master), new: name(1 - master) })
    }

    /// Waits until the replica has taken over.
    pub(super) fn wait(&self, strike: &mut Strike<'_>) -> anyhow::Result<()> {
        let replica = self.replica;
        wait_until(strike, "the replica does not take over", |sentinels| sentinels.master() == Some(replica))
    }

    /// Leaves the new master alone for a while, and wakes the former one.
    pub(super) fn wake(&self, strike: &mut Strike<'_>) -> anyhow::Result<()> {
        let seconds = strike.chance.random_range(ALONE);
        strike.wait(seconds)?;
        watched(strike)?.wake(self.master)
    }

    /// Waits until the former master follows the new one.
    pub(super) fn end(&self, strike: &mut Strike<'_>) -> anyhow::Result<()> {
        wait_until(strike, "the former master does not follow the new one", Sentinels::is_whole)?;
        strike.step(format!("{} follows {}", self.old, self.new));
        strike.healed();
        Ok(())
    }
}

/// The servers and those that watch them.
pub(super) fn watched<'s>(strike: &'s mut Strike<'_>) -> anyhow::Result<&'s mut Sentinels> {
    strike.site.sentinels.as_mut().context("this cluster's store has no sentinels")
}

fn wait_until(strike: &mut Strike<'_>, why: &str, is: impl Fn(&Sentinels) -> bool) -> anyhow::Result<()> {
    let deadline = Instant::now() + SENTINELS_TIME_MAX;
    while !is(watched(strike)?) {
        if Instant::now() > deadline {
            bail!("{why} within {} s", SENTINELS_TIME_MAX.as_secs());
        }
        strike.wait(0.1)?;
    }
    Ok(())
}
