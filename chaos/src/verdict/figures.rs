//! What a run felt like to its users: availability by the second, time to resume, and waiting, by fault.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::history::{Absence, History, Kind};

/// A message that takes longer was not served when it was sent.
const PROMPT: Duration = Duration::from_secs(1);
/// So many of the longest times without a connection are shown.
const LONGEST_MAX: usize = 10;
/// A message is under the influence of a fault that struck less than this before, if it arrives before the next one does.
const INFLUENCE: Duration = Duration::from_secs(10);

/// What was done and how it was felt, for one kind of fault.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Felt {
    /// How often it was done.
    pub times: usize,
    /// How long clients were without their session, in seconds, sorted: from the moment they noticed.
    pub resumed_after: Vec<f64>,
    /// For each pair of users who stayed connected, the longest that a message took after each fault, in seconds, sorted:
    /// how long their slots were not served.
    pub waited: Vec<f64>,
    /// How long the cluster took until it was whole again, in seconds, sorted.
    pub whole_after: Vec<f64>,
}

/// Messages between pairs by the second in which they were composed: how many, and how many arrived within one.
#[must_use]
pub fn availability(history: &History) -> Vec<(f64, usize, usize)> {
    let mut seconds: Vec<(usize, usize)> = Vec::new();
    for message in history.messages.iter().filter(|message| message.kind == Kind::Pair) {
        let second = usize::try_from(message.composed_at.as_secs()).unwrap_or(usize::MAX);
        seconds.resize(seconds.len().max(second + 1), (0, 0));
        let prompt = message.arrived_at.is_some_and(|at| at.saturating_sub(message.composed_at) <= PROMPT);
        seconds[second].0 += 1;
        seconds[second].1 += usize::from(prompt);
    }
    let numbered = seconds.into_iter().enumerate().filter(|(_, (all, _))| *all > 0);
    numbered.map(|(second, (all, prompt))| (second as f64, all, prompt)).collect()
}

/// How each kind of fault was felt.
#[must_use]
pub fn felt(history: &History) -> BTreeMap<&'static str, Felt> {
    let mut all: BTreeMap<&'static str, Felt> = BTreeMap::new();
    let next = history.incidents.iter().skip(1).map(|next| next.from).chain([Duration::MAX]);
    for (incident, next) in history.incidents.iter().zip(next) {
        let felt = all.entry(incident.fault).or_default();
        felt.times += 1;
        let end = incident.whole.unwrap_or(Duration::MAX);
        for absence in &history.absences {
            if (incident.from..=end).contains(&absence.from) {
                felt.resumed_after.push((absence.to - absence.from).as_secs_f64());
            }
        }
        felt.waited.extend(waits(history, incident.from, next));
        if let (Some(healed), Some(whole)) = (incident.healed, incident.whole) {
            felt.whole_after.push(whole.saturating_sub(healed).as_secs_f64());
        }
    }
    for felt in all.values_mut() {
        for values in [&mut felt.resumed_after, &mut felt.waited, &mut felt.whole_after] {
            values.sort_by(f64::total_cmp);
        }
    }
    all
}

/// The times without a connection that were longest, longest first.
#[must_use]
pub fn longest(history: &History) -> Vec<&Absence> {
    let mut all: Vec<_> = history.absences.iter().collect();
    all.sort_by_key(|absence| std::cmp::Reverse(absence.to.saturating_sub(absence.from)));
    all.truncate(LONGEST_MAX);
    all
}

/// For each direction of each pair that stayed connected: the longest that a message took.
fn waits(history: &History, from: Duration, next: Duration) -> Vec<f64> {
    let window = from..from + INFLUENCE;
    let gone: Vec<_> = history
        .absences
        .iter()
        .filter(|absence| absence.from < window.end && absence.to > window.start)
        .map(|absence| history.lives[absence.life].client)
        .collect();
    let mut longest: BTreeMap<usize, f64> = BTreeMap::new();
    for message in history.messages.iter().filter(|message| message.kind == Kind::Pair) {
        let there = !gone.contains(&message.from) && !gone.contains(&message.to);
        let arrived = message.arrived_at.filter(|arrived| *arrived < next);
        if let (Some(arrived), true, true) = (arrived, there, window.contains(&message.composed_at)) {
            let took = arrived.saturating_sub(message.composed_at).as_secs_f64();
            let most = longest.entry(message.from).or_default();
            *most = most.max(took);
        }
    }
    longest.into_values().collect()
}

/// The value below which that part of all sorted values is.
#[must_use]
pub fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((last as f64 * part).round() as usize).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_there_are() {
        let sorted: Vec<_> = (0..=100).map(f64::from).collect();
        assert_eq!((quantile(&sorted, 0.5), quantile(&sorted, 0.99)), (Some(50.0), Some(99.0)));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
