//! Rows that are compressed together: which they are, then the values of one key behind each other.

use memchr::memchr_iter;

use crate::codec::{Reader, len_u32, len_u64, put_varint, row_usize};
use crate::error::{Error, Result};

use super::split::{MEMBERS_MAX, join};
use super::table::Table;
use super::{BLOCK_ROWS_MAX, CODE_ABSENT, CODE_SHAPES, CODE_WHOLE, VALUE_END};

/// A block that is being filled.
#[derive(Debug, Default)]
pub(super) struct OpenBlock {
    /// Row and code.
    rows: Vec<(u32, u32)>,
    /// Key and place in `bytes` of each value, row by row.
    values: Vec<(u32, u32, u32)>,
    /// Places of the texts that are kept whole.
    wholes: Vec<(u32, u32)>,
    bytes: Vec<u8>,
    /// By key: where the value lies that it had last.
    last: Vec<(u32, u32)>,
}

impl OpenBlock {
    pub(super) fn row_count(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn first_row(&self) -> Option<u32> {
        self.rows.first().map(|(row, _)| *row)
    }

    /// About what it takes before compression.
    pub(super) fn size(&self) -> usize {
        self.bytes.len() + self.values.len() / 4 + 2 * self.rows.len()
    }

    fn push_bytes(&mut self, bytes: &[u8]) -> (u32, u32) {
        let start = len_u32(self.bytes.len());
        self.bytes.extend_from_slice(bytes);
        (start, len_u32(self.bytes.len()))
    }

    pub(super) fn push_absent(&mut self, row: u32) {
        self.rows.push((row, CODE_ABSENT));
    }

    /// A text that is not taken apart.
    pub(super) fn push_whole(&mut self, row: u32, code: u32, text: &[u8]) {
        let place = self.push_bytes(text);
        self.wholes.push(place);
        self.rows.push((row, code));
    }

    /// A text that is: its keys and values.
    pub(super) fn push_members<'t>(&mut self, row: u32, shape: u32, members: impl Iterator<Item = (u32, &'t [u8])>) {
        for (key, value) in members {
            let slot = row_usize(key);
            if slot >= self.last.len() {
                self.last.resize(slot + 1, (0, 0));
            }
            let (mut start, mut end) = self.last.get(slot).copied().unwrap_or_default();
            if slice(&self.bytes, (start, end)) != value {
                (start, end) = self.push_bytes(value);
                self.last.get_mut(slot).into_iter().for_each(|last| *last = (start, end));
            }
            self.values.push((key, start, end));
        }
        self.rows.push((row, shape + CODE_SHAPES));
    }

    /// Adds the rows of another block behind its own.
    pub(super) fn append(&mut self, other: &Self) {
        let base = len_u32(self.bytes.len());
        self.bytes.extend_from_slice(&other.bytes);
        self.rows.extend_from_slice(&other.rows);
        self.values.extend(other.values.iter().map(|(key, start, end)| (*key, start + base, end + base)));
        self.wholes.extend(other.wholes.iter().map(|(start, end)| (start + base, end + base)));
    }

    /// Replaces `out` by the bytes of the block.
    pub(super) fn encode(&mut self, out: &mut Vec<u8>) {
        out.clear();
        put_varint(out, len_u64(self.rows.len()));
        let mut last = 0_u32;
        for (row, _) in &self.rows {
            put_varint(out, zigzag(i64::from(*row) - i64::from(last)));
            last = *row;
        }
        for (_, code) in &self.rows {
            put_varint(out, u64::from(*code));
        }
        self.encode_values(out);
        for (start, end) in &self.wholes {
            put_varint(out, u64::from(end - start));
        }
        for (start, end) in &self.wholes {
            out.extend_from_slice(slice(&self.bytes, (*start, *end)));
        }
    }

    /// Adds the values to `out`, by key: a bit for each key, set if it has but one value; then the values, an empty
    /// one if it is that of the row before.
    pub(super) fn encode_values(&mut self, out: &mut Vec<u8>) {
        // Stable: the values of one key stay in the order of their rows.
        self.values.sort_by_key(|(key, _, _)| *key);
        let columns = || self.values.chunk_by(|a, b| a.0 == b.0);
        let bytes_of = |(_, start, end): &(u32, u32, u32)| slice(&self.bytes, (*start, *end));
        let is_constant = |column: &[(u32, u32, u32)]| {
            column.windows(2).all(|pair| matches!(pair, [a, b] if bytes_of(a) == bytes_of(b)))
        };
        let flags = out.len();
        out.resize(flags + columns().count().div_ceil(8), 0);
        for (index, column) in columns().enumerate() {
            let mut before: &[u8] = &[];
            let constant = is_constant(column);
            if let Some(flag) = out.get_mut(flags + index / 8).filter(|_| constant) {
                *flag |= 1 << (index % 8);
            }
            for value in column.iter().take(if constant { 1 } else { usize::MAX }).map(bytes_of) {
                if value != before {
                    out.extend_from_slice(value);
                }
                out.push(VALUE_END);
                before = value;
            }
        }
    }
}

