//! NDJSON that is parsed while it arrives, piece by piece.

use memchr::{memchr, memrchr};

use crate::incoming::IncomingEvent;
use crate::ndjson::{BYTE_ORDER_MARK, Hook, Lines, Parsed, parse_into};

/// Parses a body while it arrives: each line with the piece that ends it. Comes to the same as
/// [`crate::parse_ndjson_with`] over the whole body. Holds the line that is still open and what was parsed.
///
/// ```
/// let hook = |_: &mut annals_json::IncomingEvent<'_>, _: annals_json::Line<'_>| Ok(());
/// let mut feed = annals_json::LineFeed::default();
/// feed.take(b"{\"event_type\":\"a\"}\n{\"event_", &hook);
/// feed.take(b"type\":\"b\"}", &hook);
/// assert_eq!(feed.end(&hook).batch.len(), 2);
/// ```
#[derive(Debug, Default)]
pub struct LineFeed {
    parsed: Parsed,
    /// The start of a line whose end is still to come; at the start of the body also a mark of byte order.
    open: Vec<u8>,
    /// Lines behind us.
    number: u64,
    begun: bool,
}

impl LineFeed {
    /// Adds the events to `batch`, which is empty and may have memory already.
    pub fn into_batch(batch: annals_engine::Batch) -> Self {
        Self { parsed: Parsed { batch, ..Parsed::default() }, ..Self::default() }
    }

    /// Parses the lines that end in `piece`.
    pub fn take(&mut self, piece: &[u8], hook: &impl Hook) {
        let Some(last) = memrchr(b'\n', piece) else {
            self.open.extend_from_slice(piece);
            return;
        };
        let (mut lines, open) = piece.split_at_checked(last + 1).unwrap_or((piece, &[]));
        if !self.open.is_empty() {
            // The first of them began in an earlier piece.
            let first = memchr(b'\n', lines).map_or(lines.len(), |end| end + 1);
            let (head, rest) = lines.split_at_checked(first).unwrap_or((lines, &[]));
            let mut line = std::mem::take(&mut self.open);
            line.extend_from_slice(head);
            self.parse(&line, hook);
            line.clear();
            (self.open, lines) = (line, rest);
        }
        self.parse(lines, hook);
        self.open.extend_from_slice(open);
    }

    /// Parses the last line, if it lacks its end, and gives what the body held.
    pub fn end(mut self, hook: &impl Hook) -> Parsed {
        let line = std::mem::take(&mut self.open);
        self.parse(&line, hook);
        self.parsed
    }

    fn parse(&mut self, whole_lines: &[u8], hook: &impl Hook) {
        if self.parsed.too_large || whole_lines.is_empty() {
            return;
        }
        let first = !std::mem::replace(&mut self.begun, true);
        let rest = whole_lines.strip_prefix(BYTE_ORDER_MARK).filter(|_| first).unwrap_or(whole_lines);
        let mut lines = Lines { rest, number: self.number };
        parse_into(&mut self.parsed, &mut IncomingEvent::default(), &mut lines, hook);
        self.number = lines.number;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::EventError;
    use crate::ndjson::{Line, parse_ndjson_with};

    fn hook(event: &mut IncomingEvent<'_>, line: Line<'_>) -> Result<(), EventError> {
        event.message = Some(format!("line {}", line.number).into());
        if line.number == 5 { Err(EventError::new("the fifth line")) } else { Ok(()) }
    }

    proptest! {
        #[test]
        fn pieces_come_to_the_same_as_the_whole(
            lines in prop::collection::vec(
                prop::sample::select(vec![
                    "{\"event_type\":\"a\"}", "{\"event_type\":\"b\",\"user_id\":\"\u{e9}\"}", "", " ", "nonsense", "{}\r", "\u{feff}",
                ]),
                0..12,
            ),
            ended: bool,
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let body = lines.join("\n") + if ended { "\n" } else { "" };
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
            cuts.sort_unstable();
            let mut feed = LineFeed::default();
            let mut from = 0;
            for cut in cuts.into_iter().chain([body.len()]) {
                feed.take(&body.as_bytes()[from..cut], &hook);
                from = cut;
            }
            let (parsed, whole) = (feed.end(&hook), parse_ndjson_with(body.as_bytes(), 1, &hook));
            prop_assert_eq!((&parsed.errors, parsed.rejected, parsed.lines), (&whole.errors, whole.rejected, whole.lines));
            prop_assert_eq!(parsed.batch.len(), whole.batch.len());
            for position in 0..whole.batch.len() {
                prop_assert_eq!(parsed.batch.stored(position, 1), whole.batch.stored(position, 1));
            }
        }
    }
}
