//! Where clients connect to, and from which addresses.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::bail;

/// Connections from one source address before the next is used: a third of the ports that Linux gives away.
const PER_ADDRESS_MAX: usize = 10_000;
const ADDRESSES: usize = 250;

/// Whether clients come from many addresses in 127.0.0.0/8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// All from 127.0.0.1.
    One,
    /// The next address after each 10,000 accounts.
    Many,
}

/// Whether the two clients of a pair meet the same target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distance {
    /// Client i has the target i mod n: the clients 2k and 2k+1 are apart wherever there is more than one.
    Apart,
    /// Client i has the target i/2 mod n.
    Together,
}

/// The addresses of a server.
#[derive(Clone, Debug)]
pub struct Targets {
    /// One for each node.
    pub addresses: Vec<SocketAddr>,
    /// Where clients come from.
    pub spread: Spread,
    /// Which client goes where.
    pub distance: Distance,
}

impl Targets {
    /// Clients from one address that take these in turn.
    #[must_use]
    pub fn of(addresses: &[SocketAddr]) -> Self {
        Self { addresses: addresses.to_vec(), spread: Spread::One, distance: Distance::Apart }
    }

    /// Refuses what is not on this machine.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        if self.addresses.is_empty() {
            bail!("no target is given");
        }
        match self.addresses.iter().find(|target| !target.ip().is_loopback()) {
            Some(far) => bail!("{far} is not on this machine: only loopback addresses are measured"),
            None => Ok(()),
        }
    }

    /// The number of the one that a client has; of another one at each `hop`, such that those who leave one spread over all
    /// others.
    pub(super) fn index(&self, id: usize, hop: usize) -> usize {
        let count = self.addresses.len();
        let place = match self.distance {
            Distance::Apart => id,
            Distance::Together => id / 2,
        };
        let further = if hop == 0 || count == 1 { 0 } else { 1 + (place / count + hop - 1) % (count - 1) };
        (place + further) % count
    }

    /// Where an account comes from, if that is not left to the system.
    pub(super) fn source(&self, account: usize) -> Option<SocketAddr> {
        match self.spread {
            Spread::One => None,
            Spread::Many => {
                let index = u8::try_from(account / PER_ADDRESS_MAX % ADDRESSES).unwrap_or_default();
                Some(SocketAddr::from((Ipv4Addr::new(127, 1, 0, index + 1), 0)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clients_of_a_pair_are_together_or_apart() {
        let addresses: Vec<SocketAddr> =
            (1..=3).map(|port| SocketAddr::from(([127, 0, 0, 1], port))).collect();
        let mut targets = Targets::of(&addresses);
        let apart = |targets: &Targets| {
            (0..9).filter(|k| targets.index(2 * k, 0) != targets.index(2 * k + 1, 0)).count()
        };
        assert_eq!(apart(&targets), 9);
        targets.distance = Distance::Together;
        assert_eq!(apart(&targets), 0);
        assert_ne!(targets.index(4, 0), targets.index(4, 1));
    }

    #[test]
    fn who_leaves_a_target_spreads_over_all_others() {
        let addresses: Vec<SocketAddr> =
            (1..=4).map(|port| SocketAddr::from(([127, 0, 0, 1], port))).collect();
        let targets = Targets::of(&addresses);
        let next: Vec<usize> = (0..12).filter(|id| id % 4 == 3).map(|id| targets.index(id, 1)).collect();
        assert_eq!(next, [0, 1, 2]);
        let hops: Vec<usize> = (0..4).map(|hop| targets.index(3, hop)).collect();
        assert_eq!(hops, [3, 0, 1, 2]);
        assert_eq!(Targets::of(&addresses[..1]).index(3, 2), 0);
    }
}
