//! A sheet of SVG. Text and lines are dark on light, or light on dark where the reader's system says so.

use std::fmt::Write as _;

/// Which point of a text is at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// Its beginning.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
}

/// A sheet that is drawn on.
#[derive(Clone, Debug)]
pub struct Canvas {
    width: f64,
    height: f64,
    body: String,
}

const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#333}.title{font-weight:600;font-size:15px}\
    .small{font-size:10px}.grid{stroke:#8884;stroke-width:1}.sheet{fill:#fff}\
    @media(prefers-color-scheme:dark){text{fill:#ddd}.sheet{fill:#16181d}}";

impl Canvas {
    /// An empty sheet.
    #[must_use]
    pub fn new(width: f64, height: f64) -> Self {
        Self { width, height, body: String::new() }
    }

    /// Writes a text; `class` is empty, `title` or `small`.
    pub fn text(&mut self, x: f64, y: f64, anchor: Anchor, class: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escaped(text);
        self.add(format_args!(
            "<text x='{x:.1}' y='{y:.1}' text-anchor='{anchor}' class='{class}'>{text}</text>"
        ));
    }

    /// Fills a rectangle; what it means is shown by those who point at it.
    pub fn rectangle(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), fill: &str, meaning: &str) {
        let (width, height, meaning) = (width.max(0.0), height.max(0.0), escaped(meaning));
        self.add(format_args!(
            "<rect x='{x:.1}' y='{y:.1}' width='{width:.1}' height='{height:.1}' fill='{fill}'><title>{meaning}</title></rect>"
        ));
    }

    /// Draws a faint line.
    pub fn grid(&mut self, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.add(format_args!("<line class='grid' x1='{x1:.1}' y1='{y1:.1}' x2='{x2:.1}' y2='{y2:.1}'/>"));
    }

    /// Draws a line through points.
    pub fn line(&mut self, points: &[(f64, f64)], stroke: &str) {
        let points = joined(points);
        self.add(format_args!(
            "<polyline points='{points}' fill='none' stroke='{stroke}' stroke-width='1.5' stroke-linejoin='round'/>"
        ));
    }

    /// Fills what lies within points.
    pub fn area(&mut self, points: &[(f64, f64)], fill: &str) {
        let points = joined(points);
        self.add(format_args!("<polygon points='{points}' fill='{fill}' fill-opacity='0.25'/>"));
    }

    /// The whole as a file.
    #[must_use]
    pub fn finish(&self) -> String {
        stacked(std::slice::from_ref(self))
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        writeln!(self.body, "{element}").expect("memory takes what is written");
    }
}

/// Sheets below each other, as one file.
#[must_use]
pub fn stacked(sheets: &[Canvas]) -> String {
    let width = sheets.iter().map(|sheet| sheet.width).fold(0.0, f64::max);
    let height: f64 = sheets.iter().map(|sheet| sheet.height).sum();
    let (mut body, mut y) = (String::new(), 0.0);
    for sheet in sheets {
        let _ = writeln!(body, "<g transform='translate(0 {y:.1})'>\n{}</g>", sheet.body);
        y += sheet.height;
    }
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' viewBox='0 0 {width} {height}'>\n\
         <style>{STYLE}</style>\n<rect class='sheet' width='100%' height='100%'/>\n{body}</svg>\n"
    )
}

fn joined(points: &[(f64, f64)]) -> String {
    points.iter().map(|(x, y)| format!("{x:.1},{y:.1} ")).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_cannot_break_the_file() {
        let mut canvas = Canvas::new(10.0, 10.0);
        canvas.text(1.0, 2.0, Anchor::Start, "", "a<b & c");
        assert!(canvas.finish().contains(">a&lt;b &amp; c</text>"));
    }
}
