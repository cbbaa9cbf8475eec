//! A segment's bytes with their checksums made right, and everything that can be asked of a segment.

use std::path::Path;
use std::sync::Arc;

use super::layout::{self, CHUNK_SIZE, FOOTER_SIZE_MAX, Footer, HEADER_SIZE, TRAILER_SIZE};
use super::{SealedPart, SealedSegment, SegmentForm, SegmentMeta, merge_segments};
use crate::codec::{Reader, len_u64, to_usize};
use crate::error::Result;
use crate::event::Marks;
use crate::field::Field;
use crate::filter::{Filter, TextField};
use crate::metadata;
use crate::overlay::Overlay;
use crate::part::Part;

/// Rows that are read one by one: a few bytes can claim a hundred thousand equal ones.
const ROWS_READ_MAX: u32 = 256;

/// Makes the checksums of header, chunks, chunk table and footer right, as far as they can be found.
pub(crate) fn fix_checksums(bytes: &mut [u8]) {
    let crc = crc32fast::hash(bytes.get(..HEADER_SIZE - 4).unwrap_or_default());
    put(bytes, HEADER_SIZE - 4, &crc.to_le_bytes());
    _ = fix_end(bytes);
}

fn put(bytes: &mut [u8], offset: usize, value: &[u8]) {
    if let Some(slot) = bytes.get_mut(offset..offset + value.len()) {
        slot.copy_from_slice(value);
    }
}

fn fix_end(bytes: &mut [u8]) -> Option<()> {
    let trailer_at = bytes.len().checked_sub(TRAILER_SIZE)?;
    let (footer_len, _) = layout::decode_trailer(bytes.get(trailer_at..)?).ok()?;
    let footer_at = trailer_at.checked_sub(footer_len)?;
    if let Ok(mut footer) = metadata::decode::<Footer>(bytes.get(footer_at..trailer_at)?, FOOTER_SIZE_MAX) {
        let data_end = to_usize(footer.data_end);
        let crcs: Vec<u8> =
            bytes.get(..data_end)?.chunks(CHUNK_SIZE).flat_map(|chunk| crc32fast::hash(chunk).to_le_bytes()).collect();
        if data_end.checked_add(crcs.len()) == Some(footer_at) {
            footer.chunk_table_crc = crc32fast::hash(&crcs);
            put(bytes, data_end, &crcs);
            put(bytes, footer_at, &metadata::encode(&footer).ok()?);
        }
    }
    let owner = bytes.get(16..40)?;
    let mut reader = Reader::new(owner);
    let (store, id) = (reader.u128().ok()?, reader.u64().ok()?);
    let crc = layout::footer_crc(store, id, len_u64(footer_at), bytes.get(footer_at..trailer_at)?);
    put(bytes, trailer_at + 4, &crc.to_le_bytes());
    Some(())
}

/// Who wrote the bytes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// Its checksums hold as they are: what verifies must answer everything.
    ByTheWriter,
    /// Its checksums were made right: it must not cause a panic.
    ByAnybody,
}

/// Asks a segment everything; returns whether it verifies.
pub(crate) fn read_everything(segment: &Arc<SealedSegment>, written: Written) -> bool {
    let few = segment.rows() <= ROWS_READ_MAX * 16;
    let good = few && segment.verify_all(&mut |_| ()).is_ok();
    let verified = good && written == Written::ByTheWriter;
    let mut overlay = Overlay::default();
    overlay.tombstones.insert(0);
    overlay.acknowledged.insert(1);
    for overlay in [Arc::new(Overlay::default()), Arc::new(overlay)] {
        let part = SealedPart::new(Arc::clone(segment), overlay);
        let asked = ask(&part);
        assert!(!verified || asked.is_ok(), "a segment that verifies does not answer: {asked:?}");
    }
    let rows = segment.rows();
    for row in (0..rows.min(ROWS_READ_MAX)).chain(rows.checked_sub(1)) {
        let read = segment.event(row, Marks::default()).and_then(|event| {
            let found = segment.find_id(event.id)?;
            Ok((event, found))
        });
        assert!(!verified || read.is_ok_and(|(_, found)| found.contains(&row)), "row {row} is not found by its id");
    }
    if few {
        merge(segment, Path::new("merged"), verified);
    }
    good
}

/// Filters of every kind, with values that the seeds hold and values they do not.
fn filters() -> Vec<Filter> {
    let mut filters = vec![
        Filter::All,
        Filter::created_between(1_000_000, 1_700_000_000_000_000),
        Filter::SequenceBetween { from: 2, to: 5 },
        Filter::Acknowledged(true),
        Filter::Within(Field::RealmIds, vec!["eu".to_owned(), "us".to_owned()]),
        Filter::Contains(TextField::MessageOrContent, "needle".to_owned()),
        Filter::Contains(TextField::Message, "8".to_owned()),
        Filter::Contains(TextField::Message, "e 8".to_owned()),
        Filter::TextEquals(TextField::Content, "content".to_owned()).not(),
    ];
    for field in Field::ALL {
        filters.push(Filter::Prefix(*field, String::new()));
        filters.push(Filter::Prefix(*field, "a".to_owned()));
        filters.push(Filter::any_of(*field, ["a", "user.login", "ada", "eu"]));
    }
    filters
}

fn ask(part: &SealedPart) -> Result<()> {
    let row_count = part.row_count();
    let mut outcome = Ok(());
    let mut keep = |result: Result<()>| {
        if outcome.is_ok() {
            outcome = result;
        }
    };
    for filter in filters() {
        keep(part.select(&filter).map(|rows| {
            assert!(rows.len() <= row_count);
            assert!(rows.nth(rows.len().saturating_sub(1)).is_none_or(|last| last < row_count));
        }));
    }
    let everything = part.select(&Filter::All);
    if let Ok(rows) = everything {
        for field in Field::ALL {
            keep(part.count_by(*field, &rows, &mut |_, count| assert!(count > 0)));
        }
    }
    if let Ok(first) = part.key(0) {
        keep(part.lower_bound(first).map(|_| ()));
        keep(part.find_sequence(first.sequence).map(|_| ()));
    }
    outcome
}

/// Merges the segment without its first row into a new file.
fn merge(segment: &Arc<SealedSegment>, path: &Path, verified: bool) {
    let storage = crate::fuzzing::empty_disk();
    let mut overlay = Overlay::default();
    overlay.tombstones.insert(0);
    let meta = SegmentMeta { store: 1, segment_id: 2, created_at_us: 3 };
    let inputs = [(Arc::clone(segment), Arc::new(overlay))];
    for form in [SegmentForm::Fresh, SegmentForm::Packed] {
        let outcome = merge_segments(&*storage, path, &meta, &inputs, form, &|| true);
        assert!(!verified || outcome.is_ok(), "a segment that verifies cannot be merged: {outcome:?}");
        if let (true, Ok(Some(merged))) = (verified, &outcome) {
            assert_eq!(merged.summary.rows, segment.rows() - 1);
            let crc = Some(merged.summary.footer_crc);
            let again = SealedSegment::open(&*storage, path, 1, 2, crc).expect("just written");
            again.verify_all(&mut |_| ()).expect("what was merged verifies");
        }
        if matches!(outcome, Ok(Some(_))) {
            storage.remove(path).expect("the disk is empty but for it");
        }
    }
}
