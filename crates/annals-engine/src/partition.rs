//! Timestamp -> partition: the time slice a sealed segment lies in, and how rows are cut into them.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// How long a partition is. All are cut in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PartitionSpan {
    /// 60 minutes.
    Hour = 1,
    /// One UTC day.
    Day = 2,
    /// Seven days from Monday.
    Week = 3,
    /// Thirty days from 1970-01-01 (not a calendar month: bounds are plain arithmetic).
    Month = 4,
}

const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;
/// 1970-01-01 was a Thursday: weeks start three days before it.
const MONDAY_OFFSET_US: i64 = 3 * DAY_US;

impl PartitionSpan {
    /// The span of that number, if there is one.
    pub fn from_number(number: u8) -> Option<Self> {
        SPANS.into_iter().find(|span| *span as u8 == number)
    }

    fn length_and_shift(self) -> (i64, i64) {
        match self {
            Self::Hour => (HOUR_US, 0),
            Self::Day => (DAY_US, 0),
            Self::Week => (7 * DAY_US, MONDAY_OFFSET_US),
            Self::Month => (30 * DAY_US, 0),
        }
    }

    /// The first microsecond of the partition that holds `created_at_us`.
    pub fn start_us(self, created_at_us: i64) -> i64 {
        let (length, shift) = self.length_and_shift();
        (created_at_us + shift).div_euclid(length) * length - shift
    }

    /// The first microsecond behind that partition.
    pub fn end_us(self, created_at_us: i64) -> i64 {
        self.start_us(created_at_us) + self.length_and_shift().0
    }
}

impl fmt::Display for PartitionSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        })
    }
}

/// Which partitions the rows of a log are cut into when it is sealed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Partitioning {
    /// The smallest span whose partitions are full enough: where the average row of a log shares its
    /// partition with at least 100,000 rows of that log; a month where no span does. What a log holds of
    /// a partition in fewer than 1,024 rows goes to a wider one.
    #[default]
    ByVolume,
    /// Always this span.
    Fixed(PartitionSpan),
}

impl fmt::Display for Partitioning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByVolume => f.write_str("volume"),
            Self::Fixed(span) => span.fmt(f),
        }
    }
}

impl FromStr for Partitioning {
    type Err = Error;

    /// `volume`, or a span: `hour`, `day`, `week`, `month`.
    fn from_str(text: &str) -> Result<Self> {
        let choices = SPANS.into_iter().map(Self::Fixed).chain([Self::ByVolume]);
        choices.into_iter().find(|choice| choice.to_string() == text).ok_or_else(|| {
            Error::invalid_input(format!("partition is {text:?}, it must be volume, hour, day, week or month"))
        })
    }
}

/// From the finest to the widest.
const SPANS: [PartitionSpan; 4] = [PartitionSpan::Hour, PartitionSpan::Day, PartitionSpan::Week, PartitionSpan::Month];
/// Below this, what every segment has of its own (dictionaries first) outweighs its rows, and queries pay
/// for the number of segments.
const PARTITION_ROWS_MIN: usize = 100_000;
/// Fewer rows than this in one partition are stragglers: a log whose late events lie scattered over a year
/// must not become a year of segments.
const OWN_ROWS_MIN: usize = 1 << 10;

/// One partition's share of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) span: PartitionSpan,
    /// The first microsecond of the partition.
    pub(crate) start_us: i64,
    /// `created_at` and row, ascending.
    pub(crate) rows: Vec<(i64, u32)>,
}

/// Cuts rows, ascending by `created_at`, into partitions. Depends on the rows alone, so that whoever seals
/// the same rows makes the same segments.
pub(crate) fn cut(rows: &[(i64, u32)], partitioning: Partitioning) -> Vec<Slice> {
    debug_assert!(rows.is_sorted_by_key(|(created_at_us, _)| *created_at_us), "rows ascend by time");
    let slice = |span: PartitionSpan, run: &[(i64, u32)]| {
        run.first().map(|first| Slice { span, start_us: span.start_us(first.0), rows: run.to_vec() })
    };
    let span = match partitioning {
        Partitioning::Fixed(span) => return runs(rows, span).filter_map(|run| slice(span, run)).collect(),
        Partitioning::ByVolume => span_by_volume(rows),
    };
    let mut slices = Vec::new();
    let mut rest: Vec<(i64, u32)> = Vec::new();
    let mut left = rows;
    for span in SPANS.into_iter().skip_while(|narrower| *narrower != span) {
        let mut stragglers = Vec::new();
        for run in runs(left, span) {
            if run.len() < OWN_ROWS_MIN && span != PartitionSpan::Month {
                stragglers.extend_from_slice(run);
            } else {
                slices.extend(slice(span, run));
            }
        }
        rest = stragglers;
        left = &rest;
    }
    debug_assert!(rest.is_empty(), "a month takes every row");
    slices.sort_by_key(|slice| (slice.start_us, slice.span as u8));
    slices
}

