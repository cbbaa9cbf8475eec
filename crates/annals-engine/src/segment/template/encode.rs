//! Texts row by row -> the shape of each row and a column per hole.

use super::column::Column;
use super::fields::Fields;
use super::lex::{Hole, Shape, split};
use super::{CODE_ABSENT, CODE_OVERFLOW, CODE_SHAPES, SHAPES_MAX};

/// Larger texts are compressed instead.
const TEXT_SIZE_MAX: usize = 16 << 10;
/// Values of texts that are held in memory at most, about: once there are more, further texts are compressed, which
/// holds one block.
const HELD_SIZE_MAX: usize = 128 << 20;
/// The values held are counted after so many rows.
const COUNT_EVERY: usize = 1024;
/// So many of the shapes met last are tried before a text is split.
const RECENT: usize = 6;

/// The rows of one shape.
#[derive(Clone, Debug)]
pub(super) struct ShapeRows {
    pub(super) shape: Shape,
    pub(super) rows: Vec<u32>,
    pub(super) columns: Vec<Column>,
}

impl ShapeRows {
    #[inline]
    fn push(&mut self, text: &[u8], holes: &[Hole], row: u32, fields: &Fields<'_>) {
        if self.rows.is_empty() {
            let columns = holes.iter().map(|hole| Column::new(value(text, hole), row, fields));
            self.columns = columns.collect();
        } else {
            for (column, hole) in self.columns.iter_mut().zip(holes) {
                column.push(value(text, hole), row, &self.rows, fields);
            }
        }
        self.rows.push(row);
    }
}

#[inline]
fn value<'t>(text: &'t [u8], hole: &Hole) -> &'t [u8] {
    text.get(hole.start..hole.end).unwrap_or_default()
}

/// Takes the texts of a segment in row order.
#[derive(Clone, Debug)]
pub(crate) struct Encoder<'a> {
    pub(super) fields: &'a Fields<'a>,
    event_types: &'a [u32],
    /// The code of the last row of each event type.
    predicted: Vec<u8>,
    /// Shapes met last, the last one first.
    recent: Vec<u8>,
    pub(super) shapes: Vec<ShapeRows>,
    /// The code of each row.
    pub(super) codes: Vec<u8>,
    /// Texts that have no shape, in row order, not yet taken away.
    overflow: Vec<Vec<u8>>,
    overflow_rows: u32,
    holes: Vec<Hole>,
    held_size_max: usize,
    /// Whether it holds so much already.
    full: bool,
}

impl<'a> Encoder<'a> {
    /// An encoder of rows whose keyword fields are `fields`.
    pub(crate) fn new(fields: &'a Fields<'a>) -> Self {
        Self {
            fields,
            event_types: fields.event_types(),
            predicted: Vec::new(),
            recent: Vec::new(),
            shapes: Vec::new(),
            codes: Vec::new(),
            overflow: Vec::new(),
            overflow_rows: 0,
            holes: Vec::new(),
            held_size_max: HELD_SIZE_MAX,
            full: false,
        }
    }

    /// The same with another limit.
    #[cfg(test)]
    pub(crate) fn holding(fields: &'a Fields<'a>, held_size_max: usize) -> Self {
        Self { held_size_max, ..Self::new(fields) }
    }

    /// Bytes of values in all columns; numbers and codes are bounded by the rows.
    pub(crate) fn held_size(&self) -> usize {
        self.shapes.iter().flat_map(|shape| &shape.columns).map(Column::held_size).sum()
    }

    /// Adds the text of the next row. One without a shape is among [`Encoder::take_overflow`] then.
    pub(crate) fn push(&mut self, row: u32, text: Option<&[u8]>) {
        if self.codes.len().is_multiple_of(COUNT_EVERY) {
            self.full = self.full || self.held_size() > self.held_size_max;
        }
        let Some(text) = text else {
            self.codes.push(CODE_ABSENT);
            return;
        };
        if self.full {
            let code = self.put_aside(text);
            self.codes.push(code);
            return;
        }
        let event_type = self.event_types.get(crate::codec::row_usize(row)).copied();
        let slot = crate::codec::row_usize(event_type.unwrap_or(0));
        let predicted = self.predicted.get(slot).copied().unwrap_or(CODE_ABSENT);
        if self.place(predicted, text, row) {
            self.codes.push(predicted);
            return;
        }
        let code = self.search(text, row, predicted);
        if self.predicted.len() <= slot {
            self.predicted.resize(slot + 1, CODE_ABSENT);
        }
        if let Some(slot) = self.predicted.get_mut(slot) {
            *slot = code;
        }
        self.codes.push(code);
    }

