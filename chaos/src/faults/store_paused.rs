//! The redis-server stands still: it accepts connections and answers nothing.

use super::{Fault, Strike};
use crate::site::Store;

pub(super) const STORE_PAUSED: Fault = Fault {
    name: "store-paused",
    what: "the redis-server stands still (SIGSTOP), and goes on some seconds later",
    nodes_min: 1,
    store: Some(Store::Redis),
    strike,
};

fn strike(strike: &mut Strike<'_>) -> anyhow::Result<()> {
    strike.step("redis-server stands still");
    if let Some(redis) = &mut strike.site.redis {
        redis.pause()?;
    }
    strike.last()?;
    strike.step("redis-server goes on");
    if let Some(redis) = &mut strike.site.redis {
        redis.heal()?;
    }
    strike.healed();
    Ok(())
}
