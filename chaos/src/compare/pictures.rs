//! The figures as pictures: CPU per unit of work and memory per session as bars, latencies as curves, cost by number of nodes.

use super::Results;
use super::case::{Case, Metric};
use super::table::{Figures, figures};
use crate::measure::Percentiles;
use crate::picture::{Anchor, Axis, Canvas, Mark, Plot, Scale, stacked};

const WIDTH: f64 = 760.0;
const LABELS: f64 = 96.0;
const VALUES: f64 = 150.0;
const BAR: f64 = 17.0;
const GAP: f64 = 12.0;
const PLOT: (f64, f64) = (WIDTH, 320.0);

/// All pictures that this run has figures for, each with its name.
pub(super) fn all(cases: &[Case], results: &Results) -> Vec<(&'static str, String)> {
    let cpu =
        |metric: &Metric| metric.name.starts_with("CPU µs") || metric.name.starts_with("CPU ms per log");
    let memory = |metric: &Metric| metric.name.starts_with("KiB");
    let mut found = vec![
        ("cpu", bars(cases, results, |case| !case.name.starts_with("scale"), cpu)),
        ("memory", bars(cases, results, |_| true, memory)),
    ];
    found.extend(latency(results).map(|picture| ("latency", picture)));
    found.extend(scale(cases, results).map(|picture| ("scale", picture)));
    found
}

/// A group of bars for each case, each group to its own scale.
fn bars(
    cases: &[Case],
    results: &Results,
    wanted: impl Fn(&Case) -> bool,
    metrics: impl Fn(&Metric) -> bool,
) -> String {
    let mut sheets = Vec::new();
    for case in cases.iter().filter(|case| wanted(case)) {
        for metric in case.metrics.iter().filter(|metric| metrics(metric)) {
            sheets.extend(group(&format!("{}: {}", case.name, metric.name), &figures(results, case, metric)));
        }
    }
    stacked(&sheets)
}

fn group(title: &str, found: &[Figures]) -> Option<Canvas> {
    let most = found.iter().map(|figures| figures.median).fold(0.0, f64::max);
    if most <= 0.0 {
        return None;
    }
    let mut canvas = Canvas::new(WIDTH, BAR * (found.len() as f64 + 1.0) + GAP);
    canvas.text(8.0, BAR - 3.0, Anchor::Start, "title", title);
    for (row, figures) in found.iter().enumerate() {
        let y = BAR * (row as f64 + 1.0);
        let length = (WIDTH - LABELS - VALUES) * figures.median / most;
        canvas.text(LABELS - 8.0, y + BAR - 4.0, Anchor::End, "", figures.server);
        let value = match figures.ratio {
            Some(ratio) if figures.server != "muster" => format!("{}  (× {ratio:.2})", Short(figures.median)),
            _ => format!("{}", Short(figures.median)),
        };
        canvas.rectangle((LABELS, y + 2.0), (length.max(1.0), BAR - 4.0), colour(figures.server), &value);
        canvas.text(LABELS + length + 6.0, y + BAR - 4.0, Anchor::Start, "", &value);
    }
    Some(canvas)
}

/// A number with three digits.
struct Short(f64);

impl std::fmt::Display for Short {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = if self.0 >= 100.0 { 0 } else { usize::from(self.0 < 10.0) + 1 };
        write!(f, "{:.digits$}", self.0)
    }
}

/// How long a message takes at a steady rate, from the fastest half to the slowest of a thousand.
fn latency(results: &Results) -> Option<String> {
    const CASE: &str = "rate-plain-1000";
    const TICKS: [&str; 4] = ["p50", "p95", "p99", "p99.9"];
    let curves: Vec<(&str, Vec<f64>)> = results
        .versions
        .keys()
        .filter_map(|server| {
            let rows = results.rows.iter().filter(|row| row.case == CASE && row.server == *server);
            let found: Vec<&Percentiles> = rows.filter_map(|row| row.report.latency_ms.as_ref()).collect();
            let middle = |value: fn(&Percentiles) -> f64| {
                let mut values: Vec<f64> = found.iter().map(|latency| value(latency)).collect();
                values.sort_by(f64::total_cmp);
                values.get(values.len() / 2).copied()
            };
            let points = [middle(|l| l.p50)?, middle(|l| l.p95)?, middle(|l| l.p99)?, middle(|l| l.p999)?];
            Some((*server, points.to_vec()))
        })
        .collect();
    let most = curves.iter().flat_map(|(_, points)| points).copied().fold(0.0, f64::max);
    let least = curves.iter().flat_map(|(_, points)| points).copied().fold(f64::INFINITY, f64::min);
    if most <= 0.0 {
        return None;
    }
    let mut x = Axis::new("of all messages: half, 95 %, 99 %, 99.9 % are faster", Scale::linear(0.0, 3.0));
    x.format = |value| {
        let whole = (value - value.round()).abs() < 1e-6;
        TICKS.get(value.round() as usize).filter(|_| whole).map_or_else(String::new, ToString::to_string)
    };
    let y = Axis::new("milliseconds", Scale::logarithmic((least / 2.0).max(0.01), most * 2.0));
    let mut plot = Plot::new("From sending to receiving, 1,000 messages a second", x, y, PLOT);
    for (server, points) in curves {
        let points = points.into_iter().enumerate().map(|(at, value)| (at as f64, value)).collect();
        plot.add(server, colour(server), Mark::Line, points);
    }
    Some(stacked(&[plot.draw()]))
}

/// What a message costs all nodes together, by their number.
fn scale(cases: &[Case], results: &Results) -> Option<String> {
    const NODES: [(&str, f64); 4] =
        [("muster", 1.0), ("muster-2", 2.0), ("muster-3", 3.0), ("muster-5", 5.0)];
    const LINES: [(&str, &str, &str); 3] = [
        ("scale-same-node", "both at one node", "#3a8f4d"),
        ("scale-other-node", "at different nodes", "#1b6ca8"),
        ("scale-managed", "the same, managed", "#b03a5b"),
    ];
    let mut lines = Vec::new();
    for (name, label, colour) in LINES {
        let Some(case) = cases.iter().find(|case| case.name == name) else { continue };
        let found = figures(results, case, &case.metrics[0]);
        let of = |server: &str| found.iter().find(|figures| figures.server == server);
        let points: Vec<(f64, f64)> = NODES
            .iter()
            .filter_map(|(server, nodes)| of(server).map(|figures| (*nodes, figures.median)))
            .collect();
        lines.push((label, colour, points));
    }
    let most = lines.iter().flat_map(|(_, _, points)| points).map(|(_, value)| *value).fold(0.0, f64::max);
    if most <= 0.0 {
        return None;
    }
    let x = Axis::new("nodes, on one core together", Scale::linear(1.0, 5.0));
    let y = Axis::new("CPU µs per message, all nodes together", Scale::linear(0.0, most).rounded());
    let mut plot = Plot::new("Cost of a message by number of nodes", x, y, PLOT);
    for (label, colour, points) in lines {
        plot.add(label, colour, Mark::Line, points);
    }
    Some(stacked(&[plot.draw()]))
}

fn colour(server: &str) -> &'static str {
    match server {
        "muster" => "#1b6ca8",
        "muster-2" => "#4a8fc4",
        "muster-3" => "#6aaed6",
        "muster-5" => "#a6cfe8",
        "floor" => "#999999",
        "ejabberd" => "#c0504d",
        _ => "#8064a2",
    }
}
