//! The self-test: a server that is broken on purpose must be caught, each time by a promise that it breaks. A harness that
//! never fails proves nothing.

use std::path::Path;

use anyhow::Context;

use crate::site::Store;
use crate::trial::{self, Place, Plan};
use crate::verdict;

/// What is broken, by the name that the server's `sabotage` feature knows (see `actors/src/sabotage.rs`), and how it shows.
struct Sabotage {
    name: &'static str,
    what: &'static str,
    fault: &'static str,
    /// Any of these must be broken.
    caught_by: &'static [&'static str],
}

const ALL: [Sabotage; 3] = [
    Sabotage {
        name: "acks-before-backup",
        what: "effects are released before the backup has their changes",
        fault: "isolate",
        caught_by: &["acknowledged-is-kept", "rooms-reach-all", "h-is-exact"],
    },
    Sabotage {
        name: "fence-off",
        what: "an owner without a lease goes on, and waits for no backup",
        fault: "isolate",
        caught_by: &[
            "acknowledged-is-kept",
            "rooms-reach-all",
            "no-duplicates",
            "order-per-pair",
            "order-per-room",
        ],
    },
    Sabotage {
        name: "dedup-off",
        what: "a receiver takes what it has seen before",
        fault: "isolate",
        caught_by: &["no-duplicates"],
    },
];

/// Breaks the server in each way, and returns whether it was caught each time.
///
/// # Errors
/// A run could not be made.
pub fn prove(muster: &Path, out: &Path, seed: u64, minutes: f64) -> anyhow::Result<bool> {
    let mut all = true;
    for sabotage in &ALL {
        eprintln!("{}: {}", sabotage.name, sabotage.what);
        let plan = Plan {
            seed,
            nodes: 3,
            minutes,
            store: Store::Sqlite,
            faults: vec![sabotage.fault.to_owned()],
            loads: vec!["pairs".to_owned(), "rooms".to_owned()],
            // More traffic: what is lost in a moment is seen only if something was said in it.
            factor: 2.0,
            environment: vec![("MUSTER_SABOTAGE".to_owned(), sabotage.name.to_owned())],
        };
        let place = Place { muster: muster.to_owned(), out: out.join(sabotage.name) };
        std::fs::create_dir_all(&place.out).with_context(|| place.out.display().to_string())?;
        let history = trial::run(&plan, &place)?;
        let broken = verdict::pass(&plan, &history, &place.out)?;
        let caught: Vec<_> = sabotage.caught_by.iter().filter(|name| broken.contains(name)).collect();
        if caught.is_empty() {
            eprintln!("NOT CAUGHT: {}", sabotage.name);
            all = false;
        } else {
            eprintln!("caught: {} by {caught:?}", sabotage.name);
        }
    }
    Ok(all)
}
