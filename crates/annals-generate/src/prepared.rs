//! Many events held in little room, for measurements that must not measure their making.

use annals_engine::Event;

use crate::row::Row;
use crate::tables::{ID_LEN, Tables, push_resource_id};
use crate::{Generator, RowIds, RowTexts, event_of};

/// Bytes of text to expect of an event: short of it costs a copy, beyond it nothing.
const TEXT_LEN_EXPECTED: usize = 320;

/// Generated events, about 330 bytes each: as a parser leaves them, with the texts of an event side by side.
/// An [`Event`] that borrows from it costs no allocation.
///
/// ```
/// let prepared = annals_generate::Generator::new(1, 100, 1_700_000_000_000_000).prepare();
/// let mut realms = [""; 3];
/// let event = prepared.event(7, &mut realms).expect("one of the hundred");
/// assert!(event.message.is_some());
/// ```
#[derive(Clone, Debug)]
pub struct Prepared {
    rows: Vec<Row>,
    /// Of each row the ids of resource, user, project and realms, then message and payload.
    text: String,
}

impl Prepared {
    pub(crate) fn new(mut generator: Generator) -> Self {
        let count = usize::try_from(generator.remaining()).unwrap_or(0);
        let mut rows = Vec::with_capacity(count);
        // Pages that are never written to take no memory.
        let mut text = String::with_capacity(count.saturating_mul(TEXT_LEN_EXPECTED));
        let mut own = String::new();
        while let Some(mut row) = generator.next_row(&mut own) {
            row.text_start = u64::try_from(text.len()).unwrap_or(u64::MAX);
            push_ids(&mut text, &generator.tables, &row);
            let others = own.len() - usize::from(row.message_len) - usize::from(row.payload_len);
            text.push_str(own.get(others..).unwrap_or_default());
            own.clear();
            rows.push(row);
        }
        text.shrink_to_fit();
        Self { rows, text }
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
        let mut rest = self.text.get(usize::try_from(row.text_start).ok()?..)?;
        let mut next = |len: usize| {
            let (text, behind) = rest.split_at_checked(len)?;
            rest = behind;
            Some(text)
        };
        let (resource_id, user_id, project_id) = (next(ID_LEN)?, next(ID_LEN)?, next(ID_LEN)?);
        for slot in realms.iter_mut().take(row.realms().len()) {
            *slot = next(ID_LEN)?;
        }
        let message = next(usize::from(row.message_len))?;
        let texts = RowTexts { resource_id, message, payload: next(usize::from(row.payload_len))? };
        Some(event_of(row, texts, RowIds { user_id, project_id, realm_ids: realms.get(..row.realms().len())? }))
    }

    /// Bytes held.
    pub fn size_bytes(&self) -> usize {
        self.rows.len() * size_of::<Row>() + self.text.len()
    }
}

fn push_ids(text: &mut String, tables: &Tables, row: &Row) {
    match tables.resources.id(row.resource) {
        Some(id) => text.push_str(id),
        None => push_resource_id(text, row.resource),
    }
    text.push_str(tables.users.get(row.user));
    text.push_str(tables.projects.get(u32::from(row.project)));
    for realm in row.realms() {
        text.push_str(tables.realms.get(u32::from(*realm)));
    }
}
