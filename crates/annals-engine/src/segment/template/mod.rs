//! Texts that few shapes explain: the shape of each row and, packed into a few bits, what differs.
//!
//! A text is split into pieces and holes by its bytes alone (`lex`); rows whose pieces are equal have one shape, and a
//! hole of a shape is a column (`column`, `number`, `fields`). What each row has in its holes lies in one short run of
//! bits (`write`), so that a row costs one look at its block and one at its bits (`read`).

mod column;
mod encode;
mod fields;
mod lex;
mod number;
mod plan;
mod read;
mod table;
mod write;

pub(crate) use encode::Encoder;
pub(crate) use fields::Fields;
pub(crate) use read::{Found, Scratch, TemplateReader};
pub(crate) use write::write;

/// The code of a row without a text.
const CODE_ABSENT: u8 = 0;
/// The code of a row whose text lies among the compressed ones.
const CODE_OVERFLOW: u8 = 1;
/// The code of the first shape.
const CODE_SHAPES: u8 = 2;
/// The most shapes of a segment: a code is a byte.
const SHAPES_MAX: usize = 250;
/// Rows of a block: finding a row's bits walks over half of the codes of its block.
const BLOCK_ROWS: usize = 64;
/// Bytes of an offset in a block's entry.
const OFFSET_SIZE: usize = 5;
/// Zeroes behind the bits, so that they are read a word at a time.
const PADDING: usize = 16;
