//! The figures as text: medians, ranges, and how many times Muster's, pair by pair.

use std::fmt::Write as _;

use super::Results;
use super::case::{Case, Metric};
use crate::load::Report;

/// One server's figures for one metric of a case.
pub(super) struct Figures {
    pub(super) server: &'static str,
    pub(super) median: f64,
    least: f64,
    most: f64,
    /// The median of what this server needed for each that Muster needed in the same round.
    pub(super) ratio: Option<f64>,
}

/// The figures of every server for one metric of a case.
pub(super) fn figures(results: &Results, case: &Case, metric: &Metric) -> Vec<Figures> {
    let of = |server: &str| -> Vec<(usize, f64)> {
        let rows = results.rows.iter().filter(|row| row.case == case.name && row.server == server);
        rows.filter(|row| row.report.units > 0).map(|row| (row.run, (metric.value)(&row.report))).collect()
    };
    let muster = of("muster");
    let mut found = Vec::new();
    for server in results.versions.keys() {
        let mut values: Vec<f64> = of(server).into_iter().map(|(_, value)| value).collect();
        let Some(middle) = median(&mut values) else { continue };
        let mut ratios: Vec<f64> = of(server)
            .into_iter()
            .filter_map(|(run, value)| {
                let (_, base) = muster.iter().find(|(other, base)| *other == run && *base > 0.0)?;
                Some(value / base)
            })
            .collect();
        found.push(Figures {
            server,
            median: middle,
            least: values.first().copied().unwrap_or(middle),
            most: values.last().copied().unwrap_or(middle),
            ratio: median(&mut ratios),
        });
    }
    found
}

/// The whole table, in Markdown.
pub(super) fn write(cases: &[Case], results: &Results) -> String {
    let machine = &results.machine;
    let mut text = format!(
        "{}, {} cores, {} MiB, {}, Linux {}\n",
        machine.processor, machine.cores, machine.memory_mib, machine.system, machine.kernel
    );
    for (server, version) in &results.versions {
        let _ = writeln!(text, "{server}: {version}");
    }
    let _ = writeln!(
        text,
        "medians of up to {} runs of {} s; × is the median of ratios to muster, run by run\n",
        results.runs, results.seconds
    );
    let _ = writeln!(
        text,
        "| case | figure | server | median | range | × muster |\n|---|---|---|---:|---:|---:|"
    );
    for case in cases {
        for metric in case.metrics {
            for found in figures(results, case, metric) {
                let Figures { server, median, least, most, ratio } = found;
                let ratio = ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
                let _ = writeln!(
                    text,
                    "| {} | {} | {server} | {median:.2} | {least:.2}–{most:.2} | {ratio} |",
                    case.name, metric.name
                );
            }
        }
    }
    let faulty = results.rows.iter().filter(|row| !is_clean(&row.report));
    for row in faulty {
        let _ = writeln!(
            text,
            "{} run {} on {}: {} clients failed ({}), {:?}",
            row.case,
            row.run,
            row.server,
            row.report.failed,
            row.report.why.as_deref().unwrap_or("nothing said"),
            row.report.faults.unwrap_or_default()
        );
    }
    text
}

/// One run in a line.
pub(super) fn line(case: &Case, report: &Report) -> String {
    let figures: Vec<String> =
        case.metrics.iter().map(|metric| format!("{} {:.2}", metric.name, (metric.value)(report))).collect();
    let warning = if is_clean(report) { "" } else { "  NOT CLEAN" };
    format!(
        "{}  ({:.0}/s, server {:.2} cores, generator {:.1} µs){warning}",
        figures.join(", "),
        report.per_second,
        report.server_cores,
        report.own_cpu_us
    )
}

fn is_clean(report: &Report) -> bool {
    let faults = report.faults.unwrap_or_default();
    report.failed == 0 && report.units > 0 && faults == crate::measure::Faults::default()
}

/// The middle of some values, which are in order afterwards.
fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        length if length % 2 == 0 => Some(f64::midpoint(values[middle - 1], values[middle])),
        _ => Some(values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
