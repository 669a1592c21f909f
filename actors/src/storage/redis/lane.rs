//! A lane: serves groups of requests, one pipeline after the other, and looks for the server when it is gone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::try_join_all;
use muster_proto::store::StoreError;
use redis::aio::ConnectionLike;
use redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisResult, Value, cmd};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{self, Instant};

use super::faults::{self, Remedy};
use super::script::By;
use super::server::{Link, Server};
use super::tail::{Kept, Tail};
use super::{Request, What, commands};

/// Most requests in one pipeline.
const GROUP_MAX: usize = 512;
/// How long a lane is idle before it asks whether the server is still there; and how often while it is away.
const PROBE_TIME: Duration = Duration::from_secs(1);
/// The shortest and longest pause before another attempt.
const PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));

/// Counts what was written again.
const REWRITTEN: &str = "muster_storage_rewritten_total";

struct Lane {
    server: Arc<Server>,
    /// A slot of this lane, to ask whether its part of a cluster is there.
    slot: u16,
    link: Option<Link>,
    /// The reign in which it was made.
    reign: u64,
    tail: Tail,
    reachable: Arc<AtomicBool>,
}

/// Serves until it is told to close, or nobody can ask any more.
pub(super) async fn run(
    server: Arc<Server>,
    slot: u16,
    mut queue: mpsc::UnboundedReceiver<Request>,
    reachable: Arc<AtomicBool>,
) {
    let tail = Tail::new(server.config());
    let mut lane = Lane { server, slot, link: None, reign: 0, tail, reachable };
    loop {
        let first = match time::timeout(PROBE_TIME, queue.recv()).await {
            Ok(Some(first)) => first,
            Ok(None) => return,
            Err(_) => {
                lane.probe().await;
                continue;
            }
        };
        let mut group = vec![first];
        while group.len() < GROUP_MAX
            && let Ok(next) = queue.try_recv()
        {
            group.push(next);
        }
        let close = last(&mut group);
        if !group.is_empty() {
            lane.serve(group).await;
        }
        if let Some(done) = close {
            let _ = done.send(());
            return;
        }
    }
}

/// Takes `Close` out of the group, and what came after it: that was not admitted any more and answers `Away`.
fn last(group: &mut Vec<Request>) -> Option<oneshot::Sender<()>> {
    let at = group.iter().position(|request| matches!(request.what, What::Close(_)))?;
    match group.drain(at..).next().map(|request| request.what) {
        Some(What::Close(done)) => Some(done),
        _ => None,
    }
}

impl Lane {
    async fn serve(&mut self, group: Vec<Request>) {
        let since = group.first().map_or_else(std::time::Instant::now, |oldest| oldest.since);
        let deadline = Instant::from_std(since) + self.server.config().timeout();
        let outcome = self.settle(&group, deadline).await;
        self.note(&outcome);
        match outcome {
            Ok(values) => {
                let now = std::time::Instant::now();
                for (request, values) in group.into_iter().zip(values) {
                    if let What::Write(batch, Some(mark), _) = &request.what
                        && commands::yes(values.clone()) == Ok(true)
                    {
                        self.tail.push(request.slot, Arc::clone(batch), *mark, now);
                    }
                    answer(request, Ok(values));
                }
                self.tail.trim(now);
            }
            Err(reason) => {
                group.into_iter().for_each(|request| answer(request, Err(StoreError::Away(reason.clone()))));
            }
        }
    }

