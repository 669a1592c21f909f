//! Logging in many clients, a few at a time.

use std::collections::VecDeque;
use std::time::Duration;

use crate::client::{ClientId, Clients};

/// How long all log-ins together may take without any progress.
const STALL_MAX: Duration = Duration::from_secs(60);
/// How many failures end a run: a server that refuses everybody is not asked for ever.
const FAILED_MAX: u64 = 1_000;

/// The log-ins of a run.
pub(super) struct Gather {
    total: usize,
    begun: bool,
    waiting: VecDeque<ClientId>,
    concurrency: usize,
    under_way: usize,
    progress_at: Duration,
    pub(super) ready: usize,
    pub(super) failed: u64,
    pub(super) why: Option<String>,
}

impl Gather {
    pub(super) fn new(total: usize, concurrency: usize) -> Self {
        Self::of(0..total, concurrency)
    }

    /// The log-ins of some of the clients.
    pub(super) fn of(clients: impl IntoIterator<Item = ClientId>, concurrency: usize) -> Self {
        let (waiting, concurrency): (VecDeque<_>, _) = (clients.into_iter().collect(), concurrency.max(1));
        Self {
            total: waiting.len(),
            begun: false,
            waiting,
            concurrency,
            under_way: 0,
            progress_at: Duration::ZERO,
            ready: 0,
            failed: 0,
            why: None,
        }
    }

    /// Whether any was opened.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Opens as many as may be under way.
    pub(super) fn tick(&mut self, clients: &mut Clients) {
        if !std::mem::replace(&mut self.begun, true) {
            self.progress_at = clients.now();
        }
        while self.under_way < self.concurrency
            && let Some(id) = self.waiting.pop_front()
        {
            self.under_way += 1;
            clients.open(id);
        }
    }

    pub(super) fn ready(&mut self, now: Duration) {
        self.under_way = self.under_way.saturating_sub(1);
        self.ready += 1;
        self.progress_at = now;
    }

    /// One could not log in, or was lost afterwards.
    pub(super) fn lost(&mut self, why: &str) {
        self.under_way = self.under_way.saturating_sub(1);
        self.failed += 1;
        self.why.get_or_insert_with(|| why.to_owned());
    }

    /// Whether every client has been tried, with success or not.
    pub(super) fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.under_way == 0
    }

    /// Whether there is nothing more to hope for.
    pub(super) fn is_hopeless(&self, now: Duration) -> bool {
        self.failed > FAILED_MAX.min(self.total as u64 / 10)
            || (!self.is_done() && now.saturating_sub(self.progress_at) > STALL_MAX)
    }
}
