//! The verdict on a run, for people and for programs.

use std::path::Path;

use serde::Serialize;

use crate::history::History;
use crate::invariants::{self, Terms};
use crate::trial::Plan;

/// Violations of one invariant that are told in full; the rest is counted.
const TOLD_MAX: usize = 20;

#[derive(Serialize)]
struct Finding {
    invariant: &'static str,
    source: &'static str,
    count: usize,
    violations: Vec<String>,
}

#[derive(Serialize)]
struct Report<'a> {
    plan: &'a Plan,
    held: bool,
    messages: usize,
    acknowledged: usize,
    receipts: usize,
    resumed: usize,
    findings: Vec<Finding>,
}

/// Judges, writes everything into a folder, and returns whether all held.
///
/// # Errors
/// A file cannot be written.
pub fn pass(plan: &Plan, history: &History, out: &Path) -> anyhow::Result<bool> {
    let terms = Terms { single: true };
    let mut findings = Vec::new();
    for invariant in invariants::ALL {
        let mut violations = (invariant.check)(history, &terms);
        let count = violations.len();
        violations.truncate(TOLD_MAX);
        if count > 0 {
            eprintln!("VIOLATED {}: {count}", invariant.name);
            violations.iter().take(5).for_each(|violation| eprintln!("    {violation}"));
        }
        findings.push(Finding { invariant: invariant.name, source: invariant.source, count, violations });
    }
    let report = Report {
        plan,
        held: findings.iter().all(|finding| finding.count == 0),
        messages: history.messages.len(),
        acknowledged: history.messages.iter().filter(|message| message.acked_at.is_some()).count(),
        receipts: history.receipts.len(),
        resumed: history.absences.len(),
        findings,
    };
    eprintln!(
        "{} messages, {} acknowledged, {} received, {} resumptions, {} refused",
        report.messages,
        report.acknowledged,
        report.receipts,
        report.resumed,
        history.refusals.len()
    );
    std::fs::write(out.join("report.json"), serde_json::to_string_pretty(&report)?)?;
    Ok(report.held)
}
