//! Looks at every node several times a second, each by a thread of its own: one that stands still hides no other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::history::{Chronicle, NodeSample, Sample};
use crate::measure::Processes;
use crate::site::{Eye, Site};

const EVERY: Duration = Duration::from_millis(250);

type Last = Arc<Mutex<Vec<Option<NodeSample>>>>;

/// Threads that look. Dropping it ends them.
pub(super) struct Watch {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Watch {
    pub(super) fn begin(site: &Site, chronicle: Chronicle) -> anyhow::Result<Self> {
        let over = Arc::<AtomicBool>::default();
        let last: Last = Arc::new(Mutex::new(vec![None; site.nodes.len()]));
        let mut threads = Vec::new();
        for (number, eye) in site.eyes().into_iter().enumerate() {
            let (over, last) = (over.clone(), last.clone());
            threads.push(thread("look", move || {
                while !over.load(Ordering::Relaxed) {
                    let seen = look(&eye);
                    last.lock().expect("nobody panics with it")[number] = seen;
                    std::thread::sleep(EVERY);
                }
            })?);
        }
        let ended = over.clone();
        threads.push(thread("samples", move || {
            while !ended.load(Ordering::Relaxed) {
                let nodes = last.lock().expect("nobody panics with it").clone();
                let sample = Sample { at: chronicle.now(), nodes };
                chronicle.write().samples.push(sample);
                std::thread::sleep(EVERY);
            }
        })?);
        Ok(Self { over, threads })
    }
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.into()).spawn(work)
}

fn look(eye: &Eye) -> Option<NodeSample> {
    let pid = eye.pid()?;
    let status = eye.status().ok()?;
    let under_replicated = eye.metrics().ok().and_then(|m| m.sum("muster_under_replicated_slots"));
    Some(NodeSample {
        pid,
        ready: eye.readiness().is_ok(),
        epoch: status.epoch,
        view_epoch: status.view_epoch,
        moving: status.slots_arriving + status.slots_leaving,
        members: status.nodes.into_iter().map(|seen| seen.member).collect(),
        under_replicated: under_replicated.map(|slots| slots as u64),
        rss_kib: Processes::new(vec![pid]).memory().rss_kib,
    })
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
