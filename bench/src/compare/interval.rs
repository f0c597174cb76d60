//! What the rounds of a row come to, and where a second run must fall.

use serde::{Deserialize, Serialize};

/// What several rounds of one thing came to.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Spread {
    /// The least.
    pub least: f64,
    /// As many are below as above; of an even number the upper of the two in the middle.
    pub median: f64,
    /// The most.
    pub most: f64,
}

impl Spread {
    /// Of as many as there are; nothing of none.
    #[must_use]
    pub fn of(mut rounds: Vec<f64>) -> Option<Self> {
        rounds.sort_unstable_by(f64::total_cmp);
        Some(Self {
            least: *rounds.first()?,
            median: rounds[rounds.len() / 2],
            most: *rounds.last()?,
        })
    }
}

/// Where the median of another run of the same on the same machine is expected.
///
/// Least and most of the rounds, each moved outwards by as much as they are apart, and at least by a tenth of the median: few
/// rounds in a few minutes see less of a machine's moods than there is.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Interval {
    /// The least that is expected.
    pub low: f64,
    /// The most.
    pub high: f64,
}

impl Interval {
    /// Of the rounds of one run.
    #[must_use]
    pub fn around(rounds: Spread) -> Self {
        let apart = rounds.most - rounds.least;
        let margin = apart.max(MARGIN_LEAST * rounds.median.abs());
        Self {
            low: rounds.least - margin,
            high: rounds.most + margin,
        }
    }

    /// Whether a second run agrees.
    #[must_use]
    pub fn holds(self, median: f64) -> bool {
        (self.low..=self.high).contains(&median)
    }
}

/// Of the median: what two quiet runs of the same differ by here.
const MARGIN_LEAST: f64 = 0.1;

#[cfg(test)]
mod tests {
    use super::*;

    fn around(rounds: &[f64]) -> Interval {
        Interval::around(Spread::of(rounds.to_vec()).unwrap())
    }

    #[test]
    fn rounds_alike_leave_a_tenth_of_the_median_on_both_sides() {
        let interval = around(&[2.0, 2.0, 2.0]);
        assert_eq!((interval.low, interval.high), (1.8, 2.2));
    }

    #[test]
    fn rounds_apart_move_both_ends_by_as_much_as_they_are_apart() {
        let interval = around(&[1.0, 3.0, 2.0]);
        assert_eq!((interval.low, interval.high), (-1.0, 5.0));
    }

    #[test]
    fn a_median_at_the_end_is_inside_and_one_beyond_is_not() {
        let interval = around(&[1.0, 1.25, 1.5]);
        assert!(interval.holds(0.5) && interval.holds(2.0));
        assert!(!interval.holds(0.49) && !interval.holds(2.01));
        assert!(!interval.holds(f64::NAN));
    }
}
