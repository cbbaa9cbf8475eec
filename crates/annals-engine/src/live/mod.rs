//! The live side: rows that are in a log and not yet sealed, indexed in memory in blocks.

mod block;
mod dictionary;
mod hashed;
mod ids;
mod order;
mod part;
mod rows;
mod segment;

pub(crate) use block::{BLOCK_ROWS, BlockColumns, LiveBlock};
pub(crate) use dictionary::{ABSENT, LiveDictionary};
pub(crate) use ids::IdRow;
pub(crate) use part::LivePart;
#[cfg(all(test, loom))]
pub(crate) use rows::BlockRows;
pub(crate) use segment::{LiveSegment, RowsToIndex};
