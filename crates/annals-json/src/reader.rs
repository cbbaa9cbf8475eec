//! NDJSON from a stream of any length, batch by batch, in bounded memory.

use std::io::{self, ErrorKind, Read};

use annals_engine::BATCH_EVENTS_MAX;
use memchr::{memchr, memchr_iter, memrchr};

use crate::ndjson::{BYTE_ORDER_MARK, Hook, LINE_SIZE_MAX, Lines, Parsed, count_u64, line_too_long, parse_lines};

/// Bytes read before a batch is made: enough for a few thousand events and for several threads.
const BLOCK_SIZE_DEFAULT: usize = 4 << 20;
/// Holds every line that is not escaped through and through.
const BLOCK_SIZE_MIN: usize = 3 << 19;
/// A block that must hold the longest line and its end. Such lines are rare: a block grows when one comes.
const BLOCK_SIZE_GROWN: usize = LINE_SIZE_MAX + 1;
/// Filled in and encoded, a block of short lines grows to at most three times its size, and a batch
/// holds 64 MiB.
const BLOCK_SIZE_MAX: usize = 16 << 20;
const _: () = assert!(
    BLOCK_SIZE_MIN <= BLOCK_SIZE_DEFAULT
        && BLOCK_SIZE_DEFAULT <= BLOCK_SIZE_GROWN
        && BLOCK_SIZE_GROWN <= BLOCK_SIZE_MAX
);

/// Reads events from a stream of NDJSON. Holds one block of bytes, which grows for a line that does not
/// fit up to the longest one that is taken, and one batch.
///
/// ```
/// let body = b"{\"event_type\":\"a\"}\n{\"event_type\":\"b\"}\n".as_slice();
/// let mut reader = annals_json::BatchReader::new(body);
/// let parsed = reader.next_batch(&|_: &mut annals_json::IncomingEvent<'_>, _: annals_json::Line<'_>| Ok(()))?;
/// assert_eq!(parsed.map(|parsed| parsed.batch.len()), Some(2));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct BatchReader<R> {
    source: R,
    buffer: Vec<u8>,
    filled: usize,
    threads: usize,
    /// Lines behind us.
    line: u64,
    bytes: u64,
    /// Inside of a line that is too long.
    skipping: bool,
    ended: bool,
}

impl<R: Read> BatchReader<R> {
    /// Reads blocks of 4 MiB on one thread.
    pub fn new(source: R) -> Self {
        Self {
            source,
            buffer: vec![0; BLOCK_SIZE_DEFAULT],
            filled: 0,
            threads: 1,
            line: 0,
            bytes: 0,
            skipping: false,
            ended: false,
        }
    }

    /// Parses each block on up to `threads` threads.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Reads up to `bytes` per batch; what is too small for common lines or too large for a batch is
    /// brought to the nearest size that fits.
    #[must_use]
    pub fn with_block_size(mut self, bytes: usize) -> Self {
        self.buffer.resize(bytes.clamp(BLOCK_SIZE_MIN, BLOCK_SIZE_MAX), 0);
        self
    }

    /// Lines of the stream that were taken so far, blank ones included: those of the batches it gave.
    pub fn lines_read(&self) -> u64 {
        self.line
    }

    /// Bytes of the stream that were taken so far.
    pub fn bytes_read(&self) -> u64 {
        self.bytes
    }

    /// The next batch, with the errors of its lines; `None` at the end of the stream. Waits for a
    /// whole block or the end; or, once it holds a whole line, for the stream to say `WouldBlock`,
    /// which means that it pauses.
    ///
    /// # Errors
    /// Whatever the stream reports. The batches before it are good.
    pub fn next_batch(&mut self, hook: &impl Hook) -> io::Result<Option<Parsed>> {
        loop {
            self.fill()?;
            if self.filled == 0 {
                let ended_inside = std::mem::take(&mut self.skipping);
                return Ok(ended_inside.then(|| self.reject_long_line()));
            }
            if self.skipping {
                let end = memchr(b'\n', self.held());
                self.consume(end.map_or(self.filled, |end| end + 1));
                if end.is_some() {
                    self.skipping = false;
                    return Ok(Some(self.reject_long_line()));
                }
                continue;
            }
            let Some(size) = self.whole_lines() else {
                if self.buffer.len() < BLOCK_SIZE_GROWN {
                    self.buffer.resize(BLOCK_SIZE_GROWN, 0);
                    continue;
                }
                self.skipping = true;
                continue;
            };
            let block = self.held().get(..size).unwrap_or_default();
            let newlines = count_u64(memchr_iter(b'\n', block).count());
            let rest = if self.line == 0 { block.strip_prefix(BYTE_ORDER_MARK).unwrap_or(block) } else { block };
            let parsed = parse_lines(&Lines { rest, number: self.line }, self.threads, hook);
            self.line += newlines;
            self.consume(size);
            return Ok(Some(parsed));
        }
    }

    fn held(&self) -> &[u8] {
        self.buffer.get(..self.filled).unwrap_or_default()
    }

