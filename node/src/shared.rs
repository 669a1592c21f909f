//! What the node's thread and its HTTP threads share.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use muster_actors::System;

use crate::config::Config;
use crate::error::StartError;

/// How long the event loop may be silent before `/live` says that it hangs.
const SILENCE_MAX: Duration = Duration::from_secs(10);
const TOKEN_BYTES: usize = 32;

/// What the node's thread and its HTTP threads share.
pub(crate) struct Shared {
    system: OnceLock<System>,
    since: Instant,
    heard_ms: AtomicU64,
    /// Opens the admin API.
    pub(crate) token: String,
    /// The domains that accounts may be of.
    pub(crate) domains: Vec<String>,
    /// The longest that a drain may take.
    pub(crate) drain_time_max: Duration,
}

impl Shared {
    pub(crate) fn new(config: &Config) -> Result<Self, StartError> {
        let folder = &config.node.data;
        let token = std::fs::create_dir_all(folder)
            .and_then(|()| token(&config.admin_token_file()))
            .map_err(|error| StartError::Data { folder: folder.clone(), error })?;
        Ok(Self {
            system: OnceLock::new(),
            since: Instant::now(),
            heard_ms: AtomicU64::new(0),
            token,
            domains: config.options.domains.iter().map(|domain| domain.name.clone()).collect(),
            drain_time_max: Duration::from_secs(config.node.drain_seconds_max),
        })
    }

    /// The actors run.
    pub(crate) fn run(&self, system: System) {
        // It is set once in a node's life.
        let _ = self.system.set(system);
    }

    pub(crate) fn system(&self) -> Option<System> {
        self.system.get().cloned()
    }

    /// Whether clients may be sent here.
    pub(crate) fn is_ready(&self) -> Result<(), &'static str> {
        match self.system.get() {
            Some(system) => system.is_ready(),
            None => Err("starting: the store or the other nodes have not answered yet"),
        }
    }

    /// The event loop turns.
    pub(crate) fn beat(&self) {
        let now = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.heard_ms.store(now, Ordering::Relaxed);
    }

    /// Whether the event loop has turned lately.
    pub(crate) fn is_live(&self) -> bool {
        let heard = Duration::from_millis(self.heard_ms.load(Ordering::Relaxed));
        self.since.elapsed().saturating_sub(heard) < SILENCE_MAX
    }
}

/// Makes a new token at each start and writes it where only this user can read it.
fn token(path: &Path) -> std::io::Result<String> {
    let mut bytes = [0; TOKEN_BYTES];
    openssl::rand::rand_priv_bytes(&mut bytes)?;
    let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    // Written beside and renamed, so that nobody reads half of it, and with its mode from the start.
    let fresh = path.with_extension("new");
    let _ = std::fs::remove_file(&fresh);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    file.write_all(token.as_bytes())?;
    std::fs::rename(fresh, path)?;
    Ok(token)
}
