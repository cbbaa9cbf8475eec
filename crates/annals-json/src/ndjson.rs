//! Bodies of many events: NDJSON on several threads, JSON arrays, single objects.

use std::fmt;

use annals_engine::{BATCH_EVENTS_MAX, Batch};
use memchr::{memchr, memchr_iter};
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::EventError;
use crate::incoming::IncomingEvent;
use crate::parse::parse_event_into;

/// The longest line, inclusive: an event of 1 MiB, each byte of it escaped as `\u001f` at the worst, and
/// a MiB for names and white space.
pub const LINE_SIZE_MAX: usize = 7 << 20;
/// Errors that are kept word for word; further ones are only counted.
pub const ERRORS_KEPT_MAX: usize = 100;
/// Below this many bytes a thread of its own costs more than it saves: it is begun and ended each time. Tests
/// have smaller bodies.
const CHUNK_SIZE_MIN: usize = if cfg!(test) { 64 << 10 } else { 512 << 10 };
const THREADS_MAX: usize = 64;
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One line, or one element of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// From 1; blank lines count.
    pub number: u64,
    /// The text without white space around it.
    pub bytes: &'a [u8],
}

/// The lines of `body` that are not blank.
pub fn lines(body: &[u8]) -> Lines<'_> {
    Lines { rest: body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body), number: 0 }
}

/// The walk over [`lines`].
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    pub(crate) rest: &'a [u8],
    pub(crate) number: u64,
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        while !self.rest.is_empty() {
            let (line, rest) = match memchr(b'\n', self.rest).and_then(|end| self.rest.split_at_checked(end)) {
                Some((line, rest)) => (line, rest.strip_prefix(b"\n").unwrap_or_default()),
                None => (self.rest, [].as_slice()),
            };
            self.rest = rest;
            self.number += 1;
            let bytes = line.trim_ascii();
            if !bytes.is_empty() {
                return Some(Line { number: self.number, bytes });
            }
        }
        None
    }
}

/// Why a line was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineError {
    /// From 1; in an array the element's number.
    pub line: u64,
    /// One sentence.
    pub message: String,
}

/// What a body held.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// The good events, in the order of their lines.
    pub batch: Batch,
    /// The first [`ERRORS_KEPT_MAX`] errors, in the order of their lines.
    pub errors: Vec<LineError>,
    /// Lines that were not taken, all of them.
    pub rejected: u64,
    /// Lines that are not blank.
    pub lines: u64,
    /// The body holds more than a batch can; what came behind that is missing.
    pub too_large: bool,
}

impl Parsed {
    pub(crate) fn reject(&mut self, line: u64, message: impl Into<String>) {
        self.rejected += 1;
        if self.errors.len() < ERRORS_KEPT_MAX {
            self.errors.push(LineError { line, message: message.into() });
        }
    }

    /// Adds what came behind.
    fn join(&mut self, next: Parsed) {
        self.rejected += next.rejected;
        self.lines += next.lines;
        self.too_large |= next.too_large;
        self.errors.extend(next.errors);
        self.errors.truncate(ERRORS_KEPT_MAX);
        if self.batch.is_empty() {
            self.batch = next.batch;
        } else if self.batch.extend(&next.batch).is_err() {
            self.too_large = true;
        }
    }

    fn take<'a>(&mut self, event: &mut IncomingEvent<'a>, line: Line<'a>, hook: &impl Hook) {
        self.lines += 1;
        if let Err(error) = prepare(event, line, hook) {
            self.reject(line.number, error.message);
            return;
        }
        let is_full = self.batch.len() >= BATCH_EVENTS_MAX
            || self.batch.size_bytes() + line.bytes.len() > annals_engine::BATCH_SIZE_MAX;
        match self.batch.push(&event.as_event()) {
            Ok(()) => {}
            Err(_) if is_full => self.too_large = true,
            Err(error) => self.reject(line.number, error.message()),
        }
    }
}

/// A step of the caller's between filling an event in and taking it: tenancy, ids, defaults.
pub trait Hook: for<'a> Fn(&mut IncomingEvent<'a>, Line<'a>) -> Result<(), EventError> + Sync {}

impl<F: for<'a> Fn(&mut IncomingEvent<'a>, Line<'a>) -> Result<(), EventError> + Sync> Hook for F {}

fn prepare<'a>(event: &mut IncomingEvent<'a>, line: Line<'a>, hook: &impl Hook) -> Result<(), EventError> {
    if line.bytes.len() > LINE_SIZE_MAX {
        return Err(EventError::new(line_too_long()));
    }
    parse_event_into(line.bytes, event)?;
    event.fill_in();
    hook(event, line)
}

pub(crate) fn line_too_long() -> String {
    format!("the line is longer than {LINE_SIZE_MAX} bytes")
}