fn slice(bytes: &[u8], (start, end): (u32, u32)) -> &[u8] {
    bytes.get(row_usize(start)..row_usize(end)).unwrap_or_default()
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// A block, decoded.
#[derive(Debug)]
pub(crate) struct Block {
    bytes: Vec<u8>,
    rows: Vec<u32>,
    codes: Vec<u32>,
    /// Where each value starts and ends in `bytes`, in the order in which the values stand there.
    values: Vec<(u32, u32)>,
    /// Ascending by key.
    columns: Vec<Column>,
    /// Rows that are taken apart.
    split_rows: u32,
    wholes: Vec<(u32, u32)>,
}

impl Block {
    pub(super) fn decode(bytes: Vec<u8>, table: &Table) -> Result<Self> {
        let mut reader = Reader::new(&bytes);
        let count = reader.varint_len()?;
        if count == 0 || count > BLOCK_ROWS_MAX {
            return Err(Error::corrupt(format!("a block has {count} rows")));
        }
        let mut rows = Vec::with_capacity(count);
        let mut last = 0_i64;
        for _ in 0..count {
            last = last.wrapping_add(unzigzag(reader.varint()?));
            rows.push(
                u32::try_from(last)
                    .map_err(|source| Error::corrupt("a block has a row that cannot be").with_source(source))?,
            );
        }
        let mut codes = Vec::with_capacity(count);
        for _ in 0..count {
            codes.push(u32::try_from(reader.varint()?).unwrap_or(u32::MAX));
        }
        let (split_rows, mut columns) = columns(&codes, table)?;
        let flags = reader.take(columns.len().div_ceil(8))?;
        let mut first = 0;
        for (index, column) in columns.iter_mut().enumerate() {
            column.is_constant = flags.get(index / 8).copied().unwrap_or(0) >> (index % 8) & 1 == 1;
            column.first = first;
            first += if column.is_constant { 1 } else { column.count };
        }
        let (values, at) = values(&bytes, reader.position(), &columns)?;
        let wholes = wholes(&bytes, at, codes.iter().filter(|code| (CODE_WHOLE..CODE_SHAPES).contains(code)).count())?;
        Ok(Self { bytes, rows, codes, values, columns, split_rows, wholes })
    }

    /// Bytes it takes decoded.
    pub(super) fn size(&self) -> usize {
        self.bytes.len() + 8 * self.values.len() + 16 * self.columns.len() + 16 * self.rows.len()
    }

    pub(super) fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// The place of a row in the block.
    pub(super) fn find(&self, row: u32) -> Option<usize> {
        self.rows.iter().position(|held| *held == row)
    }

    fn bytes_of(&self, place: (u32, u32)) -> &[u8] {
        slice(&self.bytes, place)
    }

    /// The value of a key in the row behind `rank` others that are taken apart; their codes are among `before`.
    fn value(
        &self,
        key: u32,
        (before, rank): (&[u32], u32),
        earlier: &mut Earlier,
        again: u32,
        table: &Table,
    ) -> &[u8] {
        let at = self.columns.binary_search_by_key(&key, |column| column.key);
        let Ok(at) = at else { return &[] };
        let Some(column) = self.columns.get(at) else { return &[] };
        let number = if column.is_constant {
            column.first
        } else if column.is_in_each && column.count == self.split_rows {
            column.first + rank
        } else {
            let keys = || before.iter().filter_map(|code| table.shape(code.checked_sub(CODE_SHAPES)?)).flatten();
            let count = if earlier.walked < WALKS_MAX {
                earlier.walked += 1;
                len_u32(keys().filter(|other| **other == key).count())
            } else {
                let counts = earlier.counts.get_or_insert_with(|| self.count_keys(keys()));
                counts.get(at).copied().unwrap_or(0)
            };
            column.first + count + again
        };
        self.bytes_of(self.values.get(row_usize(number)).copied().unwrap_or_default())
    }

    /// How often the key of each column is among these.
    fn count_keys<'k>(&self, keys: impl Iterator<Item = &'k u32>) -> Vec<u32> {
        let mut counts = vec![0; self.columns.len()];
        for key in keys {
            let at = self.columns.binary_search_by_key(key, |column| column.key);
            if let Some(count) = at.ok().and_then(|at| counts.get_mut(at)) {
                *count += 1;
            }
        }
        counts
    }

    /// The code of the row at `place`. Replaces `out` by its text as it was before it was taken apart.
    pub(super) fn text(&self, place: usize, table: &Table, out: &mut Vec<u8>) -> u32 {
        let code = self.codes.get(place).copied().unwrap_or(CODE_ABSENT);
        out.clear();
        if let Some(keys) = code.checked_sub(CODE_SHAPES).and_then(|shape| table.shape(shape)) {
            let before = self.codes.get(..place).unwrap_or_default();
            let rank = len_u32(before.iter().filter(|code| **code >= CODE_SHAPES).count());
            let mut members = keys.iter().enumerate();
            let mut earlier = Earlier::default();
            join(
                std::iter::from_fn(|| {
                    let (index, key) = members.next()?;
                    // A key may come twice in a shape.
                    let again = keys.get(..index).unwrap_or_default().iter().filter(|other| *other == key).count();
                    Some((table.key(*key), self.value(*key, (before, rank), &mut earlier, len_u32(again), table)))
                }),
                out,
            );
        } else if code != CODE_ABSENT {
            let before = self.codes.iter().take(place);
            let number = before.filter(|code| (CODE_WHOLE..CODE_SHAPES).contains(code)).count();
            out.extend_from_slice(self.bytes_of(self.wholes.get(number).copied().unwrap_or_default()));
        }
        code
    }
}

