//! The thread that breaks things: calm, a fault, calm until the cluster is whole, the next one; in the end all is healed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::Plan;
use crate::faults::{self, Fault, Strike};
use crate::history::Chronicle;
use crate::interrupt;
use crate::play::Signals;
use crate::site::Site;

/// Calm before the first fault and between any two.
const CALM: std::ops::Range<f64> = 3.0..8.0;
const LOOK: Duration = Duration::from_millis(100);

/// Starts it. It gives the cluster back, healed.
pub(super) fn begin(
    site: Site,
    plan: Plan,
    chronicle: Chronicle,
    signals: Arc<Signals>,
) -> anyhow::Result<JoinHandle<anyhow::Result<Site>>> {
    let faults = chosen(&plan)?;
    let thread = std::thread::Builder::new().name("faults".into()).spawn(move || {
        let done = work(site, &plan, &faults, &chronicle, &signals);
        signals.broken.fetch_or(done.is_err(), Ordering::Relaxed);
        signals.healed.store(true, Ordering::Relaxed);
        done
    })?;
    Ok(thread)
}

fn chosen(plan: &Plan) -> anyhow::Result<Vec<&'static Fault>> {
    let mut chosen = Vec::new();
    for name in &plan.faults {
        if name == "mix" {
            chosen.extend(faults::ALL.iter().filter(|fault| fault.fits(plan.nodes, plan.store)));
            continue;
        }
        let fault = faults::named(name)
            .with_context(|| format!("there is no fault {name:?}: see `muster-chaos list`"))?;
        if !fault.fits(plan.nodes, plan.store) {
            bail!("{name} needs other nodes or another store: see `muster-chaos list`");
        }
        chosen.push(fault);
    }
    Ok(chosen)
}

fn work(
    mut site: Site,
    plan: &Plan,
    faults: &[&'static Fault],
    chronicle: &Chronicle,
    signals: &Signals,
) -> anyhow::Result<Site> {
    // Chance of its own: traffic takes time, and time must not change which faults come.
    let mut chance = StdRng::seed_from_u64(plan.seed ^ 0x6661_756c_7473);
    while !signals.began.load(Ordering::Relaxed) {
        interrupt::rest(LOOK)?;
        if signals.broken.load(Ordering::Relaxed) {
            return Ok(site);
        }
    }
    let end = Instant::now() + Duration::from_secs_f64(plan.minutes * 60.0);
    let mut bag: Vec<&Fault> = Vec::new();
    while !faults.is_empty() && Instant::now() < end && !signals.broken.load(Ordering::Relaxed) {
        interrupt::rest(Duration::from_secs_f64(chance.random_range(CALM)))?;
        // Each once before any comes again.
        if bag.is_empty() {
            bag = faults.to_vec();
        }
        let fault = bag.swap_remove(chance.random_range(0..bag.len()));
        let mut strike = Strike::begin(fault.name, &mut site, &mut chance, chronicle);
        (fault.strike)(&mut strike).with_context(|| format!("the fault {}", fault.name))?;
        strike.wait_until_whole()?;
        strike.whole();
    }
    interrupt::rest(Duration::from_secs_f64(CALM.start))?;
    site.heal()?;
    Ok(site)
}
