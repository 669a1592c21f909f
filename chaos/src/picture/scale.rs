//! From values to places in a picture, and the values that deserve a tick.

/// How values become places.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    from: f64,
    to: f64,
    logarithmic: bool,
}

impl Scale {
    /// Values from `from` to `to`, evenly.
    #[must_use]
    pub fn linear(from: f64, to: f64) -> Self {
        let to = if to > from { to } else { from + 1.0 };
        Self { from, to, logarithmic: false }
    }

    /// Values from `from` to `to`, each factor of ten the same length. Both are above 0.
    #[must_use]
    pub fn logarithmic(from: f64, to: f64) -> Self {
        let from = from.max(f64::MIN_POSITIVE);
        Self { from, to: if to > from { to } else { from * 10.0 }, logarithmic: true }
    }

    /// The same with a rounded upper end, so that the highest value does not touch the edge.
    #[must_use]
    pub fn rounded(self) -> Self {
        if self.logarithmic {
            return Self { to: 10f64.powf(self.to.log10().ceil()), ..self };
        }
        let step = step(self.to - self.from);
        Self { to: self.from + ((self.to - self.from) / step).ceil() * step, ..self }
    }

    /// Where a value is: 0 at the lower end, 1 at the upper one. Values outside are put to the nearer end.
    #[must_use]
    pub fn place(&self, value: f64) -> f64 {
        let part = if self.logarithmic {
            (value.max(self.from) / self.from).ln() / (self.to / self.from).ln()
        } else {
            (value - self.from) / (self.to - self.from)
        };
        part.clamp(0.0, 1.0)
    }

    /// Round values within the scale, few enough to be read.
    #[must_use]
    pub fn ticks(&self) -> Vec<f64> {
        if self.logarithmic {
            let (first, last) = (self.from.log10().ceil() as i32, self.to.log10().floor() as i32);
            return (first..=last).map(|power| 10f64.powi(power)).collect();
        }
        let step = step(self.to - self.from);
        let (first, last) = ((self.from / step).ceil() as i64, (self.to / step + 1e-9).floor() as i64);
        (first..=last).map(|number| number as f64 * step).collect()
    }
}

/// 1, 2 or 5 times a power of ten, so that four to ten of them make up the span.
fn step(span: f64) -> f64 {
    let rough = (span / 8.0).max(f64::MIN_POSITIVE);
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| step * power >= rough);
    step.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        assert_eq!(Scale::linear(0.0, 60.0).ticks(), [0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0]);
        assert_eq!(Scale::linear(0.0, 1.0).ticks().len(), 6);
        assert_eq!(Scale::logarithmic(0.5, 2000.0).ticks(), [1.0, 10.0, 100.0, 1000.0]);
        assert_eq!(Scale::linear(0.0, 57.0).rounded(), Scale::linear(0.0, 60.0));
    }

    #[test]
    fn a_place_is_between_the_ends() {
        assert_eq!(Scale::linear(10.0, 20.0).place(15.0), 0.5);
        assert_eq!(Scale::linear(10.0, 20.0).place(99.0), 1.0);
        assert!((Scale::logarithmic(1.0, 100.0).place(10.0) - 0.5).abs() < 1e-9);
        assert_eq!(
            Scale::linear(3.0, 3.0).place(3.0),
            0.0,
            "an empty span is no reason to divide by nothing"
        );
    }
}