    /// Attempts until the server has answered all of them, or time is up.
    async fn settle(&mut self, group: &[Request], deadline: Instant) -> Result<Vec<Vec<Value>>, String> {
        let (mut pause, longest) = PAUSE;
        let mut by = By::Hash;
        let mut reason = "Redis has not answered in time".to_owned();
        loop {
            // What may have been forgotten goes first, and takes the time that it takes.
            let ready = self.connect().await;
            if ready.is_ok() && Instant::now() >= deadline {
                return Err(reason);
            }
            let attempt = async {
                ready?;
                self.attempt(group, by).await
            };
            match time::timeout_at(deadline, attempt).await {
                Err(_) => {
                    self.forget();
                    return Err(reason);
                }
                Ok(Err(error)) => {
                    self.forget();
                    reason = error.to_string();
                    if !faults::is_temporary(&error) {
                        return Err(reason);
                    }
                }
                Ok(Ok(values)) => {
                    let worst = values.iter().flatten().find(|value| faults::remedy(value) != Remedy::None);
                    match worst.map_or(Remedy::None, faults::remedy) {
                        Remedy::None => return Ok(values),
                        Remedy::SendScripts if by == By::Hash => {
                            // All of them once more, for order's sake: what was done is only done again.
                            by = By::Text;
                            continue;
                        }
                        Remedy::Reconnect => self.forget(),
                        Remedy::Wait => self.tail.doubt(),
                        Remedy::SendScripts => {}
                    }
                    reason = worst.map_or(reason, |value| faults::refusal(value).to_string());
                }
            }
            if Instant::now() + pause >= deadline {
                return Err(reason);
            }
            time::sleep(pause).await;
            pause = longest.min(pause * 2);
        }
    }

    /// Sends all of them and collects what the commands of each have yielded.
    async fn attempt(&mut self, group: &[Request], by: By) -> RedisResult<Vec<Vec<Value>>> {
        let config = self.server.config();
        let commands =
            group.iter().map(|request| (request.slot, commands::of(request, &config.prefix, by))).collect();
        let copies = if group.iter().any(Request::writes) { config.replicas_min } else { 0 };
        self.exchange(commands, copies).await
    }

    /// Connects if need be, and writes again what a server that has taken over may not have.
    async fn connect(&mut self) -> RedisResult<()> {
        let timeout = self.server.config().timeout();
        let late = |_| RedisError::from((ErrorKind::Io, "no answer in time"));
        let reign = self.server.reign().number();
        if self.reign != reign {
            self.forget();
        }
        if self.link.is_none() {
            self.reign = reign;
            let link = time::timeout(timeout, self.server.connect()).await;
            self.link = Some(link.map_err(late).flatten()?);
        }
        let prefix = self.server.config().prefix.clone();
        while let Some(due) = self.tail.due(std::time::Instant::now(), GROUP_MAX) {
            let again = |kept: &&Kept| {
                (kept.slot, vec![commands::write(&kept.batch, Some(kept.mark), &prefix, By::Text)])
            };
            let commands: Vec<_> = due.iter().map(again).collect();
            let count = commands.len();
            let copies = self.server.config().replicas_min;
            let written = time::timeout(timeout, self.exchange(commands, copies)).await;
            for values in written.map_err(late).flatten()? {
                let outcome = commands::yes(values);
                let outcome = match outcome {
                    Ok(true) => "written",
                    Ok(false) => "stale",
                    Err(StoreError::Away(reason)) => {
                        return Err(RedisError::from((ErrorKind::Io, "the last writes are refused", reason)));
                    }
                    Err(StoreError::Stale | StoreError::Failed(_)) => "failed",
                };
                metrics::counter!(REWRITTEN, "outcome" => outcome).increment(1);
            }
            if let Some(writes) = self.tail.done(count) {
                tracing::info!(
                    writes,
                    "Redis is reached anew: the last acknowledged writes were repeated, in case that another server has taken over"
                );
            }
        }
        Ok(())
    }