    /// Adds the text to the rows of the shape `code` if it fits.
    #[inline]
    fn place(&mut self, code: u8, text: &[u8], row: u32) -> bool {
        let Some(shape) = code.checked_sub(CODE_SHAPES).and_then(|at| self.shapes.get_mut(usize::from(at))) else {
            return false;
        };
        if !shape.shape.fits(text, &mut self.holes) {
            return false;
        }
        shape.push(text, &self.holes, row, self.fields);
        true
    }

    fn search(&mut self, text: &[u8], row: u32, failed: u8) -> u8 {
        for at in 0..self.recent.len().min(RECENT) {
            let code = self.recent.get(at).copied().unwrap_or(CODE_ABSENT);
            if code != failed && self.place(code, text, row) {
                self.recent.get_mut(..=at).unwrap_or_default().rotate_right(1);
                return code;
            }
        }
        if text.len() > TEXT_SIZE_MAX || !split(text, &mut self.holes) {
            return self.put_aside(text);
        }
        let known = self.shapes.iter().position(|shape| shape.shape.is_of(text, &self.holes));
        let at = match known {
            Some(at) => at,
            None if self.shapes.len() < SHAPES_MAX => {
                let shape = Shape::new(text, &self.holes);
                self.shapes.push(ShapeRows { shape, rows: Vec::new(), columns: Vec::new() });
                self.shapes.len() - 1
            }
            None => return self.put_aside(text),
        };
        if let Some(shape) = self.shapes.get_mut(at) {
            shape.push(text, &self.holes, row, self.fields);
        }
        let code = CODE_SHAPES + u8::try_from(at).expect("shapes are fewer than codes");
        self.recent.retain(|recent| *recent != code);
        self.recent.insert(0, code);
        code
    }

    fn put_aside(&mut self, text: &[u8]) -> u8 {
        self.overflow.push(text.to_vec());
        self.overflow_rows += 1;
        CODE_OVERFLOW
    }

    /// The texts without a shape since the last call.
    pub(crate) fn take_overflow(&mut self) -> std::vec::Drain<'_, Vec<u8>> {
        self.overflow.drain(..)
    }

    /// How many shapes were met.
    pub(crate) fn shape_count(&self) -> usize {
        self.shapes.len()
    }

    /// How many texts had no shape.
    pub(crate) fn overflow_rows(&self) -> u32 {
        self.overflow_rows
    }

    /// The texts without a shape that were not taken yet.
    pub(super) fn overflow(&self) -> &[Vec<u8>] {
        &self.overflow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_beyond_the_limit_are_put_aside() {
        let fields = Fields::new(&[]);
        let held_max = 256 << 10;
        let mut encoder = Encoder::holding(&fields, held_max);
        let mut put_aside = 0;
        for row in 0..20_000_u32 {
            // The lengths differ and nothing repeats: the values are held as they are.
            let value = format!("{row}x").repeat(8 + usize::try_from(row % 3).unwrap());
            let text = format!(r#"{{"name":"{value}","row":{row}}}"#);
            encoder.push(row, Some(text.as_bytes()));
            put_aside += encoder.take_overflow().filter(|taken| taken == text.as_bytes()).count();
            assert!(encoder.held_size() <= held_max + COUNT_EVERY * text.len(), "row {row}");
        }
        assert_eq!(put_aside, usize::try_from(encoder.overflow_rows()).unwrap());
        assert!((10_000..18_000).contains(&put_aside), "{put_aside} put aside");
        assert_eq!(encoder.codes.len(), 20_000);
    }
}