/// So many keys of a row that not every row has are counted in the rows before by a walk of their own; most rows have
/// fewer. For the others all keys are counted at once.
const WALKS_MAX: u32 = 8;

/// What is known of the rows before one, as far as it was needed.
#[derive(Debug, Default)]
struct Earlier {
    walked: u32,
    /// By column.
    counts: Option<Vec<u32>>,
}

/// The values of one key.
#[derive(Clone, Copy, Debug)]
struct Column {
    key: u32,
    /// Values, however often they come again.
    count: u32,
    /// The number of the first one.
    first: u32,
    /// One value stands for all.
    is_constant: bool,
    /// No shape has it twice.
    is_in_each: bool,
}

/// A block's rows have at most this many values.
const VALUES_MAX: usize = BLOCK_ROWS_MAX * MEMBERS_MAX;

/// How many rows are taken apart, and the columns of their keys.
fn columns(codes: &[u32], table: &Table) -> Result<(u32, Vec<Column>)> {
    // By key: values, and one more than the last row with one.
    let mut counts = vec![(0_u32, 0_u32, true); table.key_count()];
    let (mut total, mut rows) = (0, 0);
    for code in codes {
        let Some(shape) = code.checked_sub(CODE_SHAPES) else { continue };
        let keys = table.shape(shape).ok_or_else(|| Error::corrupt(format!("a row of a block has code {code}")))?;
        rows += 1;
        total += keys.len();
        if total > VALUES_MAX {
            return Err(Error::corrupt("a block has too many values"));
        }
        for key in keys {
            if let Some((count, last, once)) = counts.get_mut(row_usize(*key)) {
                *count += 1;
                *once &= *last != rows;
                *last = rows;
            }
        }
    }
    let column = |(key, (count, _, once)): (u32, &(u32, u32, bool))| {
        let column = Column { key, count: *count, first: 0, is_constant: false, is_in_each: *once };
        (*count > 0).then_some(column)
    };
    Ok((rows, (0..).zip(&counts).filter_map(column).collect()))
}

/// Where the values of all columns start and end, and where the last one ends: the first stands at `at`.
fn values(bytes: &[u8], at: usize, columns: &[Column]) -> Result<(Vec<(u32, u32)>, usize)> {
    let rest = bytes.get(at..).unwrap_or_default();
    let total: usize = columns.iter().map(|column| if column.is_constant { 1 } else { row_usize(column.count) }).sum();
    // Each has a byte behind it.
    if total > rest.len() {
        return Err(Error::corrupt("a block has fewer bytes than values"));
    }
    let mut values: Vec<(u32, u32)> = Vec::with_capacity(total);
    let mut ends = memchr_iter(VALUE_END, rest);
    let mut start = 0;
    for column in columns {
        let mut before = None;
        for _ in 0..if column.is_constant { 1 } else { column.count } {
            let end = ends.next().ok_or_else(|| Error::corrupt("a block has fewer values than its shapes"))?;
            let value = if start == end { before } else { Some((len_u32(at + start), len_u32(at + end))) };
            values.push(value.ok_or_else(|| Error::corrupt("a block has a key without a value"))?);
            before = value;
            start = end + 1;
        }
    }
    Ok((values, at + start))
}

/// The places of `count` texts that are kept whole: their lengths stand at `at`, they behind these.
fn wholes(bytes: &[u8], at: usize, count: usize) -> Result<Vec<(u32, u32)>> {
    let mut reader = Reader::new(bytes.get(at..).unwrap_or_default());
    let mut lens = Vec::with_capacity(count);
    for _ in 0..count {
        lens.push(reader.varint_len()?);
    }
    let mut wholes = Vec::with_capacity(count);
    for len in lens {
        let start = at + reader.position();
        reader.take(len)?;
        wholes.push((len_u32(start), len_u32(start + len)));
    }
    if !reader.is_empty() {
        return Err(Error::corrupt("a block is longer than its texts"));
    }
    Ok(wholes)
}
