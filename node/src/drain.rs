//! An orderly end, within a bound: what is here moves away, then the node leaves.

use std::future::Future;
use std::time::Duration;

use muster_actors::System;

/// How long leaving may take once everything has moved.
const LEAVE_TIME_MAX: Duration = Duration::from_secs(5);

/// Hands everything over, leaves the cluster and closes the store. `hurry` cuts it short.
pub(crate) async fn leave(system: &System, most: Duration, hurry: impl Future<Output = ()>) {
    tokio::select! {
        () = system.drain() => {}
        () = tokio::time::sleep(most) => tracing::warn!(
            seconds = most.as_secs(),
            "the drain took too long; stopping all the same (node.drain_seconds_max)"
        ),
        () = hurry => tracing::warn!("told to stop again: not waiting for the drain"),
    }
    if tokio::time::timeout(LEAVE_TIME_MAX, system.stop()).await.is_err() {
        tracing::warn!("leaving the cluster took too long; others will notice by themselves");
        system.kill();
    }
}
