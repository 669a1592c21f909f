//! Accounts made by their owners (XEP-0077), for servers that have no import.

use std::time::Duration;

use super::gather::Gather;
use super::{Report, Scene};
use crate::client::{ClientId, Clients, Load};

/// Makes accounts, one connection each.
pub struct Register {
    gather: Gather,
    close: Vec<ClientId>,
}

impl Register {
    /// Makes the accounts 0 to `count`.
    #[must_use]
    pub fn new(scene: &Scene, count: usize) -> Self {
        Self { gather: Gather::new(count, scene.concurrency), close: Vec::new() }
    }

    /// How it went.
    #[must_use]
    pub fn report(&self) -> Report {
        Report {
            load: "register".into(),
            clients: self.gather.ready,
            units: self.gather.ready as u64,
            failed: self.gather.failed,
            why: self.gather.why.clone(),
            ..Report::default()
        }
    }
}

impl Load for Register {
    fn ready(&mut self, id: ClientId, clients: &mut Clients) {
        self.gather.ready(clients.now());
        self.close.push(id);
    }

    fn stanza(&mut self, _: ClientId, _: &[u8], _: &mut Clients) {}

    fn lost(&mut self, _: ClientId, why: &str, _: &mut Clients) {
        self.gather.lost(why);
    }

    fn tick(&mut self, clients: &mut Clients) -> Option<Duration> {
        self.close.drain(..).for_each(|id| clients.close(id));
        self.gather.tick(clients);
        let over = self.gather.is_done() || self.gather.is_hopeless(clients.now());
        (!over).then_some(Duration::from_secs(1))
    }
}
