//! The verdict on a run: a page and pictures for people, JSON for programs.

mod figures;
mod markdown;
mod pictures;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::history::{Absence, History, Incident};
use crate::invariants::{self, Terms};
use crate::trial::Plan;
use figures::Felt;

/// Violations of one invariant that are told in full; the rest is counted.
const TOLD_MAX: usize = 50;
/// And so many of them at once.
const SHOWN_MAX: usize = 3;

#[derive(Serialize)]
struct Finding {
    invariant: &'static str,
    what: &'static str,
    source: &'static str,
    count: usize,
    violations: Vec<String>,
}

#[derive(Serialize)]
struct Report<'a> {
    plan: &'a Plan,
    held: bool,
    findings: &'a [Finding],
    messages: usize,
    acknowledged: usize,
    arrivals: usize,
    sessions_resumed: usize,
    sessions_lost: usize,
    /// Those that took longest to go on, longest first.
    longest: &'a [&'a Absence],
    felt: &'a BTreeMap<&'static str, Felt>,
    incidents: &'a [Incident],
}

/// Judges, writes report.md, report.json and pictures into a folder, and returns the names of the invariants that were
/// broken.
///
/// # Errors
/// A file cannot be written.
pub fn pass(plan: &Plan, history: &History, out: &Path) -> anyhow::Result<Vec<&'static str>> {
    let findings = judge(history);
    let (felt, longest) = (figures::felt(history), figures::longest(history));
    let report = Report {
        plan,
        held: findings.iter().all(|finding| finding.count == 0),
        findings: &findings,
        messages: history.messages.len(),
        acknowledged: history.messages.iter().filter(|message| message.acked_at.is_some()).count(),
        arrivals: history.receipts.len(),
        sessions_resumed: history.absences.len(),
        sessions_lost: history.refusals.len(),
        longest: &longest,
        felt: &felt,
        incidents: &history.incidents,
    };
    std::fs::write(out.join("report.json"), serde_json::to_string_pretty(&report)?)?;
    std::fs::write(out.join("report.md"), markdown::page(plan, history, &findings, &felt, &longest))?;
    std::fs::write(out.join("availability.svg"), pictures::timeline(history))?;
    std::fs::write(out.join("resumption.svg"), pictures::resumption(&felt))?;
    tell(&report, out);
    Ok(findings.iter().filter(|finding| finding.count > 0).map(|finding| finding.invariant).collect())
}

fn judge(history: &History) -> Vec<Finding> {
    let terms = Terms { single: true };
    let judge = |invariant: &invariants::Invariant| {
        let mut violations = (invariant.check)(history, &terms);
        let count = violations.len();
        violations.truncate(TOLD_MAX);
        Finding {
            invariant: invariant.name,
            what: invariant.what,
            source: invariant.source,
            count,
            violations,
        }
    };
    invariants::ALL.iter().map(judge).collect()
}

fn tell(report: &Report<'_>, out: &Path) {
    for finding in report.findings.iter().filter(|finding| finding.count > 0) {
        eprintln!("BROKEN: {} ({} times)", finding.invariant, finding.count);
        finding.violations.iter().take(SHOWN_MAX).for_each(|violation| eprintln!("    {violation}"));
    }
    eprintln!(
        "{}: {} messages, {} acknowledged, {} arrivals; {} sessions resumed, {} lost. See {}",
        if report.held { "held" } else { "NOT held" },
        report.messages,
        report.acknowledged,
        report.arrivals,
        report.sessions_resumed,
        report.sessions_lost,
        out.join("report.md").display()
    );
}
