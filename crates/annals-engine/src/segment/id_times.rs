//! The times that ids carry, as what they deviate by from the times of their events.

use std::ops::Range;

use crate::error::{Error, Result};

use super::ahead::{Ahead, Wave};
use super::checked::CheckedFile;
use super::layout::{Footer, Section, SectionKind};
use super::packed::{self, FrameColumn};
use super::writer::SegmentWriter;

/// Rows that may have to be compared with an id that is found by its time; more, and there is a table.
const CANDIDATES_MAX: usize = 64;
const CANDIDATES_MAX_U32: u32 = 64;

/// What the time of an id counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Millis,
}

impl Unit {
    fn micros(self) -> i64 {
        match self {
            Unit::Seconds => 1_000_000,
            Unit::Millis => 1_000,
        }
    }

    /// A time in these units, rounded down. By constants, which is not a division at all.
    #[inline]
    fn of_micros(self, time_us: i64) -> i64 {
        match self {
            Unit::Seconds => time_us.div_euclid(1_000_000),
            Unit::Millis => time_us.div_euclid(1_000),
        }
    }

    /// Bits of a time.
    fn bits(self) -> u32 {
        match self {
            Unit::Seconds => 32,
            Unit::Millis => 48,
        }
    }
}

/// Writes the times of ids, one per row, and returns the least and the greatest deviation.
pub(super) fn write(
    writer: &mut SegmentWriter,
    unit: Unit,
    created_at_us: &[i64],
    times: &[i64],
) -> Result<(i64, i64)> {
    let pairs = created_at_us.iter().zip(times);
    let deviations: Vec<i64> = pairs.map(|(created, time)| time - unit.of_micros(*created)).collect();
    let mut section = Section::new(SectionKind::IdTimes, 0, 0);
    let bytes = packed::frame(&mut section, &deviations);
    writer.section(section, &bytes)?;
    let least = deviations.iter().copied().min().unwrap_or(0);
    Ok((least, deviations.iter().copied().max().unwrap_or(0)))
}

/// Whether, whatever the time of an id, few rows can have it.
pub(super) fn narrow(unit: Unit, created_at_us: &[i64], deviation: (i64, i64)) -> bool {
    let span = deviation.1.saturating_sub(deviation.0);
    let units = |created: i64| unit.of_micros(created);
    let behind = created_at_us.iter().skip(CANDIDATES_MAX);
    // No window of so many units holds more rows: the row that many further on lies beyond it.
    created_at_us.iter().zip(behind).all(|(first, beyond)| units(*beyond).saturating_sub(units(*first)) > span)
}

/// The times of ids, read.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeColumn {
    unit: Unit,
    rows: u32,
    deviations: FrameColumn,
    created_at: FrameColumn,
    /// The least and the greatest deviation.
    deviation: (i64, i64),
    /// The least and the greatest time of an event, in microseconds.
    bounds_us: (i64, i64),
}

impl TimeColumn {
    pub(super) fn new(footer: &Footer, ids: &Section, unit: Unit) -> Result<Self> {
        let rows = u64::from(footer.rows);
        if ids.slope > ids.scale {
            return Err(Error::corrupt("the least deviation of an id's time is above the greatest"));
        }
        Ok(Self {
            unit,
            rows: footer.rows,
            deviations: FrameColumn::new(footer.require(SectionKind::IdTimes, 0)?, rows)?,
            created_at: FrameColumn::new(footer.require(SectionKind::CreatedAt, 0)?, rows)?,
            deviation: (ids.slope, ids.scale),
            bounds_us: (footer.created_at_min_us, footer.created_at_max_us),
        })
    }

    /// Loads what [`TimeColumn::get`] reads beside the time of the event.
    #[inline]
    pub(super) fn touch(&self, ahead: &mut Ahead<'_>, row: u32, wave: Wave) {
        match wave {
            Wave::First => self.deviations.touch_directory(ahead, u64::from(row)),
            Wave::Second => self.deviations.touch(ahead, u64::from(row)),
        }
    }

    /// The time of the id of `row`.
    pub(super) fn get(&self, file: &CheckedFile, row: u32) -> Result<u64> {
        let created = self.created_at.get(file, u64::from(row))?;
        let deviation = self.deviations.get(file, u64::from(row))?;
        self.joined(file, created, deviation)
    }

    /// Turns the times of the events of `rows` into the times of their ids.
    pub(super) fn gather(&self, file: &CheckedFile, rows: &[u32], created: &[i64], out: &mut Vec<u64>) -> Result<()> {
        let mut deviations = Vec::with_capacity(rows.len());
        self.deviations.gather(file, rows, &mut deviations)?;
        for (created, deviation) in created.iter().zip(deviations) {
            out.push(self.joined(file, *created, deviation)?);
        }
        Ok(())
    }

    fn joined(&self, file: &CheckedFile, created: i64, deviation: i64) -> Result<u64> {
        let inside = (self.deviation.0..=self.deviation.1).contains(&deviation);
        let time = created.div_euclid(self.unit.micros()).checked_add(deviation).filter(|_| inside);
        let time = time.and_then(|time| u64::try_from(time).ok()).filter(|time| time >> self.unit.bits() == 0);
        time.ok_or_else(|| {
            file.contradicts(self.deviations.section(), &format!("has the time {deviation} beside {created}"))
        })
    }

    /// The times of events, half-open, whose ids may have this time.
    fn window_us(&self, time: u64) -> Range<i64> {
        let micros = self.unit.micros();
        let time = i64::try_from(time).unwrap_or(i64::MAX);
        // Beyond the bounds of i64 there is no event.
        let from = time.saturating_sub(self.deviation.1).saturating_mul(micros);
        from..time.saturating_sub(self.deviation.0).saturating_add(1).saturating_mul(micros)
    }

    /// The least and the greatest time that an id may have here: what [`TimeColumn::may_hold`] lets pass.
    pub(super) fn bounds(&self) -> (i64, i64) {
        let units = |us: i64| us.div_euclid(self.unit.micros());
        let (first, last) = (units(self.bounds_us.0), units(self.bounds_us.1));
        (first.saturating_add(self.deviation.0), last.saturating_add(self.deviation.1))
    }

    /// Whether an id of this time may be in the segment at all. Reads nothing.
    pub(super) fn may_hold(&self, time: u64) -> bool {
        let window = self.window_us(time);
        window.start <= self.bounds_us.1 && window.end > self.bounds_us.0
    }

    /// The rows whose ids may have this time; few.
    pub(super) fn candidates(&self, file: &CheckedFile, time: u64) -> Result<Range<u32>> {
        let window = self.window_us(time);
        let low = self.created_at.first_at_least(file, window.start, self.bounds_us)?;
        let mut end = low;
        while end < self.rows && self.created_at.get(file, u64::from(end))? < window.end {
            if end - low == CANDIDATES_MAX_U32 {
                return Err(file.contradicts(self.deviations.section(), "allows too many rows for one time"));
            }
            end += 1;
        }
        Ok(low..end)
    }
}
