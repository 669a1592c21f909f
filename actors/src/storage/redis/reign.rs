//! Whose reign it is. A master that hung, or that the sentinels cannot reach, may not know that it is deposed. It goes on answering
//! until it is told to follow the new one, and then forgets all that it answered: so nobody waits for it to say so.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use redis::Client;
use redis::sentinel::SentinelClient;
use tokio::time;

/// How often the sentinels are asked: far more often than the tail forgets.
const LOOK: Duration = Duration::from_secs(2);

/// Whose reign it is. Without sentinels it never ends.
#[derive(Default)]
pub(super) struct Reign {
    /// How many have ended while we were with the master.
    ended: AtomicU64,
    /// The master that we are with.
    master: Mutex<String>,
    /// With connections of its own: one that hangs holds up nobody who connects.
    sentinels: Option<tokio::sync::Mutex<SentinelClient>>,
}

impl Reign {
    /// One that these sentinels may end.
    pub(super) fn watched_by(sentinels: SentinelClient) -> Self {
        Self { sentinels: Some(tokio::sync::Mutex::new(sentinels)), ..Self::default() }
    }

    /// Its number. A connection that was begun under an earlier one is to a master that is deposed.
    pub(super) fn number(&self) -> u64 {
        self.ended.load(Ordering::Acquire)
    }

    /// We are with this master from now on.
    pub(super) fn accept(&self, master: &Client) {
        self.replace(master);
    }

    /// Follows what the sentinels say, for ever.
    pub(super) async fn watch(&self) {
        let Some(sentinels) = &self.sentinels else { return };
        let mut sentinels = sentinels.lock().await;
        loop {
            time::sleep(LOOK).await;
            let Ok(master) = sentinels.async_get_client().await else { continue };
            if self.replace(&master) {
                tracing::info!("the sentinels name another master; the one before is left");
                self.ended.fetch_add(1, Ordering::AcqRel);
            }
        }
    }

    /// Whether it was another one.
    fn replace(&self, master: &Client) -> bool {
        let named = master.get_connection_info().addr().to_string();
        let mut master = self.master.lock().unwrap_or_else(PoisonError::into_inner);
        let other = *master != named;
        *master = named;
        other
    }
}
