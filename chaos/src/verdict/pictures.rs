//! A run to look at: availability by the second with its faults, and how long sessions took to go on, by fault.

use std::collections::BTreeMap;

use super::figures::{Felt, availability};
use crate::history::{History, Kind};
use crate::picture::{Axis, Band, COLOURS, Canvas, Mark, Plot, Scale, stacked};

const WIDTH: f64 = 960.0;
/// Upper ends of the histogram's columns, in seconds: each half as much again as the one before.
const COLUMNS: i32 = 19;
const FIRST_COLUMN: f64 = 0.01;
const FACTOR: f64 = 1.5;

/// Availability, what was delivered, who was away, and what memory was held, over the run.
#[must_use]
pub fn timeline(history: &History) -> String {
    let seconds = availability(history);
    let end = history.samples.last().map_or(1.0, |sample| sample.at.as_secs_f64());
    let served =
        seconds.iter().map(|(at, all, prompt)| (*at, 100.0 * *prompt as f64 / *all as f64)).collect();
    let availability = plot(
        history,
        end,
        "Availability: messages that arrived within a second",
        "percent of those sent in each second",
        100.0,
        &[("", COLOURS[0], Mark::Area, served)],
        260.0,
    );
    let delays = delays(history);
    let most = delays.iter().map(|(_, delay)| *delay).fold(0.1, f64::max);
    let away = away(history, end);
    let most_away = away.iter().map(|(_, count)| *count).fold(1.0, f64::max);
    let waiting = plot(
        history,
        end,
        "The longest that a message took",
        "seconds, by the second in which it was sent",
        most,
        &[("", COLOURS[1], Mark::Line, delays)],
        180.0,
    );
    let away = plot(
        history,
        end,
        "Sessions without a connection",
        "sessions that wait to be resumed",
        most_away,
        &[("", COLOURS[3], Mark::Area, away)],
        170.0,
    );
    stacked(&[availability, waiting, away, memory(history, end)])
}

/// The longest that a message took, by the second in which it was composed; those to somebody who is away wait on purpose.
fn delays(history: &History) -> Vec<(f64, f64)> {
    let mut longest = std::collections::BTreeMap::new();
    for message in history.messages.iter().filter(|message| message.kind != Kind::Offline) {
        let Some(arrived) = message.arrived_at else { continue };
        let took = arrived.saturating_sub(message.composed_at).as_secs_f64();
        let most: &mut f64 = longest.entry(message.composed_at.as_secs()).or_default();
        *most = most.max(took);
    }
    longest.into_iter().map(|(second, took)| (second as f64, took)).collect()
}

type Drawn<'a> = (&'a str, &'a str, Mark, Vec<(f64, f64)>);

fn plot(
    history: &History,
    end: f64,
    title: &str,
    label: &str,
    most: f64,
    series: &[Drawn<'_>],
    height: f64,
) -> Canvas {
    let x = Axis::new("seconds since the beginning", Scale::linear(0.0, end));
    let y = Axis::new(label, Scale::linear(0.0, most).rounded());
    let mut plot = Plot::new(title, x, y, (WIDTH, height));
    for incident in &history.incidents {
        let to = incident.healed.or(incident.whole).map_or(end, |to| to.as_secs_f64());
        let (label, colour) = (incident.fault.to_owned(), colour(incident.fault).to_owned());
        plot.band(Band { from: incident.from.as_secs_f64(), to, label, colour });
    }
    for (label, colour, mark, points) in series {
        plot.add(label, colour, *mark, points.clone());
    }
    plot.draw()
}

/// How many sessions were without a connection, four times a second.
fn away(history: &History, end: f64) -> Vec<(f64, f64)> {
    let at = |step: u32| f64::from(step) / 4.0;
    let count = |at: f64| {
        let gone = |from: f64, to: f64| from <= at && at < to;
        history.absences.iter().filter(|one| gone(one.from.as_secs_f64(), one.to.as_secs_f64())).count()
            as f64
    };
    (0..(end * 4.0) as u32).map(|step| (at(step), count(at(step)))).collect()
}

fn memory(history: &History, end: f64) -> Canvas {
    let nodes = history.samples.first().map_or(0, |sample| sample.nodes.len());
    let of = |node: usize| {
        let held = |sample: &crate::history::Sample| {
            let seen = sample.nodes.get(node)?.as_ref()?;
            Some((sample.at.as_secs_f64(), seen.rss_kib as f64 / 1024.0))
        };
        history.samples.iter().filter_map(held).collect::<Vec<_>>()
    };
    let lines: Vec<_> = (0..nodes).map(of).collect();
    let most = lines.iter().flatten().map(|(_, mib)| *mib).fold(1.0, f64::max);
    let names: Vec<_> = (0..nodes).map(|node| format!("node-{node}")).collect();
    let series: Vec<Drawn<'_>> = lines
        .into_iter()
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
        .map(|(node, line)| (names[node].as_str(), COLOURS[node % COLOURS.len()], Mark::Line, line))
        .collect();
    plot(history, end, "Memory", "resident, MiB", most, &series, 180.0)
}

/// How long sessions took to go on, one histogram for each kind of fault.
#[must_use]
pub fn resumption(felt: &BTreeMap<&'static str, Felt>) -> String {
    let mut sheets = Vec::new();
    for (fault, felt) in felt.iter().filter(|(_, felt)| !felt.resumed_after.is_empty()) {
        let edges: Vec<_> = (0..=COLUMNS).map(|column| FIRST_COLUMN * FACTOR.powi(column)).collect();
        let within = |low: f64, high: f64| {
            felt.resumed_after.iter().filter(|took| (low..high).contains(*took)).count() as f64
        };
        let low = |index: usize| if index == 0 { 0.0 } else { edges[index] };
        let high = |index: usize| edges.get(index + 1).copied().unwrap_or(f64::INFINITY);
        let bars: Vec<_> =
            (0..edges.len()).map(|index| (edges[index], within(low(index), high(index)))).collect();
        let most = bars.iter().map(|(_, count)| *count).fold(1.0, f64::max);
        let ends = Scale::logarithmic(FIRST_COLUMN, FIRST_COLUMN * FACTOR.powi(COLUMNS));
        let x = Axis::new("seconds from the loss of a connection to the session going on", ends);
        let y = Axis::new("sessions", Scale::linear(0.0, most).rounded());
        let title = format!("{fault}: {} sessions were resumed", felt.resumed_after.len());
        let mut plot = Plot::new(&title, x, y, (WIDTH, 190.0));
        plot.add("", colour(fault), Mark::Bars, bars);
        sheets.push(plot.draw());
    }
    stacked(&sheets)
}

/// The same colour for a fault wherever it is drawn.
fn colour(fault: &str) -> &'static str {
    let place = crate::faults::ALL.iter().position(|known| known.name == fault).unwrap_or_default();
    COLOURS[(place + 1) % COLOURS.len()]
}