    /// Sends the commands of each, and collects what they yield.
    async fn exchange(
        &mut self,
        commands: Vec<(u16, Vec<Cmd>)>,
        copies: u32,
    ) -> RedisResult<Vec<Vec<Value>>> {
        let count = commands.len();
        match &mut self.link {
            Some(Link::One(connection)) => {
                let counts: Vec<_> = commands.iter().map(|(_, commands)| commands.len()).collect();
                let mut values =
                    send(connection, commands.into_iter().flat_map(|(_, commands)| commands), copies)
                        .await?
                        .into_iter();
                let mut take = |count: &usize| values.by_ref().take(*count).collect();
                Ok(counts.iter().map(&mut take).collect())
            }
            Some(Link::Cluster(connection)) => {
                // A pipeline goes to one server. Slots have no order among each other.
                let mut slots: BTreeMap<u16, (Vec<usize>, Vec<Cmd>)> = BTreeMap::new();
                let counts: Vec<_> = commands.iter().map(|(_, commands)| commands.len()).collect();
                for (at, (slot, commands)) in commands.into_iter().enumerate() {
                    let (places, all) = slots.entry(slot).or_default();
                    places.push(at);
                    all.extend(commands);
                }
                let sent = slots.into_values().map(|(places, commands)| {
                    let mut connection = connection.clone();
                    async move { RedisResult::Ok((places, send(&mut connection, commands, 0).await?)) }
                });
                let mut outcome = vec![Vec::new(); count];
                for (places, values) in try_join_all(sent).await? {
                    let mut values = values.into_iter();
                    for at in places {
                        outcome[at] = values.by_ref().take(counts[at]).collect();
                    }
                }
                Ok(outcome)
            }
            None => Err(RedisError::from((ErrorKind::Io, "not connected"))),
        }
    }

    /// Lets go of a connection that does not work. Those to a cluster find their way back by themselves.
    fn forget(&mut self) {
        self.tail.doubt();
        self.link.take_if(|link| matches!(link, Link::One(_)));
    }

    /// Asks whether the server is there.
    async fn probe(&mut self) {
        let timeout = self.server.config().timeout();
        let ready = self.connect().await;
        let ping = async {
            ready?;
            let mut probe = cmd("EXISTS");
            probe.arg(format!("{}:{{{}}}:epoch", self.server.config().prefix, self.slot));
            match &mut self.link {
                Some(Link::One(connection)) => probe.exec_async(connection).await,
                Some(Link::Cluster(connection)) => probe.exec_async(connection).await,
                None => Ok(()),
            }
        };
        let outcome = match time::timeout(timeout, ping).await {
            Ok(outcome) => outcome.map_err(|error| error.to_string()),
            Err(_) => Err("Redis has not answered in time".to_owned()),
        };
        match outcome {
            Ok(()) => self.tail.trim(std::time::Instant::now()),
            Err(_) => self.forget(),
        }
        self.note(&outcome);
    }

    /// Notes how it went; logs when that changes.
    fn note<T>(&self, outcome: &Result<T, String>) {
        let reachable = outcome.is_ok();
        if self.reachable.swap(reachable, Ordering::Relaxed) != reachable {
            match outcome {
                Ok(_) => tracing::info!("Redis is reached again"),
                Err(reason) => tracing::warn!(%reason, "Redis cannot be reached"),
            }
        }
    }
}

/// Sends commands as one pipeline. With `copies`, writes count only when so many replicas have them.
async fn send(
    connection: &mut impl ConnectionLike,
    commands: impl IntoIterator<Item = Cmd>,
    copies: u32,
) -> RedisResult<Vec<Value>> {
    let mut pipeline = Pipeline::new();
    for command in commands {
        pipeline.add_command(command);
    }
    if copies > 0 {
        // Bounded by the group's deadline, which drops the connection.
        pipeline.cmd("WAIT").arg(copies).arg(0);
    }
    let count = pipeline.len();
    connection.req_packed_commands(&pipeline, 0, count).await
}

impl Request {
    fn writes(&self) -> bool {
        matches!(self.what, What::Write(..) | What::Swap { .. })
    }
}

fn answer(request: Request, outcome: Result<Vec<Value>, StoreError>) {
    let Request { what, _permit, .. } = request;
    drop(_permit);
    match what {
        What::Query(query, answer) => {
            answer.send(outcome.and_then(|values| commands::reply(&query, values)));
        }
        What::Write(_, _, answer) => {
            let held = outcome.and_then(commands::yes);
            answer.send(held.and_then(|held| if held { Ok(()) } else { Err(StoreError::Stale) }));
        }
        What::Load(answer) => {
            let value = outcome.map(|values| values.into_iter().next().unwrap_or(Value::Nil));
            answer.send(value.and_then(commands::optional));
        }
        What::Swap { answer, .. } | What::Claim { answer, .. } => {
            answer.send(outcome.and_then(commands::yes));
        }
        What::Close(_) => {}
    }
}
