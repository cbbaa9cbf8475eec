//! Many events held in little room, for measurements that must not measure their making.

use annals_engine::Event;

use crate::Generator;
use crate::row::Row;
use crate::tables::Tables;
use crate::{event_of, texts_of};

/// Bytes of text to expect of an event: short of it costs a copy, beyond it nothing.
const TEXT_LEN_EXPECTED: usize = 192;

/// Generated events, about 220 bytes each. An [`Event`] that borrows from it costs no allocation.
///
/// ```
/// let prepared = annals_generate::Generator::new(1, 100, 1_700_000_000_000_000).prepare();
/// let mut realms = [""; 3];
/// let event = prepared.event(7, &mut realms).expect("one of the hundred");
/// assert!(event.message.is_some());
/// ```
#[derive(Clone, Debug)]
pub struct Prepared {
    tables: Tables,
    rows: Vec<Row>,
    text: String,
}

impl Prepared {
    pub(crate) fn new(mut generator: Generator) -> Self {
        let count = usize::try_from(generator.remaining()).unwrap_or(0);
        let mut rows = Vec::with_capacity(count);
        // Pages that are never written to take no memory.
        let mut text = String::with_capacity(count.saturating_mul(TEXT_LEN_EXPECTED));
        while let Some(row) = generator.next_row(&mut text) {
            rows.push(row);
        }
        text.shrink_to_fit();
        Self { tables: generator.tables, rows, text }
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The event at a position, whose list of realms is kept in `realms`; `None` behind the last.
    pub fn event<'e>(&'e self, position: usize, realms: &'e mut [&'e str; 3]) -> Option<Event<'e>> {
        let row = self.rows.get(position)?;
        Some(event_of(&self.tables, row, texts_of(&self.tables, row, &self.text), realms))
    }

    /// Bytes held.
    pub fn size_bytes(&self) -> usize {
        self.rows.len() * size_of::<Row>() + self.text.len()
    }
}
