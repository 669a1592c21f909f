//! Looks at every node several times a second, each by a thread of its own: one that stands still hides no other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::history::{Chronicle, NodeSample, Sample};
use crate::site::{Eye, Site};

const EVERY: Duration = Duration::from_millis(250);
/// Of so many looks, one looks at metrics, too.
const METRICS_EVERY: u32 = 4;

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
                let mut looks = 0u32;
                let mut bare = None;
                while !over.load(Ordering::Relaxed) {
                    // Metrics cost more than the rest, and change slower.
                    if looks.is_multiple_of(METRICS_EVERY) {
                        bare = eye.metrics().ok().and_then(|all| all.sum("muster_under_replicated_slots"));
                    }
                    looks += 1;
                    let seen = look(&eye, bare);
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

fn look(eye: &Eye, bare: Option<f64>) -> Option<NodeSample> {
    let pid = eye.pid()?;
    let status = eye.status().ok()?;
    Some(NodeSample {
        pid,
        ready: eye.readiness().is_ok(),
        epoch: status.epoch,
        view_epoch: status.view_epoch,
        moving: status.slots_arriving + status.slots_leaving,
        members: status.nodes.into_iter().map(|seen| seen.member).collect(),
        under_replicated: bare.map(|slots| slots as u64),
        rss_kib: resident_kib(pid).unwrap_or_default(),
    })
}

/// Resident memory of one process (proc(5), `/proc/pid/statm`, in pages).
fn resident_kib(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64 / 1024)
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
