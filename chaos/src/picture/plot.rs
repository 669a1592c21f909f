//! One plot: two axes, marked stretches of the horizontal one, and lines, areas or bars.

use super::{Anchor, Canvas, Scale};

const LEFT: f64 = 62.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 58.0;
const BOTTOM: f64 = 44.0;

/// An axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What it measures, with its unit.
    pub label: String,
    /// Its values.
    pub scale: Scale,
    /// How a value is written.
    pub format: fn(f64) -> String,
}

/// A stretch of the horizontal axis that is marked.
#[derive(Clone, Debug)]
pub struct Band {
    /// Its beginning.
    pub from: f64,
    /// Its end.
    pub to: f64,
    /// What it is.
    pub label: String,
    /// Its colour.
    pub colour: String,
}

/// How values are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A line through them.
    Line,
    /// A line, and what is below it filled.
    Area,
    /// A bar from each value to the next one.
    Bars,
}

struct Series {
    label: String,
    colour: String,
    mark: Mark,
    points: Vec<(f64, f64)>,
}

/// A plot.
pub struct Plot {
    title: String,
    x: Axis,
    y: Axis,
    size: (f64, f64),
    bands: Vec<Band>,
    series: Vec<Series>,
}

impl Axis {
    /// An axis whose values are written as they are.
    #[must_use]
    pub fn new(label: &str, scale: Scale) -> Self {
        Self { label: label.to_owned(), scale, format: |value| format!("{}", (value * 1e6).round() / 1e6) }
    }
}

impl Plot {
    /// An empty plot of this size in pixels.
    #[must_use]
    pub fn new(title: &str, x: Axis, y: Axis, size: (f64, f64)) -> Self {
        Self { title: title.to_owned(), x, y, size, bands: Vec::new(), series: Vec::new() }
    }

    /// Marks a stretch.
    pub fn band(&mut self, band: Band) {
        self.bands.push(band);
    }

    /// Adds values; an empty label stays out of the legend.
    pub fn add(&mut self, label: &str, colour: &str, mark: Mark, points: Vec<(f64, f64)>) {
        let (label, colour) = (label.to_owned(), colour.to_owned());
        self.series.push(Series { label, colour, mark, points });
    }

    /// Draws it all.
    #[must_use]
    pub fn draw(&self) -> Canvas {
        let mut canvas = Canvas::new(self.size.0, self.size.1);
        canvas.text(LEFT, 20.0, Anchor::Start, "title", &self.title);
        self.draw_bands(&mut canvas);
        self.draw_axes(&mut canvas);
        for series in &self.series {
            self.draw_series(&mut canvas, series);
        }
        self.draw_legend(&mut canvas);
        canvas
    }

    fn bottom(&self) -> f64 {
        self.size.1 - BOTTOM
    }

    fn x(&self, value: f64) -> f64 {
        LEFT + self.x.scale.place(value) * (self.size.0 - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        self.bottom() - self.y.scale.place(value) * (self.bottom() - TOP)
    }

    fn draw_bands(&self, canvas: &mut Canvas) {
        let mut free_from = LEFT;
        for band in &self.bands {
            let (from, to) = (self.x(band.from), self.x(band.to));
            let (corner, size) = ((from, TOP), ((to - from).max(1.5), self.bottom() - TOP));
            canvas.rectangle(corner, size, &format!("{}33", band.colour), &band.label);
            // Labels that would lie over each other are left to those who point at the band.
            if from >= free_from {
                canvas.text(from + 2.0, TOP - 4.0, Anchor::Start, "small", &band.label);
                free_from = from + 8.0 + 5.6 * band.label.chars().count() as f64;
            }
        }
    }

    fn draw_axes(&self, canvas: &mut Canvas) {
        for tick in self.y.scale.ticks() {
            let y = self.y(tick);
            canvas.grid((LEFT, y), (self.size.0 - RIGHT, y));
            canvas.text(LEFT - 6.0, y + 4.0, Anchor::End, "small", &(self.y.format)(tick));
        }
        for tick in self.x.scale.ticks() {
            let x = self.x(tick);
            canvas.grid((x, self.bottom()), (x, self.bottom() + 4.0));
            canvas.text(x, self.bottom() + 16.0, Anchor::Middle, "small", &(self.x.format)(tick));
        }
        canvas.grid((LEFT, self.bottom()), (self.size.0 - RIGHT, self.bottom()));
        canvas.text(
            (LEFT + self.size.0 - RIGHT) / 2.0,
            self.size.1 - 10.0,
            Anchor::Middle,
            "",
            &self.x.label,
        );
        canvas.text(LEFT, 36.0, Anchor::Start, "small", &self.y.label);
    }

    fn draw_series(&self, canvas: &mut Canvas, series: &Series) {
        let points: Vec<_> = series.points.iter().map(|(x, y)| (self.x(*x), self.y(*y))).collect();
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
        match series.mark {
            Mark::Line => canvas.line(&points, &series.colour),
            Mark::Area => {
                let mut shape = points.clone();
                shape.extend([(last.0, self.bottom()), (first.0, self.bottom())]);
                canvas.area(&shape, &series.colour);
                canvas.line(&points, &series.colour);
            }
            Mark::Bars => {
                for (pair, (_, value)) in points.windows(2).zip(&series.points) {
                    let size = (pair[1].0 - pair[0].0 - 1.0, self.bottom() - pair[0].1);
                    canvas.rectangle(pair[0], size, &series.colour, &(self.y.format)(*value));
                }
            }
        }
    }

    fn draw_legend(&self, canvas: &mut Canvas) {
        let mut x = self.size.0 - RIGHT;
        for series in self.series.iter().rev().filter(|series| !series.label.is_empty()) {
            canvas.text(x, 20.0, Anchor::End, "", &series.label);
            x -= 6.6 * series.label.chars().count() as f64 + 14.0;
            canvas.rectangle((x, 11.0), (10.0, 10.0), &series.colour, &series.label);
            x -= 14.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_shows_its_values_its_bands_and_its_legend() {
        let axis = |label: &str| Axis::new(label, Scale::linear(0.0, 10.0));
        let mut plot = Plot::new("Availability", axis("seconds"), axis("percent"), (400.0, 200.0));
        plot.band(Band { from: 2.0, to: 4.0, label: "crash".into(), colour: "#c0504d".into() });
        plot.add("served", "#1b6ca8", Mark::Area, vec![(0.0, 10.0), (3.0, 5.0), (10.0, 10.0)]);
        plot.add("", "#d9822b", Mark::Bars, vec![(0.0, 1.0), (1.0, 2.0), (2.0, 0.0)]);
        let picture = plot.draw().finish();
        for part in ["Availability", "crash", "served", "<polyline", "<polygon", "seconds", "percent"] {
            assert!(picture.contains(part), "{part} is missing");
        }
        assert_eq!(picture.matches("fill='#d9822b'").count(), 2, "a bar ends where the next value begins");
    }
}
