//! NDJSON that is parsed while it arrives, piece by piece.

use memchr::{memchr, memrchr};

use crate::incoming::IncomingEvent;
use crate::ndjson::{BYTE_ORDER_MARK, Hook, LINE_SIZE_MAX, Lines, Parsed, line_too_long, parse_into};

/// Parses a body while it arrives: each line with the piece that ends it. Comes to the same as
/// [`crate::parse_ndjson_with`] over the whole body. Holds the line that is still open, no more of it than a line
/// may have, and what was parsed.
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
    /// What of that line is not held.
    beyond: Beyond,
    /// Lines behind us.
    number: u64,
    begun: bool,
}

/// What is not held of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Beyond {
    #[default]
    Nothing,
    /// White space behind as much as a line may have.
    Blank,
    /// Everything: the line is too long.
    All,
}

impl LineFeed {
    /// Adds the events to `batch`, which is empty and may have memory already.
    pub fn into_batch(batch: annals_engine::Batch) -> Self {
        Self { parsed: Parsed { batch, ..Parsed::default() }, ..Self::default() }
    }

    /// Bytes of memory that it holds, but for the few errors.
    pub fn memory_bytes(&self) -> usize {
        self.parsed.batch.memory_bytes() + self.open.capacity()
    }

    /// Parses the lines that end in `piece`.
    pub fn take(&mut self, piece: &[u8], hook: &impl Hook) {
        let Some(last) = memrchr(b'\n', piece) else {
            self.hold(piece);
            return;
        };
        let (mut lines, open) = piece.split_at_checked(last + 1).unwrap_or((piece, &[]));
        if !self.open.is_empty() || self.beyond == Beyond::All {
            // The first of them began in an earlier piece.
            let first = memchr(b'\n', lines).map_or(lines.len(), |end| end + 1);
            let (head, rest) = lines.split_at_checked(first).unwrap_or((lines, &[]));
            self.hold(head);
            self.close(hook);
            lines = rest;
        }
        self.parse(lines, hook);
        self.hold(open);
    }

    /// Parses the last line, if it lacks its end, and gives what the body held.
    pub fn end(mut self, hook: &impl Hook) -> Parsed {
        self.close(hook);
        self.parsed
    }

    /// Adds to the open line.
    fn hold(&mut self, piece: &[u8]) {
        match self.beyond {
            Beyond::Nothing => {}
            Beyond::Blank if piece.trim_ascii().is_empty() => return,
            Beyond::Blank => return self.drop_open(),
            Beyond::All => return,
        }
        self.open.extend_from_slice(piece);
        if self.open.len() <= LINE_SIZE_MAX {
            return;
        }
        // White space around a line does not count, nor does a mark of byte order before the first.
        let first = !std::mem::replace(&mut self.begun, true);
        let marked = self.open.strip_prefix(BYTE_ORDER_MARK).filter(|_| first).unwrap_or(&self.open);
        let text = marked.trim_ascii_start();
        if text.trim_ascii_end().len() > LINE_SIZE_MAX {
            return self.drop_open();
        }
        if text.len() > LINE_SIZE_MAX {
            self.beyond = Beyond::Blank;
        }
        let blank = self.open.len() - text.len();
        self.open.drain(..blank);
        self.open.truncate(LINE_SIZE_MAX);
        if self.open.is_empty() {
            // A blank line counts too.
            self.open.push(b' ');
        }
    }

    fn drop_open(&mut self) {
        (self.open, self.beyond) = (Vec::new(), Beyond::All);
    }

    /// Parses the open line, which has ended.
    fn close(&mut self, hook: &impl Hook) {
        if std::mem::take(&mut self.beyond) == Beyond::All {
            self.number += 1;
            if !self.parsed.too_large {
                self.parsed.lines += 1;
                self.parsed.reject(self.number, line_too_long());
            }
            return;
        }
        let mut line = std::mem::take(&mut self.open);
        self.parse(&line, hook);
        line.clear();
        self.open = line;
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
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;
    use crate::error::EventError;
    use crate::ndjson::{Line, parse_ndjson_with};

    fn hook(event: &mut IncomingEvent<'_>, line: Line<'_>) -> Result<(), EventError> {
        event.message = Some(format!("line {}", line.number).into());
        if line.number == 5 { Err(EventError::new("the fifth line")) } else { Ok(()) }
    }

    fn same(parsed: &Parsed, whole: &Parsed) {
        assert_eq!((&parsed.errors, parsed.rejected, parsed.lines), (&whole.errors, whole.rejected, whole.lines));
        assert_eq!(parsed.batch.len(), whole.batch.len());
        for position in 0..whole.batch.len() {
            assert_eq!(parsed.batch.stored(position, 1), whole.batch.stored(position, 1));
        }
    }

    #[test]
    fn a_line_without_end_is_not_held() {
        let mut feed = LineFeed::default();
        let piece = vec![b'x'; 256 << 10];
        for _ in 0..LINE_SIZE_MAX / piece.len() {
            feed.take(&piece, &hook);
        }
        assert!(feed.memory_bytes() > LINE_SIZE_MAX);
        feed.take(b"x", &hook);
        assert!(feed.memory_bytes() < 1024);
        feed.take(&piece, &hook);
        assert!(feed.memory_bytes() < 1024);
        feed.take(b"\n{\"event_type\":\"a\"}", &hook);
        let parsed = feed.end(&hook);
        assert_eq!((parsed.rejected, parsed.lines, parsed.batch.len()), (1, 2, 1));
        assert_eq!(parsed.errors[0].message, "the line is longer than 7340032 bytes");
        assert_eq!(parsed.batch.stored(0, 1).unwrap().message(), Some("line 2"));
    }

    #[test]
    fn lines_about_as_long_as_they_may_be_come_to_the_same_as_in_the_whole() {
        let event = "{\"event_type\":\"a\"}";
        let blank = " ".repeat(LINE_SIZE_MAX);
        let just = "x".repeat(LINE_SIZE_MAX);
        let kinds: [&[&str]; 8] = [
            &[&just],
            &[&just, "x"],
            &[event, &blank],
            &[&blank, event, &blank, "\r"],
            &[event, &blank, "x"],
            &[&blank, &blank],
            &[" ", &just, "\t"],
            &["\u{feff}", event, &blank],
        ];
        let mut bodies = Vec::new();
        for start in ["", "\u{feff}", " \u{feff}"] {
            for pair in kinds.windows(2) {
                let mut body = start.to_owned();
                for line in pair {
                    writeln!(body, "{}", line.concat()).unwrap();
                }
                bodies.push(body + event);
            }
        }
        for body in bodies {
            let mut feed = LineFeed::default();
            for piece in body.as_bytes().chunks(1_000_003) {
                feed.take(piece, &hook);
                assert!(feed.memory_bytes() < 3 * LINE_SIZE_MAX);
            }
            same(&feed.end(&hook), &parse_ndjson_with(body.as_bytes(), 1, &hook));
        }
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
            same(&parsed, &whole);
        }
    }
}