/// The smallest span in whose partitions the average row has company enough.
fn span_by_volume(rows: &[(i64, u32)]) -> PartitionSpan {
    let full_enough = |span: &PartitionSpan| {
        // Weighed by rows: a few stragglers, or a log that ends in the middle of a day, change little.
        let squares: u128 = runs(rows, *span).map(|run| square(run.len())).sum();
        squares >= u128::try_from(rows.len().saturating_mul(PARTITION_ROWS_MIN)).unwrap_or(u128::MAX)
    };
    SPANS.into_iter().find(full_enough).unwrap_or(PartitionSpan::Month)
}

fn square(count: usize) -> u128 {
    u128::try_from(count).map_or(u128::MAX, |count| count.saturating_mul(count))
}

/// The rows of each partition in turn. Costs O(partitions) searches, however many rows they have.
fn runs(rows: &[(i64, u32)], span: PartitionSpan) -> impl Iterator<Item = &[(i64, u32)]> {
    let mut left = rows;
    std::iter::from_fn(move || {
        let end_us = span.end_us(left.first()?.0);
        let (run, behind) = left.split_at(left.partition_point(|(created_at_us, _)| *created_at_us < end_us));
        left = behind;
        Some(run)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_their_time() {
        for span in SPANS {
            for time in [0, 1, HOUR_US - 1, HOUR_US, DAY_US - 1, DAY_US, 1_736_937_005_123_000] {
                let (start, end) = (span.start_us(time), span.end_us(time));
                assert!(start <= time && time < end, "{span} {time}");
                assert_eq!((span.start_us(start), span.start_us(end)), (start, end));
            }
            assert_eq!(PartitionSpan::from_number(span as u8), Some(span));
        }
        assert_eq!(PartitionSpan::Week.start_us(4 * DAY_US), 4 * DAY_US, "1970-01-05 was a Monday");
    }

    fn spread(days: i64, per_day: i64) -> Vec<(i64, u32)> {
        let count = days * per_day;
        (0..count).zip(0..).map(|(index, row)| (1_735_689_600_000_000 + index * (days * DAY_US / count), row)).collect()
    }

    fn spans(slices: &[Slice]) -> Vec<PartitionSpan> {
        let mut spans: Vec<PartitionSpan> = slices.iter().map(|slice| slice.span).collect();
        spans.dedup();
        spans
    }

    #[test]
    fn volume_decides_the_span() {
        for (days, per_day, span) in [
            (1, 24 * 140_000, PartitionSpan::Hour),
            (4, 222_000, PartitionSpan::Day),
            (45, 22_222, PartitionSpan::Week),
            (14, 22_222, PartitionSpan::Week),
            (90, 5_000, PartitionSpan::Month),
            (1, 40, PartitionSpan::Month),
        ] {
            let slices = cut(&spread(days, per_day), Partitioning::ByVolume);
            assert_eq!(spans(&slices), [span], "{days} days of {per_day}");
            let whole: usize = slices.iter().map(|slice| slice.rows.len()).sum();
            assert_eq!(i64::try_from(whole).unwrap(), days * per_day);
        }
        assert_eq!(cut(&[], Partitioning::ByVolume), []);
    }

    #[test]
    fn stragglers_go_to_a_wider_partition() {
        let day = PartitionSpan::Day.start_us(1_736_937_005_123_000);
        let mut rows: Vec<(i64, u32)> = (0..200_000).map(|row| (day + i64::from(row) * 200_000, row)).collect();
        // One late event a day for the 80 days before, 2,000 in one hour of one of them.
        rows.extend((1..=80).map(|ago| (day - ago * DAY_US, 300_000)));
        rows.extend((0..2_000).map(|row| (day - 40 * DAY_US + i64::from(row), 400_000 + row)));
        rows.sort_unstable();
        let slices = cut(&rows, Partitioning::ByVolume);
        let found: Vec<(PartitionSpan, usize)> = slices.iter().map(|slice| (slice.span, slice.rows.len())).collect();
        let own = |span| found.iter().filter(|(of, _)| *of == span).map(|(_, rows)| *rows).collect::<Vec<_>>();
        assert_eq!(own(PartitionSpan::Day), [2_001, 200_000]);
        assert_eq!(own(PartitionSpan::Month).iter().sum::<usize>(), 79);
        assert!(own(PartitionSpan::Month).len() <= 4, "{found:?}");
        for slice in &slices {
            assert!(slice.rows.is_sorted());
            assert!(slice.rows.iter().all(|(time, _)| slice.span.start_us(*time) == slice.start_us));
        }
    }

    #[test]
    fn a_partitioning_has_a_name() {
        assert_eq!(Partitioning::default().to_string(), "volume");
        for name in ["volume", "hour", "day", "week", "month"] {
            assert_eq!(name.parse::<Partitioning>().unwrap().to_string(), name);
        }
        assert_eq!("year".parse::<Partitioning>().unwrap_err().kind(), crate::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_fixed_span_is_kept() {
        let rows = spread(3, 10);
        let slices = cut(&rows, Partitioning::Fixed(PartitionSpan::Day));
        assert_eq!(spans(&slices), [PartitionSpan::Day]);
        assert_eq!(slices.iter().map(|slice| slice.rows.len()).collect::<Vec<_>>(), [10; 3]);
    }
}
