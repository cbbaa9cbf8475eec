//! Reads a whole segment and compares everything in it with everything else.

use crate::codec::{len_u64, row_usize, to_usize};
use crate::error::{Error, Result};
use crate::event::Marks;
use crate::part::OrderKey;

use super::checked::check_chunk;
use super::keyword::KeywordColumn;
use super::keyword_build::ByTerm;
use super::layout::{CHUNK_SIZE, HEADER_SIZE};
use super::sealed::Ends;
use super::{SealedSegment, Stream};

/// Rows that are decoded together: at most so many MiB.
const ROWS_AT_ONCE: u32 = 32;
/// Bytes of one read.
const READ_SIZE: usize = 16 * CHUNK_SIZE;

impl SealedSegment {
    /// Reads the file from the disk, checks every checksum, then decodes every row and compares the
    /// indexes with the columns. `progress` is told the bytes of each read.
    ///
    /// # Errors
    /// `Corrupt` naming the first damage; `Io` if the file cannot be read.
    pub(crate) fn verify_all(&self, progress: &mut dyn FnMut(u64)) -> Result<()> {
        self.verify_bytes(progress)?;
        self.verify_rows()?;
        self.verify_indexes().map_err(|error| error.at_path(self.path()))
    }

    fn verify_bytes(&self, progress: &mut dyn FnMut(u64)) -> Result<()> {
        let failed = |source| Error::io("read", self.path(), source);
        let size = self.handle.len().map_err(failed)?;
        if size != self.size_bytes {
            return Err(
                Error::corrupt(format!("the file has {size} bytes, it had {}", self.size_bytes)).at_path(self.path())
            );
        }
        let mut crcs = self.file.chunk_crcs().iter();
        let mut buffer = Vec::new();
        let mut position = 0;
        while position < self.footer.data_end {
            let len = (self.footer.data_end - position).min(len_u64(READ_SIZE));
            buffer.resize(to_usize(len), 0);
            self.handle.read_at(&mut buffer, position).map_err(failed)?;
            for (chunk, start) in buffer.chunks(CHUNK_SIZE).zip((position..).step_by(CHUNK_SIZE)) {
                check_chunk(chunk, crcs.next().copied())
                    .map_err(|error| error.at_path(self.path()).at_offset(start))?;
            }
            position += len;
            progress(len);
        }
        self.verify_ends(progress)
    }

    /// Header, chunk table and footer once more, as they lie on the disk now.
    pub(super) fn verify_ends(&self, progress: &mut dyn FnMut(u64)) -> Result<()> {
        let failed = |source| Error::io("read", self.path(), source);
        let mut head = vec![0; HEADER_SIZE];
        self.handle.read_at(&mut head, 0).map_err(failed)?;
        let tail_len = self.size_bytes.saturating_sub(self.footer.data_end);
        let mut tail = vec![0; to_usize(tail_len)];
        self.handle.read_at(&mut tail, self.footer.data_end).map_err(failed)?;
        progress(tail_len);
        let ends = Ends::read(&head, &tail, self.footer.data_end, (self.meta.store, self.meta.segment_id), None);
        let ends = ends.map_err(|error| error.at_path(self.path()))?;
        if ends.footer != self.footer || ends.crcs != self.file.chunk_crcs() {
            return Err(Error::corrupt("the segment's footer changed since it was opened").at_path(self.path()));
        }
        Ok(())
    }

    fn verify_rows(&self) -> Result<()> {
        let mut last: Option<OrderKey> = None;
        let mut ascend = true;
        let mut events = Vec::new().into_iter();
        for row in 0..self.rows() {
            if events.len() == 0 {
                // Many at a time: neighbours share what is decoded for them.
                let rows: Vec<u32> = (row..self.rows().min(row.saturating_add(ROWS_AT_ONCE))).collect();
                events = self.events(&rows, |_| Marks::default())?.into_iter();
            }
            let event = events.next().ok_or_else(|| Error::corrupt(format!("row {row} is not read")))?;
            let key = self.key(row)?;
            let (times, sequences) = (self.time_bounds_us(), self.sequence_bounds());
            let inside =
                (times.0..=times.1).contains(&key.created_at_us) && (sequences.0..=sequences.1).contains(&key.sequence);
            if last.is_some_and(|last| last >= key) || !inside {
                return Err(Error::corrupt(format!("row {row} is out of order")).at_path(self.path()));
            }
            if self.ids.as_ref().is_some_and(|ids| {
                !ids.find_indexed(&self.file, event.id).is_ok_and(|rows| rows.binary_search(&row).is_ok())
            }) {
                return Err(Error::corrupt(format!("the id table does not lead to row {row}")).at_path(self.path()));
            }
            ascend &= last.is_none_or(|last| last.sequence < key.sequence);
            last = Some(key);
        }
        if ascend != self.footer.sequences_ascend {
            return Err(Error::corrupt("the footer is wrong about the order of sequences").at_path(self.path()));
        }
        Ok(())
    }

    fn verify_indexes(&self) -> Result<()> {
        for stream in Stream::ALL {
            self.stream(stream).verify(&self.file, &self.fields)?;
        }
        for column in &self.fields {
            let terms = column.dictionary.terms(&self.file)?;
            if terms.iter().any(|term| std::str::from_utf8(term).is_err()) {
                return Err(Error::corrupt(format!("the dictionary of {} is no text", column.field)));
            }
            self.verify_postings(column)?;
        }
        Ok(())
    }

    /// Compares the postings, one after the other, with the column they were made of.
    fn verify_postings(&self, column: &KeywordColumn) -> Result<()> {
        let wrong = |what: String| Err(Error::corrupt(format!("{}: {what}", column.field)));
        let mut sizes = vec![0_u32; row_usize(column.dictionary.len())];
        let (mut values, mut rows_with_value, mut last_row) = (0_u64, 0_u32, None);
        column.scan(&self.file, |row, code| {
            if let Some(size) = code.checked_sub(1).and_then(|at| sizes.get_mut(row_usize(at))) {
                *size += 1;
            }
            values += 1;
            rows_with_value += u32::from(last_row != Some(row));
            last_row = Some(row);
        })?;
        if values != u64::from(column.entry.values) || rows_with_value != column.entry.rows {
            return wrong(format!("the rows hold {values} values, not {}", column.entry.values));
        }
        let mut by_term = ByTerm::with_sizes(&sizes);
        column.scan(&self.file, |row, code| by_term.put(code, row))?;
        for (code, rows) in (1..).zip(by_term.iter()) {
            let posting = column.stored_posting(&self.file, code)?;
            if row_usize(posting.len()) != rows.len() || !posting.iter().eq(rows.iter().copied()) {
                return wrong(format!("the posting of term {code} is not the rows that hold it"));
            }
        }
        Ok(())
    }
}
