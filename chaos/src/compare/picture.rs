//! The figures as bars, in one SVG.

use std::fmt::Write as _;

use super::Results;
use super::case::Case;
use super::table::figures;

const WIDTH: f64 = 900.0;
const LABELS: f64 = 110.0;
const BAR: f64 = 16.0;
const GAP: f64 = 14.0;

/// Draws a group of bars for each case, each group to its own scale.
pub(super) fn draw(cases: &[Case], results: &Results) -> String {
    let (mut body, mut y) = (String::new(), GAP);
    for case in cases {
        for metric in case.metrics {
            let found = figures(results, case, metric);
            let most = found.iter().map(|figures| figures.median).fold(0.0, f64::max);
            if most <= 0.0 {
                continue;
            }
            y += BAR;
            let _ = writeln!(body, "<text x='8' y='{y}' class='title'>{}: {}</text>", case.name, metric.name);
            for figures in found {
                let length = (WIDTH - LABELS - 90.0) * figures.median / most;
                let text = y + BAR - 3.0;
                let top = y + 4.0;
                let _ = writeln!(
                    body,
                    "<text x='8' y='{text}'>{}</text><rect x='{LABELS}' y='{top}' width='{length:.1}' height='{:.0}' \
                     fill='{}'/><text x='{:.1}' y='{text}'>{:.2}</text>",
                    figures.server,
                    BAR - 4.0,
                    colour(figures.server),
                    LABELS + length + 6.0,
                    figures.median
                );
                y += BAR;
            }
            y += GAP;
        }
    }
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{y}' viewBox='0 0 {WIDTH} {y}'>\n\
         <style>text {{ font: 12px sans-serif }} .title {{ font-weight: bold }}</style>\n\
         <rect width='100%' height='100%' fill='white'/>\n{body}</svg>\n"
    )
}

fn colour(server: &str) -> &'static str {
    match server {
        "muster" => "#1b6ca8",
        "muster-3" => "#6aaed6",
        "floor" => "#999999",
        "ejabberd" => "#c0504d",
        _ => "#8064a2",
    }
}
