//! A node is killed while sessions are held and talk: how long until its clients have their sessions again, and what is lost.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::hold::{Hold, Phase, Status};
use super::{Report, Scene};
use crate::client::Engine;
use crate::client::Targets;

/// How long the log-ins may take without any progress.
const STALL_MAX: Duration = Duration::from_secs(60);
/// How long after the last message what is missing counts as lost.
const QUIET_MAX: Duration = Duration::from_secs(10);

/// What is done to whom.
pub struct Failover {
    /// Sessions.
    pub clients: usize,
    /// Messages in a second, of all together.
    pub rate: f64,
    /// Bytes of a message.
    pub bytes: usize,
    /// The process that is killed with SIGKILL, none to only hold the sessions.
    pub victim: Option<u32>,
}

/// Where a run is.
#[derive(Default)]
struct Course {
    progress: (usize, Duration),
    talk_at: Option<Duration>,
    killed: bool,
    quiet: Option<(u64, Duration)>,
}

impl Failover {
    /// Gathers, talks for the warm-up, kills, talks on for the seconds of the scene, and waits for what is missing.
    ///
    /// # Errors
    /// The engine cannot be made.
    pub fn run(&self, scene: &Scene, targets: &Targets) -> anyhow::Result<Report> {
        let course = Rc::new(RefCell::new(Course::default()));
        let (warm_up, seconds) =
            (Duration::from_secs_f64(scene.warm_up_seconds), Duration::from_secs_f64(scene.seconds));
        let victim = self.victim.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        let steer = move |now: Duration, status: &Status| {
            course.borrow_mut().next(now, status, warm_up, seconds, victim)
        };
        let mut engine = Engine::new(targets, scene.manners.clone(), self.clients)?;
        let mut hold = Hold::new(scene, self.clients, self.rate, self.bytes, Box::new(steer));
        engine.run(&mut hold)?;
        engine.close();
        let (status, faults) = (hold.status(), hold.faults());
        Ok(Report {
            load: "failover".into(),
            clients: status.came,
            units: status.delivered,
            seconds: scene.seconds,
            per_second: status.delivered as f64 / (scene.seconds + scene.warm_up_seconds).max(1e-9),
            latency_ms: Some(hold.latency().percentiles()),
            resume_ms: Some(hold.away().percentiles()),
            broken: Some(status.broken),
            resumed: Some(status.resumed),
            ended: Some(status.ended),
            faults: Some(faults),
            failed: status.gone + (status.clients - status.came) as u64,
            why: status.why.clone().filter(|_| status.came < status.clients || status.gone > 0),
            memory: scene.server.memory(),
            ..Report::default()
        })
    }
}

impl Course {
    fn next(
        &mut self,
        now: Duration,
        status: &Status,
        warm_up: Duration,
        seconds: Duration,
        victim: Option<Pid>,
    ) -> Phase {
        let Some(talk_at) = self.talk_at else {
            if status.came > self.progress.0 || now.is_zero() {
                self.progress = (status.came, now);
            }
            if now > self.progress.1 + STALL_MAX {
                return Phase::End;
            }
            if status.came < status.clients {
                return Phase::Hold;
            }
            self.talk_at = Some(now);
            return Phase::Talk;
        };
        if !self.killed && now >= talk_at + warm_up {
            self.killed = true;
            if let Some(victim) = victim {
                // One that has ended by itself needs no signal.
                let _ = kill_process(victim, Signal::KILL);
            }
        }
        if now < talk_at + warm_up + seconds {
            return Phase::Talk;
        }
        let (delivered, since) = self.quiet.get_or_insert((status.delivered, now));
        if status.delivered > *delivered {
            (*delivered, *since) = (status.delivered, now);
        }
        let all_back = status.connected + usize::try_from(status.gone).unwrap_or_default() >= status.clients;
        let over = (all_back && status.delivered >= status.sent) || now > *since + QUIET_MAX;
        if over { Phase::End } else { Phase::Hold }
    }
}
