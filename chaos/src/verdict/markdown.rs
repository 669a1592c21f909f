//! The verdict for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Finding;
use super::figures::{Felt, availability, quantile};
use crate::history::{Absence, History};
use crate::trial::Plan;

/// Violations of one invariant that are shown.
const SHOWN_MAX: usize = 5;

/// Writes the page.
pub(super) fn page(
    plan: &Plan,
    history: &History,
    findings: &[Finding],
    felt: &BTreeMap<&'static str, Felt>,
    longest: &[&Absence],
) -> String {
    let mut page = String::new();
    let failed = findings.iter().filter(|finding| finding.count > 0).count();
    let verdict = match failed {
        0 => "everything held".to_owned(),
        1 => "one promise was broken".to_owned(),
        more => format!("{more} promises were broken"),
    };
    let _ = writeln!(page, "# Chaos: {verdict}\n");
    let (faults, loads) = (plan.faults.join(", "), plan.loads.join(", "));
    let _ = writeln!(
        page,
        "Seed {}, {} nodes, {:?}, {} minutes of {faults}, under {loads}.\n",
        plan.seed, plan.nodes, plan.store, plan.minutes
    );
    let acked = history.messages.iter().filter(|message| message.acked_at.is_some()).count();
    let (all, prompt) = availability(history)
        .iter()
        .fold((0, 0), |(all, prompt), (_, more, more_prompt)| (all + more, prompt + more_prompt));
    let _ = writeln!(
        page,
        "{} messages, {acked} acknowledged; {} arrivals. {} sessions were resumed, {} were not. Of the messages between pairs \
         {:.2} % arrived within a second.\n",
        history.messages.len(),
        history.receipts.len(),
        history.absences.len(),
        history.refusals.len(),
        100.0 * prompt as f64 / (all as f64).max(1.0)
    );
    page.push_str("![Availability](availability.svg)\n\n## What was promised\n\n| | promise | source |\n|---|---|---|\n");
    for finding in findings {
        let mark = match finding.count {
            0 => "held".to_owned(),
            count => format!("**broken {count} times**"),
        };
        let _ = writeln!(page, "| {mark} | {}: {} | {} |", finding.invariant, finding.what, finding.source);
    }
    page.push_str("\n## What was felt\n\nSeconds. *Served after*: users who stayed connected, the longest that a message took. \
        *Resumed after*: from the loss of a connection.\n\n\
        | fault | times | served after p50 / p99 / max | resumed after p50 / p99 / max | whole again p50 / max |\n|---|---|---|---|---|\n");
    for (fault, felt) in felt {
        let three = |values: &[f64]| [0.5, 0.99, 1.0].map(|part| seconds(quantile(values, part))).join(" / ");
        let two = [0.5, 1.0].map(|part| seconds(quantile(&felt.whole_after, part))).join(" / ");
        let (waited, resumed) = (three(&felt.waited), three(&felt.resumed_after));
        let _ = writeln!(page, "| {fault} | {} | {waited} | {resumed} | {two} |", felt.times);
    }
    page.push_str("\n![Time to resume](resumption.svg)\n");
    waited_longest(&mut page, history, longest);
    broken(&mut page, findings);
    page.push_str("\n## What was done\n\n| from | fault | what |\n|---|---|---|\n");
    for incident in &history.incidents {
        let steps: Vec<_> =
            incident.steps.iter().map(|step| format!("{:.2} {}", step.at.as_secs_f64(), step.what)).collect();
        let from = incident.from.as_secs_f64();
        let _ = writeln!(page, "| {from:.2} | {} | {} |", incident.fault, steps.join("; "));
    }
    page
}

fn waited_longest(page: &mut String, history: &History, longest: &[&Absence]) {
    page.push_str("\n## Who was away longest\n\n| from | seconds | client | left | why | found | tried before |\n|---|---|---|---|---|---|---|\n");
    for absence in longest {
        let (from, took) = (absence.from.as_secs_f64(), (absence.to - absence.from).as_secs_f64());
        let client = history.lives[absence.life].client;
        let Absence { left, found, why, tried, .. } = absence;
        let (why, tried) = (without_tags(why), without_tags(&tried.join("; ")));
        let _ = writeln!(
            page,
            "| {from:.2} | {took:.2} | {client} | node-{left} | {why} | node-{found} | {tried} |"
        );
    }
}

/// What an element says, without its markup.
fn without_tags(text: &str) -> String {
    text.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect()
}

fn broken(page: &mut String, findings: &[Finding]) {
    for finding in findings.iter().filter(|finding| finding.count > 0) {
        let _ = writeln!(page, "\n## Broken: {}\n", finding.invariant);
        for violation in finding.violations.iter().take(SHOWN_MAX) {
            let _ = writeln!(page, "- {violation}");
        }
    }
}

fn seconds(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:.2}"))
}
