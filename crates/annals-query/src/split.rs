//! A histogram split by the values of a field.

use std::collections::HashMap;
use std::ops::Range;

use annals_engine::{Field, RowSet};

use crate::error::Result;
use crate::plan::{Expired, check_allowed};
use crate::stats::{Selected, bucket_of, count_field, each_bucket};

/// The most values that a histogram is split by, inclusive: more colours than these nobody tells apart.
pub const SPLIT_VALUES_MAX: usize = 10;

/// The buckets of a histogram, split by the values of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// The values that most of the events in the whole histogram hold, those first, then in byte order; at most
    /// [`SPLIT_VALUES_MAX`].
    pub values: Vec<String>,
    /// For each bucket of the histogram how many events hold each of the values, in the same order, and how many times
    /// others are held. An event with several values counts for each, one without any for none.
    pub buckets: Vec<(Vec<u64>, u64)>,
}

/// Splits the buckets of `histogram`, which is that of the selected rows. Costs O(rows): each is looked at once for the
/// values and once for its bucket, however many values or buckets there are.
pub(crate) fn split(
    selected: &Selected<'_>,
    field: Field,
    histogram: &[(i64, u64)],
    interval_us: i64,
    expired: Expired<'_>,
) -> Result<Split> {
    let counts = count_field(selected, field, Some(SPLIT_VALUES_MAX), expired)?;
    let values: Vec<String> = counts.into_iter().map(|(value, _)| value).collect();
    let places: HashMap<&str, usize> =
        values.iter().enumerate().map(|(place, value)| (value.as_str(), place)).collect();
    let mut buckets = vec![(vec![0; values.len()], 0); histogram.len()];
    for (part, rows) in selected {
        each_bucket(*part, rows, &|at_us| bucket_of(interval_us, at_us), &mut |start_us, ranks| {
            check_allowed(expired)?;
            let at = histogram.partition_point(|(held_us, _)| *held_us < start_us);
            let Some((known, other)) = buckets.get_mut(at) else { return Ok(()) };
            part.count_by(field, &at_ranks(rows, &ranks), &mut |value, count| match places
                .get(value)
                .and_then(|place| known.get_mut(*place))
            {
                Some(held) => *held += u64::from(count),
                None => *other += u64::from(count),
            })?;
            Ok(())
        })?;
    }
    drop(places);
    Ok(Split { values, buckets })
}

/// The rows with so many rows below them. All of them stay as they are: a part knows the counts of everything it has.
fn at_ranks(rows: &RowSet, ranks: &Range<u32>) -> RowSet {
    match rows {
        _ if *ranks == (0..rows.len()) => rows.clone(),
        RowSet::Range(range) => RowSet::from_range(range.start + ranks.start..range.start + ranks.end),
        rows => RowSet::from_sorted(rows.iter_ranks(ranks.clone()).collect()),
    }
}