/// Reads NDJSON on up to `threads` threads; each event is filled in.
///
/// ```
/// let parsed = annals_json::parse_ndjson(b"{\"event_type\":\"a\"}\n\n{\"event_type\":\"b\",\"user_id\":5.5e0}\nnonsense\n", 2);
/// assert_eq!((parsed.batch.len(), parsed.lines, parsed.rejected), (2, 3, 1));
/// assert_eq!(parsed.errors[0].line, 4);
/// ```
pub fn parse_ndjson(body: &[u8], threads: usize) -> Parsed {
    parse_ndjson_with(body, threads, &|_: &mut IncomingEvent<'_>, _: Line<'_>| Ok(()))
}

/// Like [`parse_ndjson`], with a step of the caller's for each event after it was filled in. An error
/// of the step rejects the line.
pub fn parse_ndjson_with(body: &[u8], threads: usize, hook: &impl Hook) -> Parsed {
    parse_lines(&lines(body), threads, hook)
}

pub(crate) fn parse_lines(all: &Lines<'_>, threads: usize, hook: &impl Hook) -> Parsed {
    let chunks = threads.clamp(1, THREADS_MAX).min(all.rest.len() / CHUNK_SIZE_MIN).max(1);
    let mut parts = split(all, chunks).into_iter();
    let Some(first) = parts.next() else { return Parsed::default() };
    std::thread::scope(|scope| {
        let others: Vec<_> = parts.map(|part| scope.spawn(|| parse_chunk(part, hook))).collect();
        let mut parsed = parse_chunk(first, hook);
        for other in others {
            match other.join() {
                Ok(next) => parsed.join(next),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        parsed
    })
}

/// Cuts at ends of lines into about equal parts.
fn split<'a>(all: &Lines<'a>, chunks: usize) -> Vec<Lines<'a>> {
    let chunk_size = all.rest.len() / chunks;
    let mut parts = Vec::with_capacity(chunks);
    let (mut rest, mut number) = (all.rest, all.number);
    while parts.len() + 1 < chunks {
        let end_of_line = rest.get(chunk_size..).and_then(|tail| memchr(b'\n', tail));
        let Some((part, tail)) = end_of_line.and_then(|end| rest.split_at_checked(chunk_size + end + 1)) else { break };
        parts.push(Lines { rest: part, number });
        number += count_u64(memchr_iter(b'\n', part).count());
        rest = tail;
    }
    parts.push(Lines { rest, number });
    parts
}

pub(crate) fn count_u64(count: usize) -> u64 {
    u64::try_from(count).expect("usize is at most 64 bits wide")
}

fn parse_chunk(mut lines: Lines<'_>, hook: &impl Hook) -> Parsed {
    let mut parsed = Parsed::default();
    parse_into(&mut parsed, &mut IncomingEvent::default(), &mut lines, hook);
    parsed
}

/// Adds what the lines hold, until there is more than a batch can take.
pub(crate) fn parse_into<'a>(
    parsed: &mut Parsed,
    event: &mut IncomingEvent<'a>,
    lines: &mut Lines<'a>,
    hook: &impl Hook,
) {
    for line in lines {
        parsed.take(event, line, hook);
        if parsed.too_large {
            break;
        }
    }
}

/// Reads a body that is one JSON array of events or one event; each is filled in.
pub fn parse_json(body: &[u8]) -> Parsed {
    parse_json_with(body, &|_: &mut IncomingEvent<'_>, _: Line<'_>| Ok(()))
}

/// Like [`parse_json`], with a step of the caller's for each event; an element's number stands for
/// its line.
pub fn parse_json_with(body: &[u8], hook: &impl Hook) -> Parsed {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body).trim_ascii();
    let mut parsed = Parsed::default();
    if !body.starts_with(b"[") {
        parsed.take(&mut IncomingEvent::default(), Line { number: 1, bytes: body }, hook);
        return parsed;
    }
    let text = match std::str::from_utf8(body) {
        Ok(text) => text,
        Err(error) => {
            parsed.reject(1, format!("the body is not UTF-8 at byte {}", error.valid_up_to() + 1));
            return parsed;
        }
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let visitor = ArrayVisitor { parsed: &mut parsed, hook };
    let outcome = (&mut deserializer).deserialize_seq(visitor).and_then(|()| deserializer.end());
    if let (Err(error), false) = (outcome, parsed.too_large) {
        let line = parsed.lines + 1;
        parsed.reject(line, format!("the body is not a JSON array: {error}"));
    }
    parsed
}

struct ArrayVisitor<'p, H> {
    parsed: &'p mut Parsed,
    hook: &'p H,
}

impl<'a, H: Hook> Visitor<'a> for ArrayVisitor<'_, H> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut event = IncomingEvent::default();
        while let Some(raw) = seq.next_element::<&'a RawValue>()? {
            let line = Line { number: self.parsed.lines + 1, bytes: raw.get().as_bytes() };
            self.parsed.take(&mut event, line, self.hook);
            if self.parsed.too_large {
                return Err(A::Error::custom("too large"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
