//! Pictures as SVG: scales, a canvas to draw on, and plots with axes, lines, bars and marked stretches of time.

mod canvas;
mod plot;
mod scale;

pub use canvas::{Anchor, Canvas, stacked};
pub use plot::{Axis, Band, Mark, Plot};
pub use scale::Scale;

/// Colours that tell apart, in the order in which they are used.
pub const COLOURS: [&str; 8] =
    ["#1b6ca8", "#d9822b", "#3a8f4d", "#b03a5b", "#6b5ca5", "#8c6d3f", "#2a9d9d", "#7a7a7a"];
