//! One fault at work: the cluster it is done to, its chance, and its record.

use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;

use crate::history::{Chronicle, Complaint, Incident, Step};
use crate::interrupt;
use crate::site::Site;

/// How long a cluster may take until it is whole again.
const WHOLE_TIME_MAX: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(100);

/// How long most faults last.
const LAST: std::ops::Range<f64> = 6.0..12.0;

/// One fault at work.
pub struct Strike<'a> {
    /// The cluster.
    pub site: &'a mut Site,
    /// Decides all that is left open.
    pub chance: &'a mut StdRng,
    chronicle: &'a Chronicle,
    incident: usize,
}

impl<'a> Strike<'a> {
    /// Begins the record of a fault.
    pub(crate) fn begin(
        fault: &'static str,
        site: &'a mut Site,
        chance: &'a mut StdRng,
        chronicle: &'a Chronicle,
    ) -> Self {
        let mut history = chronicle.write();
        let incident = history.incidents.len();
        history.incidents.push(Incident {
            fault,
            what: String::new(),
            from: chronicle.now(),
            healed: None,
            whole: None,
            nodes: Vec::new(),
            steps: Vec::new(),
        });
        drop(history);
        Self { site, chance, chronicle, incident }
    }

    fn record(&self, change: impl FnOnce(&mut Incident, Duration)) {
        change(&mut self.chronicle.write().incidents[self.incident], self.chronicle.now());
    }

    /// Says what is done now. The first time it is what the fault is.
    pub fn step(&self, what: impl Into<String>) {
        let what = what.into();
        eprintln!("{:8.2}  {what}", self.chronicle.now().as_secs_f64());
        self.record(|incident, at| {
            if incident.what.is_empty() {
                // The fault begins when something is done, not when its victim is chosen.
                (incident.what, incident.from) = (what.clone(), at);
            }
            incident.steps.push(Step { at, what });
        });
    }

    /// Says whom it hits.
    pub fn hits(&self, node: usize) {
        self.record(|incident, _| incident.nodes.push(node));
    }

    /// Says that it is withdrawn.
    pub fn healed(&self) {
        self.record(|incident, at| incident.healed = Some(at));
    }

    pub(crate) fn whole(&self) {
        self.record(|incident, at| incident.whole = Some(at));
    }

    /// A node that runs, by chance.
    pub fn victim(&mut self) -> usize {
        let running = self.site.running();
        running[self.chance.random_range(0..running.len())]
    }

    /// Another one.
    pub fn another(&mut self, than: usize) -> usize {
        let others: Vec<_> = self.site.running().into_iter().filter(|node| *node != than).collect();
        others[self.chance.random_range(0..others.len())]
    }

    /// Notes what must not be.
    pub fn complain(&self, about: &'static str, what: String) {
        eprintln!("          {about}: {what}");
        self.chronicle.write().complaints.push(Complaint { at: self.chronicle.now(), about, what });
    }

    /// Waits until every node is ready, agrees with all others, and nothing is on its way: before that, another fault
    /// would not be a single one. A cluster that does not get there is complained about.
    ///
    /// # Errors
    /// The run was interrupted.
    pub fn wait_until_whole(&mut self) -> anyhow::Result<()> {
        let deadline = self.chronicle.now() + WHOLE_TIME_MAX;
        while let Some(why) = self.site.not_whole() {
            if self.chronicle.now() > deadline {
                let what = format!("{} s after the last fault: {why}", WHOLE_TIME_MAX.as_secs());
                self.complain("becomes-whole", what);
                break;
            }
            interrupt::rest(LOOK)?;
        }
        Ok(())
    }

    /// The name of a node.
    #[must_use]
    pub fn name(&self, node: usize) -> String {
        self.site.nodes[node].name.clone()
    }

    /// Lets the fault last for the usual time.
    ///
    /// # Errors
    /// The run was interrupted.
    pub fn last(&mut self) -> anyhow::Result<()> {
        let seconds = self.chance.random_range(LAST);
        self.wait(seconds)
    }

    /// Lets time pass.
    ///
    /// # Errors
    /// The run was interrupted.
    pub fn wait(&mut self, seconds: f64) -> anyhow::Result<()> {
        interrupt::rest(Duration::from_secs_f64(seconds))
    }
}
