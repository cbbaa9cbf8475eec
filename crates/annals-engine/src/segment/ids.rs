//! Ids given by clients: columns of them, and how one is found.
//!
//! A segment whose ids were all made by the store holds none: such an id tells its row's key. Ids that carry a time
//! close to that of their events are kept without it, and found by it where few rows share a time; the others are
//! found by a table from id to row.

use crate::codec::{len_u32, len_u64, row_usize};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{CarriedTimes, EventId};

use super::ahead::{Ahead, Wave};
use super::checked::CheckedFile;
use super::id_nodes::Nodes;
use super::id_times::{self, TimeColumn, Unit};
use super::layout::{Footer, Section, SectionKind};
use super::packed::{self, FrameColumn, PackedColumn};
use super::writer::SegmentWriter;

/// Rows of a bucket on average, at most: candidates are compared with the column one by one.
const ROWS_PER_BUCKET: u32 = 4;
const NODE_SIZE: usize = 5;
const NODE_BITS: u32 = 40;
const COUNTER_BITS: u32 = 24;
const COUNTER_MASK: u128 = (1 << COUNTER_BITS) - 1;
const NODE_MASK: u128 = (1 << NODE_BITS) - 1;
/// Bits of a UUIDv7 behind its time.
const UUID_REST_BITS: u32 = 80;

/// How ids are kept. The number is the `width` of the section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Form {
    /// 16 bytes each.
    Whole = 0,
    /// 24 hex digits, 12 bytes each.
    Hex24 = 1,
    /// 24 hex digits: seconds, five bytes of a node, three of a counter, each a column.
    Object = 2,
    /// UUIDs of version 7: milliseconds a column, 10 bytes each of the rest.
    TimeUuid = 3,
}

impl Form {
    fn size(self) -> usize {
        match self {
            Form::Whole => 16,
            Form::Hex24 => 12,
            Form::Object => NODE_SIZE,
            Form::TimeUuid => 10,
        }
    }
}

/// The number of a bucket has this many bits.
fn bucket_bits(rows: u32) -> u32 {
    rows.div_ceil(ROWS_PER_BUCKET).next_power_of_two().trailing_zeros()
}