    fn fill(&mut self) -> io::Result<()> {
        while !self.ended && self.filled < self.buffer.len() {
            match self.source.read(self.buffer.get_mut(self.filled..).unwrap_or_default()) {
                Ok(0) => self.ended = true,
                // A reader that claims more than it was given room for is not believed.
                Ok(read) => self.filled = (self.filled + read).min(self.buffer.len()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if memrchr(b'\n', self.held()).is_some() {
                        return Ok(());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Bytes of the whole lines held, no more than a batch has events.
    fn whole_lines(&self) -> Option<usize> {
        let held = self.held();
        if let Some(end) = memchr_iter(b'\n', held).nth(BATCH_EVENTS_MAX - 1) {
            return Some(end + 1);
        }
        if self.ended { Some(self.filled) } else { memrchr(b'\n', held).map(|end| end + 1) }
    }

    fn consume(&mut self, size: usize) {
        self.buffer.copy_within(size..self.filled, 0);
        self.filled -= size;
        self.bytes += count_u64(size);
    }

    fn reject_long_line(&mut self) -> Parsed {
        self.line += 1;
        let mut parsed = Parsed { lines: 1, ..Parsed::default() };
        parsed.reject(self.line, line_too_long());
        parsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{IncomingEvent, Line};

    fn read_all(body: &[u8]) -> (usize, Vec<u64>) {
        let mut reader = BatchReader::new(body).with_threads(2).with_block_size(0);
        let (mut events, mut bad_lines) = (0, Vec::new());
        while let Some(parsed) = reader.next_batch(&|_: &mut IncomingEvent<'_>, _: Line<'_>| Ok(())).unwrap() {
            assert!(!parsed.too_large);
            events += parsed.batch.len();
            bad_lines.extend(parsed.errors.iter().map(|error| error.line));
        }
        assert_eq!(reader.bytes_read(), body.len() as u64);
        (events, bad_lines)
    }

    #[test]
    fn blocks_are_joined_to_the_same_lines() {
        let mut body = b"\xef\xbb\xbf".to_vec();
        for number in 0..60_000 {
            body.extend_from_slice(
                format!("{{\"event_type\":\"t{number}\",\"message\":\"some text\"}}\r\n").as_bytes(),
            );
            if number % 20_000 == 10_000 {
                body.extend_from_slice(b"\n{}\n");
            }
        }
        body.extend_from_slice(b"{\"event_type\":\"last\"}");
        assert_eq!(read_all(&body), (60_001, vec![10_003, 30_005, 50_007]));
    }

    #[test]
    fn a_line_beyond_the_limit_is_one_error() {
        let good = b"{\"event_type\":\"a\"}\n";
        let mut body = good.to_vec();
        body.extend(std::iter::repeat_n(b' ', 3 * LINE_SIZE_MAX));
        body.push(b'\n');
        body.extend_from_slice(good);
        body.extend(std::iter::repeat_n(b'x', LINE_SIZE_MAX + 1));
        body.push(b'\n');
        body.extend_from_slice(good);
        body.extend(std::iter::repeat_n(b'y', 2 * LINE_SIZE_MAX));
        assert_eq!(read_all(&body), (3, vec![2, 4, 6]));
    }

    #[test]
    fn an_event_of_which_every_byte_is_escaped_is_taken() {
        let escaped = "\\u0001".repeat(annals_engine::CONTENT_SIZE_MAX);
        let mut body = b"{\"event_type\":\"a\"}\n".to_vec();
        body.extend_from_slice(format!("{{\"event_type\":\"b\",\"content\":\"{escaped}\"}}\n{{}}\n").as_bytes());
        assert!(body.len() > BLOCK_SIZE_MIN);
        assert_eq!(read_all(&body), (2, vec![3]));
    }

    #[test]
    fn more_events_than_a_batch_holds_come_in_several() {
        let body = b"{\"event_type\":\"a\"}\n".repeat(BATCH_EVENTS_MAX + 5);
        let mut reader = BatchReader::new(body.as_slice());
        let sizes: Vec<usize> =
            std::iter::from_fn(|| reader.next_batch(&|_: &mut IncomingEvent<'_>, _: Line<'_>| Ok(())).unwrap())
                .map(|parsed| parsed.batch.len())
                .collect();
        assert_eq!(sizes, [BATCH_EVENTS_MAX, 5]);
    }

    /// Pauses after each piece, more than once.
    struct Pausing(std::vec::IntoIter<Option<&'static [u8]>>);

    impl Read for Pausing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.next() {
                None => Ok(0),
                Some(None) => Err(ErrorKind::WouldBlock.into()),
                Some(Some(piece)) => {
                    buffer[..piece.len()].copy_from_slice(piece);
                    Ok(piece.len())
                }
            }
        }
    }

    #[test]
    fn a_pause_hands_over_the_whole_lines() {
        let pieces: Vec<Option<&[u8]>> = vec![
            None,
            Some(b"{\"event_type\":\"a\"}\n{\"event_type\":\"b\"}\n{\"event"),
            None,
            None,
            Some(b"_type\":\"c\"}\n"),
            Some(b"{}\n"),
            None,
            None,
            Some(b"{\"event_type\":\"d\"}"),
        ];
        let mut reader = BatchReader::new(Pausing(pieces.into_iter()));
        let batches: Vec<(usize, Vec<u64>)> =
            std::iter::from_fn(|| reader.next_batch(&|_: &mut IncomingEvent<'_>, _: Line<'_>| Ok(())).unwrap())
                .map(|parsed| (parsed.batch.len(), parsed.errors.iter().map(|error| error.line).collect()))
                .collect();
        assert_eq!(batches, [(2, vec![]), (1, vec![4]), (1, vec![])]);
    }

    #[test]
    fn an_empty_stream_has_no_batch() {
        assert_eq!(read_all(b""), (0, vec![]));
    }
}
