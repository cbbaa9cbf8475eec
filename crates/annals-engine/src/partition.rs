//! Timestamp -> partition: the time slice a sealed segment lies in.

use std::fmt;

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
        [Self::Hour, Self::Day, Self::Week, Self::Month].into_iter().find(|span| *span as u8 == number)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_their_time() {
        for span in [PartitionSpan::Hour, PartitionSpan::Day, PartitionSpan::Week, PartitionSpan::Month] {
            for time in [0, 1, HOUR_US - 1, HOUR_US, DAY_US - 1, DAY_US, 1_736_937_005_123_000] {
                let (start, end) = (span.start_us(time), span.end_us(time));
                assert!(start <= time && time < end, "{span} {time}");
                assert_eq!((span.start_us(start), span.start_us(end)), (start, end));
            }
            assert_eq!(PartitionSpan::from_number(span as u8), Some(span));
        }
        assert_eq!(PartitionSpan::Week.start_us(4 * DAY_US), 4 * DAY_US, "1970-01-05 was a Monday");
    }
}
