//! One run: a cluster, traffic, faults, healing, rest, a restart of everything, and the verdict.

mod breaking;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::client::{Accounts, Engine, Manners, Mechanism, Purpose, Security, Spread};
use crate::history::{Chronicle, History};
use crate::interrupt;
use crate::play::{Play, Signals};
use crate::site::{DOMAIN, Order, Site, Store};
use crate::traffic::{self, Size, Traffic};

/// What is run. The same plan has the same faults in the same order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// Nodes.
    pub nodes: usize,
    /// How long faults are made.
    pub minutes: f64,
    /// Where things are kept.
    pub store: Store,
    /// Faults, by name; `mix` is any that fits.
    pub faults: Vec<String>,
    /// Kinds of traffic, by name.
    pub loads: Vec<String>,
    /// How much traffic.
    pub factor: f64,
    /// What every node is told by its environment.
    #[serde(default)]
    pub environment: Vec<(String, String)>,
}

/// Where it is run.
#[derive(Clone, Debug)]
pub struct Place {
    /// The program.
    pub muster: PathBuf,
    /// Everything is written below it.
    pub out: PathBuf,
}

/// Runs a plan and returns what happened.
///
/// # Errors
/// It could not be run: that is not the cluster's failure, unless a node ended by itself.
pub fn run(plan: &Plan, place: &Place) -> anyhow::Result<History> {
    interrupt::catch()?;
    let folder = place.out.join("site");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    let accounts =
        Accounts { domain: DOMAIN.into(), password: "chaos-password".into(), resource: "here".into() };
    let (chronicle, signals) = (Chronicle::default(), Arc::new(Signals::default()));
    let mut play = Play::new(traffic_of(plan)?, plan.nodes, plan.seed, chronicle.clone(), signals.clone());
    let order = Order {
        muster: place.muster.clone(),
        folder,
        nodes: plan.nodes,
        spare: 1,
        store: plan.store,
        environment: plan.environment.clone(),
    };
    // One more account for each node: newcomers, when all is over.
    let count = play.count() + plan.nodes;
    let site = Site::start(order, &accounts, count).context("the cluster could not be started")?;
    let targets: Vec<_> = site.nodes.iter().map(|node| node.clients).collect();
    let manners = Manners {
        accounts,
        security: Security::Plain,
        mechanism: Mechanism::ScramSha1,
        managed: true,
        resumes: true,
        ask_every: u32::MAX,
        purpose: Purpose::Session,
    };
    let watch = watch::Watch::begin(&site, chronicle.clone())?;
    let breaking = breaking::begin(site, plan.clone(), chronicle.clone(), signals.clone())?;
    let mut engine = Engine::new(&targets, manners, count, Spread::One)?;
    let played = engine.run(&mut play);
    signals.broken.store(played.is_err(), std::sync::atomic::Ordering::Relaxed);
    let broke = breaking.join().map_err(|_| anyhow::anyhow!("the thread of faults panicked"))?;
    drop(watch);
    played?;
    drop(broke?);
    let history = std::mem::take(&mut *chronicle.write());
    Ok(history)
}

fn traffic_of(plan: &Plan) -> anyhow::Result<Vec<Box<dyn Traffic>>> {
    let size =
        Size { conference: format!("conference.{DOMAIN}"), domain: DOMAIN.into(), factor: plan.factor };
    let (mut all, mut first) = (Vec::new(), 0);
    for name in &plan.loads {
        let kind = traffic::ALL.iter().find(|kind| kind.name == name);
        let kind = kind.with_context(|| format!("there is no load {name:?}: see `muster-chaos list`"))?;
        let made = (kind.make)(first, &size);
        first += made.clients();
        all.push(made);
    }
    Ok(all)
}
