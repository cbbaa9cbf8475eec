//! Payloads of packed segments: JSON objects taken apart into members, the values of one key behind each other, and
//! whatever repeats the event's own fields, its message or its time replaced by one byte.
//!
//! A text is first shortened (`marks`), then taken apart (`split`) into a shape, which is the keys in their order, and
//! values. Rows of one event type gather in a block (`block`), which is compressed when it is full (`write`). Putting
//! together undoes each step by the bytes alone (`read`): a text that is no object is kept whole.

mod block;
mod marks;
mod plan;
mod read;
mod split;
mod table;
mod write;

pub(crate) use marks::Siblings;
pub(crate) use plan::Plan;
pub(crate) use read::{MemberReader, Recent};
pub(crate) use write::{RowValues, write};

#[cfg(test)]
pub(crate) use marks::timestamp;

/// A block is closed by the row that brings it to this many bytes: what a page of scattered rows costs.
const BLOCK_SIZE: usize = 16 << 10;
/// A block has at most this many rows: what stands in it once, or as the value before, costs a row all the same.
const BLOCK_ROWS_MAX: usize = 64;
/// How hard blocks are compressed.
const LEVEL: i32 = 6;
/// Stands behind each value; no text that is taken apart holds it.
const VALUE_END: u8 = 0x1f;

/// The code of a row without a text.
const CODE_ABSENT: u32 = 0;
/// The code of a row whose text is kept as it is.
const CODE_WHOLE: u32 = 1;
/// The code of a row whose text is shortened and not taken apart.
const CODE_SHORTENED: u32 = 2;
/// The code of the first shape.
const CODE_SHAPES: u32 = 3;

/// Bytes of a run: group, first row, block.
const RUN_SIZE: usize = 4 + 4 + 4;
/// Bytes of a block's entry: size before compression, offset.
const ENTRY_SIZE: usize = 4 + 8;