/// The bucket of an id. Part of the format; seeded with the store, so that nobody outside can
/// prepare ids that all fall into one bucket.
fn bucket(id: EventId, store: u128, bits: u32) -> u32 {
    let mixed = id.as_u128() ^ store;
    let fold = |value: u64| {
        let value = (value ^ (value >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let value = (value ^ (value >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        value ^ (value >> 32)
    };
    let half = |shift: u32| u64::try_from((mixed >> shift) & u128::from(u64::MAX)).unwrap_or_default();
    let seed = u64::try_from(store >> 64).unwrap_or_default();
    let hash = fold(half(0).wrapping_add(fold(half(64) ^ seed.rotate_left(17))));
    u32::try_from(hash & ((1 << bits) - 1)).unwrap_or_default()
}

/// Writes the ids and how they are found. Rows ascend by `created_at_us`.
pub(crate) fn write(writer: &mut SegmentWriter, store: u128, created_at_us: &[i64], ids: &[EventId]) -> Result<()> {
    let found_by_time = if let Some(objects) = Objects::of(ids) {
        objects.write(writer, created_at_us)?
    } else if ids.iter().all(|id| id.hex24_bits().is_some()) {
        write_bytes(writer, Form::Hex24, (0, 1), ids.iter().map(|id| hex24(*id)))?;
        false
    } else if let Some(millis) = ids.iter().map(|id| id.version_7_millis()).collect::<Option<Vec<i64>>>() {
        let deviation = id_times::write(writer, Unit::Millis, created_at_us, &millis)?;
        write_bytes(writer, Form::TimeUuid, deviation, ids.iter().map(|id| id.as_u128()))?;
        id_times::narrow(Unit::Millis, created_at_us, deviation)
    } else {
        write_bytes(writer, Form::Whole, (0, 1), ids.iter().map(|id| id.as_u128()))?;
        false
    };
    if found_by_time { Ok(()) } else { write_table(writer, store, ids) }
}

/// The 96 bits of an id of which it is known that it was given as 24 hex digits.
fn hex24(id: EventId) -> u128 {
    id.hex24_bits().unwrap_or_default()
}

/// Writes the low bytes of `values`; `deviation` stands in the section's `slope` and `scale`.
fn write_bytes(
    writer: &mut SegmentWriter,
    form: Form,
    deviation: (i64, i64),
    values: impl ExactSizeIterator<Item = u128>,
) -> Result<()> {
    let mut section = Section::new(SectionKind::Ids, 0, len_u64(values.len()));
    section.width = form as u8;
    (section.slope, section.scale) = deviation;
    let mut bytes = Vec::with_capacity(values.len() * form.size());
    for value in values {
        bytes.extend_from_slice(value.to_le_bytes().get(..form.size()).unwrap_or_default());
    }
    writer.section(section, &bytes)
}

/// Ids of 24 hex digits as three columns.
struct Objects {
    seconds: Vec<i64>,
    /// Distinct, ascending.
    nodes: Vec<u64>,
    node_codes: Vec<u32>,
    counters: Vec<i64>,
}

impl Objects {
    /// The columns, if all ids were given as hex digits and there are few nodes.
    fn of(ids: &[EventId]) -> Option<Self> {
        let mut found = Nodes::new();
        let mut node_codes = Vec::with_capacity(ids.len());
        let mut seconds = Vec::with_capacity(ids.len());
        let mut counters = Vec::with_capacity(ids.len());
        let part = |bits: u128| i64::try_from(bits).unwrap_or_default();
        for id in ids {
            let bits = id.hex24_bits()?;
            node_codes.push(found.code(u64::try_from((bits >> COUNTER_BITS) & NODE_MASK).unwrap_or_default())?);
            seconds.push(part(bits >> (NODE_BITS + COUNTER_BITS)));
            counters.push(part(bits & COUNTER_MASK));
        }
        let nodes = found.sort(&mut node_codes);
        Some(Self { seconds, nodes, node_codes, counters })
    }

    /// Writes them; returns whether an id is found by its time.
    fn write(self, writer: &mut SegmentWriter, created_at_us: &[i64]) -> Result<bool> {
        let deviation = id_times::write(writer, Unit::Seconds, created_at_us, &self.seconds)?;
        write_bytes(writer, Form::Object, deviation, self.nodes.iter().map(|node| u128::from(*node)))?;
        let mut section = Section::new(SectionKind::IdNodes, 0, 0);
        let bytes = packed::pack(&mut section, &self.node_codes);
        writer.section(section, &bytes)?;
        let mut section = Section::new(SectionKind::IdCounters, 0, 0);
        let bytes = packed::frame(&mut section, &self.counters);
        writer.section(section, &bytes)?;
        Ok(id_times::narrow(Unit::Seconds, created_at_us, deviation))
    }
}

/// Writes the table from id to rows.
fn write_table(writer: &mut SegmentWriter, store: u128, ids: &[EventId]) -> Result<()> {
    let bits = bucket_bits(len_u32(ids.len()));
    let numbers: Vec<u32> = ids.iter().map(|id| bucket(*id, store, bits)).collect();
    // A counting sort: rows of one bucket keep their order. One slot in front: while filling, `next[number + 1]`
    // is where the next row of the bucket goes, and ends up as where the bucket behind it starts.
    let mut next = vec![0_u32; (1 << bits) + 2];
    for number in &numbers {
        if let Some(count) = next.get_mut(row_usize(*number) + 2) {
            *count += 1;
        }
    }
    let mut total = 0;
    for slot in &mut next {
        total += *slot;
        *slot = total;
    }
    let mut placed = vec![0; ids.len()];
    for (row, number) in (0..).zip(&numbers) {
        if let Some(at) = next.get_mut(row_usize(*number) + 1) {
            if let Some(slot) = placed.get_mut(row_usize(*at)) {
                *slot = row;
            }
            *at += 1;
        }
    }
    next.truncate((1 << bits) + 1);
    let bounds: Vec<i64> = next.into_iter().map(i64::from).collect();
    let mut section = Section::new(SectionKind::IdBuckets, 0, 0);
    let bytes = packed::frame(&mut section, &bounds);
    writer.section(section, &bytes)?;
    let mut section = Section::new(SectionKind::IdRows, 0, 0);
    let bytes = packed::pack(&mut section, &placed);
    writer.section(section, &bytes)
}

/// Where the buckets lie and what is in them.
#[derive(Clone, Copy, Debug)]
struct Table {
    buckets: FrameColumn,
    row_numbers: PackedColumn,
}

/// What is kept beside the bytes.
#[derive(Clone, Copy, Debug)]
enum Columns {
    None,
    Object { times: TimeColumn, nodes: PackedColumn, counters: FrameColumn },
    TimeUuid { times: TimeColumn },
}

/// Which ids a segment may hold, told without touching it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum IdWindow {
    /// Any.
    Any,
    /// Ids made by the store for events of these times, both inclusive.
    Made(i64, i64),
    /// 24 hex digits with seconds between these, both inclusive.
    Object(i64, i64),
    /// UUIDs of version 7 with milliseconds between these.
    TimeUuid(i64, i64),
}

impl IdWindow {
    /// Whether an id that carries these times may be there.
    pub(crate) fn may_hold(&self, carried: &CarriedTimes) -> bool {
        let (time, first, last) = match self {
            IdWindow::Any => return true,
            IdWindow::Made(first, last) => (carried.made_us, first, last),
            IdWindow::Object(first, last) => (carried.seconds, first, last),
            IdWindow::TimeUuid(first, last) => (carried.millis, first, last),
        };
        time.is_some_and(|time| (*first..=*last).contains(&time))
    }
}

/// The ids of a segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IdTable {
    rows: u32,
    store: u128,
    ids: Section,
    form: Form,
    columns: Columns,
    /// None: an id is found by its time.
    table: Option<Table>,
}

impl IdTable {
    /// The table a footer tells of; `None` if all ids were made by the store.
    pub(crate) fn new(footer: &Footer, store: u128) -> Result<Option<Self>> {
        if footer.ids_made {
            return Ok(None);
        }
        let rows = u64::from(footer.rows);
        let ids = footer.require(SectionKind::Ids, 0)?;
        let (form, columns) = match ids.width {
            0 => (Form::Whole, Columns::None),
            1 => (Form::Hex24, Columns::None),
            2 => {
                let nodes = PackedColumn::new(footer.require(SectionKind::IdNodes, 0)?, rows)?;
                let counters = FrameColumn::new(footer.require(SectionKind::IdCounters, 0)?, rows)?;
                let times = TimeColumn::new(footer, &ids, Unit::Seconds)?;
                (Form::Object, Columns::Object { times, nodes, counters })
            }
            3 => (Form::TimeUuid, Columns::TimeUuid { times: TimeColumn::new(footer, &ids, Unit::Millis)? }),
            other => return Err(Error::corrupt(format!("the ids have form {other}"))),
        };
        let count = if form == Form::Object { ids.count } else { rows };
        if ids.count != count || count.checked_mul(len_u64(form.size())) != Some(ids.len) {
            return Err(Error::corrupt(format!("the section of ids cannot hold {count} of them")));
        }
        let table = match (footer.find(SectionKind::IdBuckets, 0), columns) {
            (None, Columns::Object { .. } | Columns::TimeUuid { .. }) => None,
            _ => Some(Table {
                buckets: FrameColumn::new(
                    footer.require(SectionKind::IdBuckets, 0)?,
                    (1_u64 << bucket_bits(footer.rows)) + 1,
                )?,
                row_numbers: PackedColumn::new(footer.require(SectionKind::IdRows, 0)?, rows)?,
            }),
        };
        Ok(Some(Self { rows: footer.rows, store, ids, form, columns, table }))
    }

    /// Which ids it may hold.
    pub(super) fn window(&self) -> IdWindow {
        match &self.columns {
            Columns::None => IdWindow::Any,
            Columns::Object { times, .. } => {
                let (first, last) = times.bounds();
                IdWindow::Object(first, last)
            }
            Columns::TimeUuid { times } => {
                let (first, last) = times.bounds();
                IdWindow::TimeUuid(first, last)
            }
        }
    }

    /// The bytes at `index` of the section of ids, as a number.
    fn stored(&self, file: &CheckedFile, index: u64) -> Result<u128> {
        let size = self.form.size();
        let bytes = file.bytes(&self.ids, index.saturating_mul(len_u64(size)), size)?;
        let mut whole = [0; 16];
        for (slot, byte) in whole.iter_mut().zip(bytes) {
            *slot = *byte;
        }
        Ok(u128::from_le_bytes(whole))
    }

    /// Loads what [`IdTable::get`] reads of a row.
    pub(super) fn touch(&self, ahead: &mut Ahead<'_>, row: u32, wave: Wave) {
        let index = u64::from(row);
        let own = index.saturating_mul(len_u64(self.form.size()));
        match (&self.columns, wave) {
            (Columns::None, Wave::First) => ahead.touch(&self.ids, own),
            (Columns::None, Wave::Second) => {}
            (Columns::TimeUuid { times }, wave) => {
                times.touch(ahead, row, wave);
                if wave == Wave::First {
                    ahead.touch(&self.ids, own);
                }
            }
            (Columns::Object { times, nodes, counters }, wave) => {
                times.touch(ahead, row, wave);
                match wave {
                    Wave::First => {
                        nodes.touch(ahead, index);
                        counters.touch_directory(ahead, index);
                    }
                    Wave::Second => counters.touch(ahead, index),
                }
            }
        }
    }

    /// The id of a row.
    pub(crate) fn get(&self, file: &CheckedFile, row: u32) -> Result<EventId> {
        let index = u64::from(row);
        if row >= self.rows {
            return Err(file.contradicts(&self.ids, &format!("has no entry {row}")));
        }
        match &self.columns {
            Columns::None if self.form == Form::Hex24 => Ok(EventId::from_hex24(self.stored(file, index)?)),
            Columns::None => Ok(EventId::from_u128(self.stored(file, index)?)),
            Columns::TimeUuid { times } => {
                let millis = times.get(file, row)?;
                Ok(EventId::from_u128((u128::from(millis) << UUID_REST_BITS) | self.stored(file, index)?))
            }
            Columns::Object { times, nodes, counters } => {
                let (seconds, node) = (times.get(file, row)?, nodes.get(file, index)?);
                self.object(file, seconds, node, counters.get(file, index)?)
            }
        }
    }

    /// An id of three columns.
    fn object(&self, file: &CheckedFile, seconds: u64, node: u32, counter: i64) -> Result<EventId> {
        let node = self.stored(file, u64::from(node))?;
        let low = u128::try_from(counter).ok().filter(|counter| *counter <= COUNTER_MASK);
        let low = low.ok_or_else(|| file.contradicts(&self.ids, &format!("has the counter {counter}")))?;
        let high = u128::from(seconds) << (NODE_BITS + COUNTER_BITS);
        Ok(EventId::from_hex24(high | (node << COUNTER_BITS) | low))
    }

    /// The ids of `rows`, whose events are of the times `created`: column by column.
    pub(super) fn gather(
        &self,
        file: &CheckedFile,
        rows: &[u32],
        created: &[i64],
        out: &mut Vec<EventId>,
    ) -> Result<()> {
        let Columns::Object { times, nodes, counters } = &self.columns else {
            for row in rows {
                out.push(self.get(file, *row)?);
            }
            return Ok(());
        };
        let (mut seconds, mut node_codes, mut lows) = (Vec::with_capacity(rows.len()), Vec::new(), Vec::new());
        times.gather(file, rows, created, &mut seconds)?;
        nodes.gather(file, rows, &mut node_codes)?;
        counters.gather(file, rows, &mut lows)?;
        for ((seconds, node), counter) in seconds.into_iter().zip(node_codes).zip(lows) {
            out.push(self.object(file, seconds, node, counter)?);
        }
        Ok(())
    }

    /// The rows with this id, ascending.
    pub(crate) fn find(&self, file: &CheckedFile, id: EventId) -> Result<Vec<u32>> {
        match self.find_indexed(file, id) {
            // The table is derived, and a damaged time says nothing about the other rows: the column is searched.
            Err(error) if error.kind() == ErrorKind::Corrupt => self.find_in_column(file, id),
            other => other,
        }
    }

    /// The same, from the table or by the time alone.
    pub(crate) fn find_indexed(&self, file: &CheckedFile, id: EventId) -> Result<Vec<u32>> {
        // What the form cannot say is not here, and neither is what lies beyond the segment's times.
        let candidates = match &self.columns {
            Columns::None if self.form == Form::Hex24 && id.hex24_bits().is_none() => return Ok(Vec::new()),
            Columns::None => None,
            Columns::Object { times, .. } => {
                let Some(bits) = id.hex24_bits() else { return Ok(Vec::new()) };
                let seconds = u64::try_from(bits >> (NODE_BITS + COUNTER_BITS)).unwrap_or_default();
                Some((times, seconds))
            }
            Columns::TimeUuid { times } => {
                let Some(millis) = id.version_7_millis() else { return Ok(Vec::new()) };
                Some((times, u64::try_from(millis).unwrap_or_default()))
            }
        };
        let outside = candidates.is_some_and(|(times, time)| !times.may_hold(time));
        match (&self.table, candidates) {
            _ if outside => Ok(Vec::new()),
            (Some(table), _) => self.find_in_table(file, table, id),
            (None, Some((times, time))) => {
                let mut found = Vec::new();
                for row in times.candidates(file, time)? {
                    if self.is_at(file, row, id)? {
                        found.push(row);
                    }
                }
                Ok(found)
            }
            (None, None) => Err(file.contradicts(&self.ids, "is searched without a table")),
        }
    }

    /// Whether `row` has this id. The part that most often differs is compared first.
    fn is_at(&self, file: &CheckedFile, row: u32, id: EventId) -> Result<bool> {
        let bits = id.as_u128();
        let may_be = match &self.columns {
            Columns::Object { counters, .. } => {
                let counter = id.hex24_bits().unwrap_or_default() & COUNTER_MASK;
                u128::try_from(counters.get(file, u64::from(row))?).ok() == Some(counter)
            }
            Columns::TimeUuid { .. } => self.stored(file, u64::from(row))? == bits & ((1 << UUID_REST_BITS) - 1),
            Columns::None => true,
        };
        Ok(may_be && self.get(file, row)? == id)
    }

    fn find_in_table(&self, file: &CheckedFile, table: &Table, id: EventId) -> Result<Vec<u32>> {
        let number = u64::from(bucket(id, self.store, bucket_bits(self.rows)));
        let bounds = (table.buckets.get(file, number)?, table.buckets.get(file, number + 1)?);
        let (start, end) = match (u64::try_from(bounds.0), u64::try_from(bounds.1)) {
            (Ok(start), Ok(end)) if start <= end && end <= u64::from(self.rows) => (start, end),
            _ => return Err(file.contradicts(table.buckets.section(), &format!("has a bucket {bounds:?}"))),
        };
        let mut found = Vec::new();
        for index in start..end {
            let row = table.row_numbers.get(file, index)?;
            if self.is_at(file, row, id)? {
                found.push(row);
            }
        }
        if !found.is_sorted_by(|a, b| a < b) {
            return Err(file.contradicts(table.buckets.section(), "has a bucket whose rows do not ascend"));
        }
        Ok(found)
    }

    fn find_in_column(&self, file: &CheckedFile, id: EventId) -> Result<Vec<u32>> {
        let mut found = Vec::new();
        for row in 0..self.rows {
            if self.is_at(file, row, id)? {
                found.push(row);
            }
        }
        Ok(found)
    }
}
