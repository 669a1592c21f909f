//! What nodes say of themselves over HTTP: readiness, the admin API's status, metrics.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::wires::Pids;

/// A node that answers later than this does not answer.
const ANSWER_TIME_MAX: Duration = Duration::from_millis(700);

static AGENT: LazyLock<ureq::Agent> = LazyLock::new(|| {
    let config = ureq::Agent::config_builder().timeout_global(Some(ANSWER_TIME_MAX));
    // A connection of a node that has been paused would answer with what was asked before.
    config.http_status_as_error(false).proxy(None).max_idle_connections(0).build().into()
});

/// The cluster as one node sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The epoch of the view that it acts by.
    pub epoch: u64,
    /// The epoch of the view that `nodes` shows.
    pub view_epoch: u64,
    /// Slots on their way to it.
    #[serde(default)]
    pub slots_arriving: usize,
    /// Slots on their way from it.
    #[serde(default)]
    pub slots_leaving: usize,
    /// All members.
    pub nodes: Vec<Seen>,
}

/// A member, with more than we read.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Seen {
    /// What the view says of it.
    pub member: Member,
}

/// What a view says of a member.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Member {
    /// Its name.
    pub node: String,
    /// Which of its lives.
    pub incarnation: u64,
    /// Its state.
    pub state: String,
}

/// What a node measures: each line's name with its labels, and its value.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Vec<(String, f64)>);

impl Metrics {
    /// The sum of all lines of a metric.
    #[must_use]
    pub fn sum(&self, name: &str) -> Option<f64> {
        let ours =
            |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('{'));
        let found: Vec<_> = self.0.iter().filter(|(line, _)| ours(line)).map(|(_, value)| *value).collect();
        (!found.is_empty()).then(|| found.iter().sum())
    }
}

/// A look at one node, from any thread.
#[derive(Clone, Debug)]
pub struct Eye {
    /// Which node.
    pub(super) node: usize,
    /// Where it answers about itself.
    pub(super) http: SocketAddr,
    /// The file of the secret of its admin API, which it makes itself.
    pub(super) token: PathBuf,
    /// The processes of all nodes.
    pub(super) pids: Pids,
}

impl Eye {
    /// Its process.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.pids.lock().expect("nobody panics with it")[self.node]
    }

    /// Whether clients may be sent to it; if not, why.
    ///
    /// # Errors
    /// What it says, or why it says nothing.
    pub fn readiness(&self) -> Result<(), String> {
        match AGENT.get(format!("http://{}/ready", self.http)).call() {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(mut answer) => Err(answer.body_mut().read_to_string().unwrap_or_default().trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The cluster as it sees it.
    ///
    /// # Errors
    /// It does not answer.
    pub fn status(&self) -> anyhow::Result<Status> {
        let token = std::fs::read_to_string(&self.token)?;
        let request = AGENT.get(format!("http://{}/admin/status", self.http));
        let mut answer = request.header("authorization", format!("Bearer {}", token.trim())).call()?;
        Ok(serde_json::from_str(&answer.body_mut().read_to_string()?)?)
    }

    /// What it measures.
    ///
    /// # Errors
    /// It does not answer.
    pub fn metrics(&self) -> anyhow::Result<Metrics> {
        let text = AGENT.get(format!("http://{}/metrics", self.http)).call()?.body_mut().read_to_string()?;
        Ok(read(&text))
    }
}

fn read(text: &str) -> Metrics {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.rsplit_once(' '));
    Metrics(pairs.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_summed_over_their_labels() {
        let metrics = read("# HELP a b\na{x=\"1 2\"} 3\na{x=\"2\"} 4\nab 9\nalone 0.5\n");
        assert_eq!(
            (metrics.sum("a"), metrics.sum("alone"), metrics.sum("none")),
            (Some(7.0), Some(0.5), None)
        );
    }
}
