//! Times of repeated runs.

use serde::{Serialize, Serializer};

/// Milliseconds of each run, ascending.
#[derive(Clone, Debug, Default)]
pub struct Timings(Vec<f64>);

impl Timings {
    /// Of these runs, in any order.
    pub fn new(mut milliseconds: Vec<f64>) -> Self {
        milliseconds.sort_by(f64::total_cmp);
        Self(milliseconds)
    }

    /// How many runs there were.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The time that so many of a hundred runs did not exceed: the nearest rank, so that of 25 runs the
    /// 99th percentile is the slowest. 0 without a run.
    pub fn percentile(&self, part: usize) -> f64 {
        let rank = (self.0.len() * part).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or(0.0)
    }

    /// The median.
    pub fn median(&self) -> f64 {
        self.percentile(50)
    }
}

impl Serialize for Timings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut fields = serializer.serialize_struct("Timings", 3)?;
        fields.serialize_field("runs", &self.0.len())?;
        fields.serialize_field("median_ms", &self.median())?;
        fields.serialize_field("p99_ms", &self.percentile(99))?;
        fields.end()
    }
}

/// One number as a part of another; 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "what is counted here is far below 2^53")]
pub fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// A quantity for each of `count`; 0 for none.
#[expect(clippy::cast_precision_loss, reason = "what is counted here is far below 2^53")]
pub fn per(quantity: f64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { quantity / count as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let timings = Timings::new((1..=25).rev().map(f64::from).collect());
        let shown = |times: &[f64]| format!("{times:?}");
        assert_eq!(shown(&[timings.median(), timings.percentile(99), timings.percentile(4)]), "[13.0, 25.0, 1.0]");
        let many = Timings::new((1..=1000).map(f64::from).collect());
        assert_eq!(shown(&[many.median(), many.percentile(99)]), "[500.0, 990.0]");
        assert_eq!(shown(&[Timings::default().median()]), "[0.0]");
    }
}
