//! Columns -> a sealed segment file.

use std::path::Path;

use crate::error::{Error, Result};
use crate::id::EventId;
use crate::storage::Storage;

use super::layout::{Footer, Section, SectionKind};
use super::writer::SegmentWriter;
use super::{
    SEGMENT_ROWS_MAX, SegmentForm, SegmentInput, SegmentMeta, SegmentSummary, Stream, ids, keyword_build, packed,
    payload, text,
};

/// Writes a segment into the new file `path` and makes it durable; the caller syncs its folder and names it in the
/// manifest.
///
/// The bytes depend on `meta`, `input` and `form` alone. After an error the file, if it was made, is removed.
///
/// # Errors
/// `InvalidInput` if the columns contradict each other; `DiskFull`, `Io`; whatever the texts' source says.
pub(crate) fn build_segment(
    storage: &dyn Storage,
    path: &Path,
    meta: &SegmentMeta,
    input: SegmentInput<'_>,
    form: SegmentForm,
) -> Result<SegmentSummary> {
    check(&input)?;
    let writer = SegmentWriter::create(storage, path, meta)?;
    let built = write(writer, meta, input, form);
    if built.is_err() {
        // Best effort: the error in hand says more than a failed removal would.
        let _ = storage.remove(path);
    }
    built
}

fn check(input: &SegmentInput<'_>) -> Result<()> {
    let rows = input.created_at_us.len();
    if rows == 0 || rows > SEGMENT_ROWS_MAX {
        return Err(Error::invalid_input(format!("a segment has 1 to {SEGMENT_ROWS_MAX} rows, not {rows}")));
    }
    if input.sequences.len() != rows || input.ids.len() != rows {
        return Err(Error::invalid_input("the columns of a segment differ in length"));
    }
    let keys = input.created_at_us.iter().zip(&input.sequences);
    if !keys.is_sorted_by(|a, b| a < b) {
        return Err(Error::invalid_input("the rows of a segment do not ascend by created_at and sequence"));
    }
    if input.sequences.iter().any(|sequence| i64::try_from(*sequence).is_err()) {
        return Err(Error::invalid_input("a sequence exceeds 63 bits"));
    }
    Ok(())
}

fn write(
    mut writer: SegmentWriter,
    meta: &SegmentMeta,
    input: SegmentInput<'_>,
    form: SegmentForm,
) -> Result<SegmentSummary> {
    let SegmentInput { created_at_us, sequences, ids, mut keywords, texts } = input;
    let rows = u32::try_from(created_at_us.len()).expect("checked against SEGMENT_ROWS_MAX");
    write_keys(&mut writer, &created_at_us, &sequences)?;
    let ids_made = write_ids(&mut writer, meta.store, &created_at_us, &sequences, &ids)?;
    let time_bounds_us = bounds(&created_at_us);
    let sequence_bounds = bounds(&sequences);
    let sequences_ascend = sequences.is_sorted_by(|a, b| a < b);
    drop((sequences, ids));
    keywords.sort_by_key(|keyword| keyword.field);
    if !keywords.is_sorted_by(|a, b| a.field < b.field) {
        return Err(Error::invalid_input("a segment to be built has a field twice"));
    }
    // Before the fields, whose building takes their columns: payloads repeat them.
    payload::write(&mut writer, rows, texts, (&keywords, &created_at_us), form)?;
    drop(created_at_us);
    let fields = keyword_build::write(&mut writer, keywords, rows)?;
    for stream in Stream::ALL.into_iter().filter(|stream| *stream != Stream::Payload) {
        text::write(&mut writer, stream, rows, texts)?;
    }
    let footer = Footer {
        rows,
        created_at_min_us: time_bounds_us.0,
        created_at_max_us: time_bounds_us.1,
        sequence_min: sequence_bounds.0,
        sequence_max: sequence_bounds.1,
        sequences_ascend,
        ids_made,
        is_packed: form == SegmentForm::Packed,
        data_end: 0,
        chunk_table_crc: 0,
        fields,
        sections: Vec::new(),
    };
    let (size_bytes, footer_crc) = writer.finish(footer)?;
    Ok(SegmentSummary { rows, size_bytes, footer_crc, time_bounds_us, sequence_bounds })
}

fn bounds<T: Copy + Ord + Default>(values: &[T]) -> (T, T) {
    let min = values.iter().copied().min().unwrap_or_default();
    (min, values.iter().copied().max().unwrap_or_default())
}

fn write_keys(writer: &mut SegmentWriter, created_at_us: &[i64], sequences: &[u64]) -> Result<()> {
    let mut section = Section::new(SectionKind::CreatedAt, 0, 0);
    let bytes = packed::frame(&mut section, created_at_us);
    writer.section(section, &bytes)?;
    let mut section = Section::new(SectionKind::Sequence, 0, 0);
    let signed: Vec<i64> = sequences.iter().map(|sequence| sequence.cast_signed()).collect();
    let bytes = packed::frame(&mut section, &signed);
    writer.section(section, &bytes)
}

/// Writes the ids unless all can be computed; returns whether they can.
fn write_ids(
    writer: &mut SegmentWriter,
    store: u128,
    created_at_us: &[i64],
    sequences: &[u64],
    ids: &[EventId],
) -> Result<bool> {
    let mut made = created_at_us.iter().zip(sequences).map(|(time, sequence)| EventId::made(*time, *sequence));
    if ids.iter().all(|id| made.next() == Some(*id)) {
        return Ok(true);
    }
    ids::write(writer, store, created_at_us, ids)?;
    Ok(false)
}
