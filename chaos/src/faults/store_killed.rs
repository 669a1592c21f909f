//! The redis-server is killed, and started again on what it has written.

use super::{Fault, Strike};
use crate::site::Store;

pub(super) const STORE_KILLED: Fault = Fault {
    name: "store-killed",
    what: "the redis-server is killed (SIGKILL), and started again some seconds later",
    nodes_min: 1,
    store: Some(Store::Redis),
    strike,
};

fn strike(strike: &mut Strike<'_>) -> anyhow::Result<()> {
    strike.step("redis-server is killed");
    if let Some(redis) = &mut strike.site.redis {
        redis.kill()?;
    }
    strike.last()?;
    strike.step("redis-server is started again");
    if let Some(redis) = &mut strike.site.redis {
        redis.heal()?;
    }
    strike.healed();
    Ok(())
}
