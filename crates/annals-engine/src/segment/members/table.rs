//! The keys of all payloads of a segment, and the orders in which they come.

use std::ops::Range;

use hashbrown::HashMap;

use crate::codec::{Reader, len_u32, len_u64, put_bytes, put_varint, row_usize, take_bytes};
use crate::error::{Error, Result};

use super::marks::Origin;

/// The most keys and the most shapes: a block's reader has an entry for each key.
const ENTRIES_MAX: usize = 1 << 15;
/// The most bytes of a table: it is held decoded.
pub(super) const TABLE_SIZE_MAX: usize = 4 << 20;
/// Longer keys are not worth an entry.
const KEY_SIZE_MAX: usize = 256;

/// The table under construction.
#[derive(Debug, Default)]
pub(super) struct TableBuilder {
    keys: HashMap<Vec<u8>, u32, foldhash::quality::FixedState>,
    key_list: Vec<u8>,
    shapes: HashMap<Vec<u32>, u32, foldhash::quality::FixedState>,
    shape_list: Vec<u8>,
}

impl TableBuilder {
    /// The number of a key; `None` if there is no room for another one.
    pub(super) fn key(&mut self, key: &[u8]) -> Option<u32> {
        if let Some(number) = self.keys.get(key) {
            return Some(*number);
        }
        if key.len() > KEY_SIZE_MAX || self.keys.len() == ENTRIES_MAX || self.size() + key.len() > TABLE_SIZE_MAX / 2 {
            return None;
        }
        let number = len_u32(self.keys.len());
        put_bytes(&mut self.key_list, key);
        self.keys.insert(key.to_vec(), number);
        Some(number)
    }

    /// The number of a shape; `None` if there is no room for another one.
    pub(super) fn shape(&mut self, keys: &[u32]) -> Option<u32> {
        if let Some(number) = self.shapes.get(keys) {
            return Some(*number);
        }
        if self.shapes.len() == ENTRIES_MAX || self.size() > TABLE_SIZE_MAX / 2 {
            return None;
        }
        let number = len_u32(self.shapes.len());
        put_varint(&mut self.shape_list, len_u64(keys.len()));
        for key in keys {
            put_varint(&mut self.shape_list, u64::from(*key));
        }
        self.shapes.insert(keys.to_vec(), number);
        Some(number)
    }

    fn size(&self) -> usize {
        self.key_list.len() + self.shape_list.len()
    }

    pub(super) fn encode(&self, origins: &[Origin], groups: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, len_u64(origins.len()));
        out.extend(origins.iter().map(|origin| origin.number()));
        put_varint(&mut out, len_u64(groups.len()));
        for group in groups {
            put_bytes(&mut out, group);
        }
        put_varint(&mut out, len_u64(self.keys.len()));
        out.extend_from_slice(&self.key_list);
        put_varint(&mut out, len_u64(self.shapes.len()));
        out.extend_from_slice(&self.shape_list);
        out
    }
}

/// The table, read.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) origins: Vec<Origin>,
    bytes: Vec<u8>,
    /// The event types of the groups from 1 on, ascending; none if rows are not grouped.
    groups: Vec<Range<u32>>,
    keys: Vec<Range<u32>>,
    /// The keys of all shapes, one shape behind the other, and where each ends.
    shape_keys: Vec<u32>,
    shape_ends: Vec<u32>,
}

impl Table {
    pub(super) fn decode(bytes: Vec<u8>) -> Result<Self> {
        let mut reader = Reader::new(&bytes);
        let count = reader.varint_len()?;
        let unknown = || Error::corrupt("a table of members repeats something unknown");
        let numbers = reader.take(count)?.iter();
        let origins =
            numbers.map(|number| Origin::from_number(*number).ok_or_else(unknown)).collect::<Result<Vec<_>>>()?;
        let limit = |count: usize| match count {
            0..=ENTRIES_MAX => Ok(count),
            _ => Err(Error::corrupt(format!("a table of members has {count} entries"))),
        };
        let mut texts = || -> Result<Vec<Range<u32>>> {
            let count = limit(reader.varint_len()?)?;
            let mut texts = Vec::with_capacity(count);
            for _ in 0..count {
                let len = len_u32(take_bytes(&mut reader)?.len());
                let end = len_u32(reader.position());
                texts.push(end - len..end);
            }
            Ok(texts)
        };
        let (groups, keys) = (texts()?, texts()?);
        let count = limit(reader.varint_len()?)?;
        let (mut shape_keys, mut shape_ends) = (Vec::new(), Vec::with_capacity(count));
        for _ in 0..count {
            for _ in 0..reader.varint_len()? {
                let key = u32::try_from(reader.varint()?).ok().filter(|key| row_usize(*key) < keys.len());
                shape_keys.push(key.ok_or_else(|| Error::corrupt("a shape has a key that is not there"))?);
            }
            shape_ends.push(len_u32(shape_keys.len()));
        }
        if !reader.is_empty() {
            return Err(Error::corrupt("a table of members is longer than its shapes"));
        }
        Ok(Self { origins, bytes, groups, keys, shape_keys, shape_ends })
    }

    pub(super) fn key_count(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn key(&self, number: u32) -> &[u8] {
        self.keys.get(row_usize(number)).map_or(&[], |place| self.text(place))
    }

    fn text(&self, place: &Range<u32>) -> &[u8] {
        self.bytes.get(row_usize(place.start)..row_usize(place.end)).unwrap_or_default()
    }

    pub(super) fn is_grouped(&self) -> bool {
        !self.groups.is_empty()
    }

    /// The group of an event type.
    pub(super) fn group(&self, event_type: &[u8]) -> Option<u32> {
        let at = self.groups.binary_search_by(|place| self.text(place).cmp(event_type));
        at.ok().map(|at| len_u32(at) + 1)
    }

    /// The keys of a shape.
    pub(super) fn shape(&self, number: u32) -> Option<&[u32]> {
        let at = row_usize(number);
        let end = self.shape_ends.get(at).copied()?;
        let start = at.checked_sub(1).and_then(|before| self.shape_ends.get(before)).copied().unwrap_or(0);
        self.shape_keys.get(row_usize(start)..row_usize(end))
    }
}
