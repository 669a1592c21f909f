//! What Muster aims at, and whether a run has shown it: ratios between figures of the same run, and a few figures by themselves.

use std::fmt::Write as _;

use super::Results;
use super::case::Case;
use super::table::figures;

/// A figure of a case on a server: its name, the number of its metric, the server.
type Place = (&'static str, usize, &'static str);

/// One aim.
struct Goal {
    what: &'static str,
    figure: Place,
    /// What it is divided by, if it is a ratio.
    by: Option<Place>,
    at_most: f64,
}

/// A peer's name, and what a ratio to it is called.
type Peer = (&'static str, &'static str);

const EJABBERD: Peer = ("ejabberd", "of ejabberd's");
const PROSODY: Peer = ("prosody", "of Prosody's");

const fn peer(case: &'static str, (peer, what): Peer, times: f64) -> Goal {
    Goal { what, figure: (case, 0, "muster"), by: Some((case, 0, peer)), at_most: 1.0 / times }
}

const fn ratio(what: &'static str, figure: Place, by: Place, at_most: f64) -> Goal {
    Goal { what, figure, by: Some(by), at_most }
}

const fn itself(what: &'static str, figure: Place, at_most: f64) -> Goal {
    Goal { what, figure, by: None, at_most }
}

const GOALS: &[Goal] = &[
    peer("chat-managed-plain-100", EJABBERD, 14.0),
    peer("chat-managed-plain-100", PROSODY, 10.0),
    peer("chat-managed-tls-1000", EJABBERD, 12.0),
    peer("chat-managed-tls-1000", PROSODY, 9.0),
    peer("chat-plain-100", EJABBERD, 11.0),
    peer("chat-plain-100", PROSODY, 8.0),
    ratio("of the floor's", ("chat-plain-100", 0, "muster"), ("chat-plain-100", 0, "floor"), 3.0),
    peer("chat-plain-1000", EJABBERD, 11.0),
    peer("chat-plain-1000", PROSODY, 8.0),
    ratio("of the floor's", ("chat-plain-1000", 0, "muster"), ("chat-plain-1000", 0, "floor"), 3.0),
    peer("chat-tls-100", EJABBERD, 9.0),
    peer("chat-tls-100", PROSODY, 6.0),
    peer("chat-tls-1000", EJABBERD, 9.0),
    peer("chat-tls-1000", PROSODY, 6.0),
    peer("room-plain-10x50", EJABBERD, 10.0),
    peer("room-plain-10x50", PROSODY, 10.0),
    peer("room-plain-1x500", EJABBERD, 10.0),
    peer("room-plain-1x500", PROSODY, 10.0),
    peer("room-tls-10x50", EJABBERD, 8.0),
    peer("room-tls-10x50", PROSODY, 8.0),
    peer("presence-plain-1x50", EJABBERD, 8.0),
    peer("presence-plain-1x50", PROSODY, 8.0),
    peer("login-tls", EJABBERD, 6.0),
    peer("login-tls", PROSODY, 6.0),
    peer("login-plain", EJABBERD, 8.0),
    peer("login-plain", PROSODY, 8.0),
    ratio("p50, of the floor's", ("rate-plain-1000", 0, "muster"), ("rate-plain-1000", 0, "floor"), 2.0),
    ratio("p99, of the floor's", ("rate-plain-1000", 2, "muster"), ("rate-plain-1000", 2, "floor"), 2.0),
    itself("KiB per session", ("idle-plain", 0, "muster"), 8.0),
    itself("KiB per session", ("idle-tls", 0, "muster"), 20.0),
    itself("MiB without sessions", ("idle-plain", 1, "muster"), 20.0),
    ratio(
        "with stream management, of without",
        ("chat-managed-plain-100", 0, "muster"),
        ("chat-plain-100", 0, "muster"),
        1.15,
    ),
    ratio(
        "managed, three nodes, of one node's",
        ("chat-managed-plain-100", 0, "muster-3"),
        ("chat-managed-plain-100", 0, "muster"),
        3.0,
    ),
    ratio(
        "three nodes, of one node's",
        ("chat-plain-100", 0, "muster-3"),
        ("chat-plain-100", 0, "muster"),
        3.0,
    ),
    ratio(
        "five nodes, of three nodes'",
        ("scale-managed", 0, "muster-5"),
        ("scale-managed", 0, "muster-3"),
        1.1,
    ),
    ratio(
        "KiB per session with its second copy, of without",
        ("idle-managed", 0, "muster-3"),
        ("idle-managed", 0, "muster"),
        2.0,
    ),
    itself("ms to resume, p50", ("failover-1000", 0, "muster-3"), 700.0),
    itself("ms to resume, p99", ("failover-1000", 1, "muster-3"), 3000.0),
];

/// The aims of which this run has both figures, as a table.
pub(super) fn write(cases: &[Case], results: &Results) -> String {
    let find = |(name, metric, server): Place| {
        let case = cases.iter().find(|case| case.name == name)?;
        let figures = figures(results, case, case.metrics.get(metric)?);
        figures.into_iter().find(|figures| figures.server == server).map(|figures| figures.median)
    };
    let mut rows = String::new();
    for Goal { what, figure, by, at_most } in GOALS {
        let Some(value) = find(*figure) else { continue };
        let value = match by.map(find) {
            None => value,
            Some(Some(base)) if base > 0.0 => value / base,
            Some(_) => continue,
        };
        let met = if value <= *at_most { "yes" } else { "**no**" };
        let _ = writeln!(rows, "| {} | {what} | {} | {} | {met} |", figure.0, show(value), show(*at_most));
    }
    match rows.is_empty() {
        true => rows,
        false => format!("\n| case | figure | measured | aim | met |\n|---|---|---:|---:|---|\n{rows}"),
    }
}

/// Small ratios as people say them.
fn show(value: f64) -> String {
    if value > 0.0 && value < 0.5 { format!("1/{:.1}", 1.0 / value) } else { format!("{value:.2}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::case;

    #[test]
    fn every_aim_names_a_figure_that_there_is() {
        let cases = case::all();
        for goal in GOALS {
            for (name, metric, _) in [Some(goal.figure), goal.by].into_iter().flatten() {
                let case = cases.iter().find(|case| case.name == name);
                assert!(case.is_some_and(|case| metric < case.metrics.len()), "{name}");
            }
        }
    }

    #[test]
    fn a_part_is_shown_as_one() {
        assert_eq!(show(1.0 / 14.0), "1/14.0");
        assert_eq!(show(1.15), "1.15");
    }
}
