//! One run: a cluster, traffic, faults, healing, rest, a restart of everything, and the verdict.

mod breaking;
mod newcomers;
mod readers;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use newcomers::Newcomers;
use readers::Readers;
use serde::{Deserialize, Serialize};

use crate::client::{Accounts, Engine, Manners, Mechanism, Purpose, Security, Targets};
use crate::history::{Chronicle, Complaint, History};
use crate::interrupt;
use crate::play::{Play, Signals};
use crate::site::{DOMAIN, Order, Site, Store};
use crate::traffic::{self, Size, Traffic};

/// A node that is asked to end may take so long.
const END_TIME_MAX: Duration = Duration::from_secs(40);

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
    let accounts = Accounts {
        domain: DOMAIN.into(),
        password: "chaos-password".into(),
        resource: "here".into(),
        first: 0,
    };
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
    // When all is over there are newcomers, one for each node, and one to whom they write while it is away.
    let (newcomers, absent) = (play.count(), play.count() + plan.nodes);
    let count = absent + 1;
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
        eager: false,
    };
    let watch = watch::Watch::begin(&site, chronicle.clone())?;
    let breaking = breaking::begin(site, plan.clone(), chronicle.clone(), signals.clone())?;
    let mut engine = Engine::new(&Targets::of(&targets), manners.clone(), count)?;
    let played = engine.run(&mut play);
    signals.broken.store(played.is_err(), std::sync::atomic::Ordering::Relaxed);
    let broke = breaking.join().map_err(|_| anyhow::anyhow!("the thread of faults panicked"))?;
    drop(watch);
    played?;
    let mut site = broke?;
    let mut newcomers = Newcomers::new(newcomers, plan.nodes, absent);
    engine.run(&mut newcomers)?;
    newcomers.conclude(&mut chronicle.write());
    drop(engine);
    eprintln!("{:8.2}  everything is restarted", chronicle.now().as_secs_f64());
    restart(&mut site, &chronicle)?;
    let mut engine = Engine::new(&Targets::of(&targets), manners, count)?;
    let mut readers = Readers::new(&chronicle.write(), plan.nodes, absent);
    engine.run(&mut readers)?;
    readers.conclude(&mut chronicle.write());
    chronicle.write().writes = site.written();
    let history = std::mem::take(&mut *chronicle.write());
    Ok(history)
}

/// Stops every node, one after the other, and starts them all.
fn restart(site: &mut Site, chronicle: &Chronicle) -> anyhow::Result<()> {
    let all = site.running();
    for node in &all {
        if let Err(error) = site.stop_node(*node, END_TIME_MAX) {
            let complaint =
                Complaint { at: chronicle.now(), about: "ends-when-asked", what: format!("{error:#}") };
            chronicle.write().complaints.push(complaint);
        }
    }
    for node in &all {
        site.start_node(*node)?;
    }
    site.wait_until_ready(&all)
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
