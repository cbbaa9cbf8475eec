//! Damage is an error or the right answer, never a panic or a wrong row.

use std::fs;

use super::*;
use crate::codec::row_usize;
use crate::error::ErrorKind;
use crate::event::Marks;
use crate::filter::{Filter, TextField};
use crate::part::Part;
use crate::rows::RowSet;

/// Everything a segment of `events` answers, or the first error.
fn read_everything(path: &Path, events: &[StoredEvent]) -> Result<()> {
    let segment = Arc::new(open(path, 1)?);
    let part = SealedPart::new(Arc::clone(&segment), Arc::new(Overlay::default()));
    assert_eq!(part.row_count() as usize, events.len());
    let all = RowSet::from_range(0..part.row_count());
    for (row, event) in (0..).zip(events) {
        assert_eq!(&segment.event(row, Marks::default())?, event);
        assert!(part.find_id(event.id)?.contains(&row));
        assert_eq!(part.find_sequence(event.sequence)?, Some(row));
    }
    for needle in ["user 1", "4", "s", "logged in", "été"] {
        let holds = |event: &StoredEvent| event.message().is_some_and(|text| text.to_lowercase().contains(needle));
        let expected: Vec<u32> = (0..).zip(events).filter(|(_, event)| holds(event)).map(|(row, _)| row).collect();
        let rows = part.select(&Filter::Contains(TextField::Message, needle.to_owned()))?;
        assert_eq!(rows.iter().collect::<Vec<_>>(), expected);
    }
    for field in Field::ALL {
        let mut counts = Vec::new();
        part.count_by(*field, &all, &mut |value, count| counts.push((value.to_owned(), count)))?;
        for (value, count) in counts {
            let rows = part.select(&Filter::Term(*field, value.clone()))?;
            let expected: Vec<u32> =
                (0..).zip(events).filter(|(_, e)| e.values(*field).any(|v| v == value)).map(|(row, _)| row).collect();
            assert_eq!(rows.iter().collect::<Vec<_>>(), expected);
            assert_eq!(count as usize, expected.len());
        }
    }
    Ok(())
}

/// Writes a new file: some file systems flush one that is cut and written again, thousands of times here.
fn replace(path: &Path, bytes: &[u8]) {
    let _ = fs::remove_file(path);
    fs::write(path, bytes).unwrap();
}

fn assert_honest(outcome: Result<()>, place: &str) {
    if let Err(error) = outcome {
        assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::UnsupportedFormat), "{place}: {error}");
        assert!(error.path().is_some(), "{place}: {error} names no file");
    }
}

#[test]
fn a_flipped_bit_anywhere_is_an_error_or_changes_nothing() {
    let built = written(random_events(0, 12, 0));
    let good = fs::read(&built.path).unwrap();
    let damaged_path = built.folder.path().join("damaged.seg");
    let mut errors = 0;
    for position in 0..good.len() {
        let mut bytes = good.clone();
        bytes[position] ^= 1 << (position % 8);
        replace(&damaged_path, &bytes);
        let outcome = read_everything(&damaged_path, &built.events);
        errors += usize::from(outcome.is_err());
        assert_honest(outcome, &format!("bit in byte {position}"));
        assert!(open(&damaged_path, 1).and_then(|segment| segment.verify_all(&mut |_| {})).is_err(), "{position}");
    }
    assert_eq!(errors, good.len(), "the segment is smaller than a chunk: all of it is under a checksum that is used");
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let built = written(random_events(5, 12, 0));
    let good = fs::read(&built.path).unwrap();
    let cut_path = built.folder.path().join("cut.seg");
    for len in 0..good.len() {
        replace(&cut_path, &good[..len]);
        let outcome = open(&cut_path, 1).map(|_| ());
        assert!(outcome.is_err(), "cut to {len}");
        assert_honest(outcome, &format!("cut to {len}"));
    }
    let mut longer = good.clone();
    longer.push(0);
    replace(&cut_path, &longer);
    assert!(open(&cut_path, 1).is_err());
}

#[test]
fn damage_behind_the_checksums_is_found_by_the_structure() {
    // The chunk table is made to match the damage: only what the readers check by themselves is left.
    let built = written(random_events(11, 40, 0));
    let good = fs::read(&built.path).unwrap();
    let damaged_path = built.folder.path().join("forged.seg");
    let data_end = built.segment.footer.data_end as usize;
    let mut random = Random(1);
    for position in (layout::HEADER_SIZE..data_end).step_by(3) {
        let mut bytes = good.clone();
        bytes[position] ^= 1 << random.below(8);
        forge(&mut bytes, data_end, &built.segment.footer);
        replace(&damaged_path, &bytes);
        use_everything(open(&damaged_path, 1).unwrap(), &built.events);
    }
}

/// Asks for everything; any answer or error will do, a panic will not.
fn use_everything(segment: SealedSegment, events: &[StoredEvent]) {
    let segment = Arc::new(segment);
    let part = SealedPart::new(Arc::clone(&segment), Arc::new(Overlay::default()));
    let all = RowSet::from_range(0..part.row_count());
    for row in 0..part.row_count().min(1000) {
        let _ = part.event(row);
    }
    for event in events {
        let _ = (part.find_id(event.id), part.find_sequence(event.sequence));
        let _ = part.select(&Filter::SequenceBetween { from: event.sequence, to: event.sequence + 9 });
    }
    for needle in ["user 1", "4", "s", "logged in", "été"] {
        let _ = part.select(&Filter::Contains(TextField::MessageOrContent, needle.to_owned()));
    }
    for field in Field::ALL {
        let _ = part.select(&Filter::Prefix(*field, "v".to_owned()));
        let _ = part.count_by(*field, &all, &mut |_, _| {});
    }
    let _ = segment.verify_all(&mut |_| {});
}

#[test]
fn a_wrong_footer_under_a_right_checksum_is_an_error_or_an_answer() {
    let built = written(random_events(11, 40, 0));
    let good = fs::read(&built.path).unwrap();
    let forged_path = built.folder.path().join("forged.seg");
    let trailer_at = good.len() - layout::TRAILER_SIZE;
    let (footer_len, _) = layout::decode_trailer(&good[trailer_at..]).unwrap();
    let footer_at = trailer_at - footer_len;
    let mut refused = 0;
    for position in 0..footer_len {
        for bit in [position % 8, (position + 3) % 8] {
            let mut bytes = good[..trailer_at].to_vec();
            bytes[footer_at + position] ^= 1 << bit;
            let crc = layout::footer_crc(STORE, 1, footer_at as u64, &bytes[footer_at..]);
            bytes.extend_from_slice(&layout::encode_trailer(footer_len as u32, crc));
            replace(&forged_path, &bytes);
            match open(&forged_path, 1) {
                Ok(segment) => use_everything(segment, &built.events),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Corrupt);
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > footer_len, "most of a footer is checked on opening, {refused} of {} were", 2 * footer_len);
}

#[test]
fn a_footer_that_claims_more_values_than_its_rows_can_hold_is_refused() {
    // A fuzzer found that merging such a segment reserved 16 GiB.
    let built = written(random_events(11, 40, 0));
    let good = fs::read(&built.path).unwrap();
    let forged_path = built.folder.path().join("forged.seg");
    let footer = &built.segment.footer;
    for index in 0..footer.fields.len() {
        for values in [0, u32::MAX] {
            let mut footer = footer.clone();
            footer.fields[index].values = values;
            let mut bytes = good.clone();
            forge(&mut bytes, footer.data_end as usize, &footer);
            replace(&forged_path, &bytes);
            assert_eq!(open(&forged_path, 1).unwrap_err().kind(), ErrorKind::Corrupt);
        }
    }
}

#[test]
fn terms_that_do_not_ascend_are_refused_by_a_merge() {
    let built = written(random_events(11, 40, 0));
    let good = fs::read(&built.path).unwrap();
    let forged_path = built.folder.path().join("forged.seg");
    let footer = &built.segment.footer;
    // Packed terms, and terms as they are: one is written over the next one of its length.
    for field in [Field::SessionId, Field::ActorType] {
        let column = built.segment.keyword(field).unwrap();
        let section = footer.find(layout::SectionKind::TermBytes, field.number()).unwrap();
        let terms = column.dictionary.terms(&built.segment.file).unwrap();
        let lens: Vec<usize> = terms.iter().map(|term| if section.width == 0 { term.len() } else { 16 }).collect();
        let at = lens.windows(2).position(|pair| pair[0] == pair[1]).unwrap();
        let start = section.offset as usize + lens[..at].iter().sum::<usize>();
        let mut bytes = good.clone();
        bytes.copy_within(start..start + lens[at], start + lens[at]);
        forge(&mut bytes, footer.data_end as usize, footer);
        replace(&forged_path, &bytes);
        let segment = Arc::new(open(&forged_path, 1).unwrap());
        assert_eq!(segment.verify_all(&mut |_| {}).unwrap_err().kind(), ErrorKind::Corrupt, "{field}");
        let target = built.folder.path().join("merged.seg");
        let inputs = [(segment, Arc::new(Overlay::default()))];
        let merged = merge_segments(&OsStorage::new(), &target, &meta(2), &inputs, SegmentForm::Packed, &|| true);
        assert_eq!(merged.unwrap_err().kind(), ErrorKind::Corrupt, "{field}");
    }
}

/// Recomputes the checksums over damaged sections.
pub(super) fn forge(bytes: &mut Vec<u8>, data_end: usize, footer: &layout::Footer) {
    let table: Vec<u8> =
        bytes[..data_end].chunks(layout::CHUNK_SIZE).flat_map(|chunk| crc32fast::hash(chunk).to_le_bytes()).collect();
    let mut footer = footer.clone();
    footer.chunk_table_crc = crc32fast::hash(&table);
    let encoded = crate::metadata::encode(&footer).unwrap();
    let crc = layout::footer_crc(STORE, 1, (data_end + table.len()) as u64, &encoded);
    bytes.truncate(data_end);
    bytes.extend_from_slice(&table);
    bytes.extend_from_slice(&encoded);
    bytes.extend_from_slice(&layout::encode_trailer(encoded.len() as u32, crc));
}

/// Rows of which postings and id table are larger than a few chunks.
fn many_small_events(rows: u64) -> Vec<StoredEvent> {
    let mut random = Random(3);
    let events = (1..=rows).map(|sequence| {
        let resource = format!("r{}", random.below(rows / 2));
        let mut event = Event::new("a.b");
        event.set(Field::ResourceId, &resource);
        event.created_at_us = Some(1_700_000_000_000_000 + sequence.cast_signed());
        event.id = Some(EventId::from_u128(u128::from(random.next()) << 32));
        let mut bytes = Vec::new();
        record::encode(&event, &mut bytes, &mut crate::batch_terms::Terms::default());
        Record::take(&mut Reader::new(&bytes)).unwrap().to_stored(sequence).unwrap()
    });
    events.collect()
}

/// Flips a bit in a chunk that lies wholly inside a section, and opens the file again.
fn with_damage_inside(built: &Written, kind: layout::SectionKind, field: u8) -> Arc<SealedSegment> {
    let section = built.segment.footer.find(kind, field).unwrap();
    let chunk = layout::CHUNK_SIZE as u64;
    let position = section.offset.next_multiple_of(chunk) + 7;
    assert!(position - 7 + chunk <= section.offset + section.len, "{kind:?} spans a whole chunk");
    let mut bytes = fs::read(&built.path).unwrap();
    bytes[position as usize] ^= 1;
    let path = built.folder.path().join(format!("{}.seg", section.kind));
    replace(&path, &bytes);
    let segment = Arc::new(open(&path, 1).unwrap());
    let error = segment.verify_all(&mut |_| {}).unwrap_err();
    assert_eq!((error.kind(), error.offset()), (ErrorKind::Corrupt, Some(position - 7)));
    segment
}

#[test]
fn a_damaged_posting_is_read_off_the_codes() {
    let built = written(many_small_events(150_000));
    let segment = with_damage_inside(&built, layout::SectionKind::PostingBits, Field::ResourceId.number());
    let (damaged, sound) =
        (segment.keyword(Field::ResourceId).unwrap(), built.segment.keyword(Field::ResourceId).unwrap());
    let mut rebuilt = 0;
    for code in (1..=damaged.dictionary.len()).step_by(997) {
        rebuilt += usize::from(damaged.stored_posting(&segment.file, code).is_err());
        let rows = damaged.posting(&segment.file, code).unwrap();
        assert_eq!(rows, sound.posting(&built.segment.file, code).unwrap());
    }
    assert!(rebuilt > 0, "some of the postings lie in the damaged chunk");
    for first in (1..60_000).step_by(5000) {
        let codes = first..first + 5000;
        let rows = damaged.postings(&segment.file, codes.clone()).unwrap();
        assert_eq!(rows, sound.postings(&built.segment.file, codes).unwrap());
    }
}

#[test]
fn a_damaged_id_table_is_replaced_by_a_search() {
    let built = written(many_small_events(150_000));
    let segment = with_damage_inside(&built, layout::SectionKind::IdRows, 0);
    let mut searched = 0;
    for (row, event) in (0..).zip(&built.events).step_by(1499) {
        let table = segment.ids.as_ref().unwrap();
        searched += usize::from(table.find_indexed(&segment.file, event.id).is_err());
        assert_eq!(segment.find_id(event.id).unwrap(), [row]);
    }
    assert!(searched > 0, "some of the buckets lie in the damaged chunk");
}

#[test]
fn damaged_times_do_not_hide_the_ids_of_other_rows() {
    let mut random = Random(8);
    let millis = |created_at_us: i64| u128::from((created_at_us / 1000).cast_unsigned());
    let id = |created_at_us, rest: u64| {
        EventId::from_u128(millis(created_at_us) << 80 | 7 << 76 | 2 << 62 | u128::from(rest >> 2))
    };
    let events = (1..=150_000_u64).map(|sequence| {
        let mut event = Event::new("a.b");
        let created_at_us = 1_700_000_000_000_000 + (sequence * 20_000 + random.below(16_000)).cast_signed();
        event.created_at_us = Some(created_at_us);
        event.id = Some(id(created_at_us, random.next()));
        let mut bytes = Vec::new();
        record::encode(&event, &mut bytes, &mut crate::batch_terms::Terms::default());
        Record::take(&mut Reader::new(&bytes)).unwrap().to_stored(sequence).unwrap()
    });
    let built = written(events.collect());
    assert!(built.segment.footer.find(layout::SectionKind::IdBuckets, 0).is_none(), "ids are found by their time");
    let segment = with_damage_inside(&built, layout::SectionKind::CreatedAt, 0);
    let (mut searched, mut unreadable) = (0, 0);
    let ids = segment.ids.as_ref().unwrap();
    let readable: Vec<bool> = (0..150_000).map(|row| ids.get(&segment.file, row).is_ok()).collect();
    for (row, event) in (0..).zip(&built.events) {
        // A place is guessed, so that only rows close to the damage are looked for in damaged bytes.
        let near = row_usize(row).saturating_sub(30)..(row_usize(row) + 30).min(readable.len());
        let at_the_edge = readable[row_usize(row)] && readable[near].contains(&false);
        if !at_the_edge && row % 1499 != 0 {
            continue;
        }
        let indexed = ids.find_indexed(&segment.file, event.id);
        if ids.get(&segment.file, row).is_err() {
            unreadable += 1;
            assert_eq!(segment.find_id(event.id).unwrap_err().kind(), ErrorKind::Corrupt);
            continue;
        }
        searched += usize::from(indexed.is_err());
        assert_eq!(segment.find_id(event.id).unwrap(), [row]);
        assert!(segment.find_id(id(event.created_at_us, random.next())).unwrap().is_empty());
    }
    assert!(searched > 0 && unreadable > 0, "{searched} of the ids were searched for, {unreadable} unreadable");
}

#[test]
fn a_damaged_column_is_reported_where_it_is_used_and_only_there() {
    let built = written(many_small_events(150_000));
    let segment = with_damage_inside(&built, layout::SectionKind::Ids, 0);
    let outcomes: Vec<bool> =
        (0..150_000).step_by(100).map(|row| segment.event(row, Marks::default()).is_ok()).collect();
    assert!(outcomes.contains(&true) && outcomes.contains(&false));
    let part = SealedPart::new(Arc::clone(&segment), Arc::new(Overlay::default()));
    let expected = built.events[77].get(Field::ResourceId).unwrap().to_owned();
    assert!(part.select(&Filter::Term(Field::ResourceId, expected)).unwrap().contains(77));
}

#[test]
fn files_of_others_and_of_the_future_are_refused() {
    let built = written(random_events(2, 5, 0));
    let kind = |store, id, crc| {
        SealedSegment::open(&OsStorage::new(), &built.path, store, id, crc).map(|_| ()).unwrap_err().kind()
    };
    assert_eq!(kind(STORE + 1, 1, None), ErrorKind::Corrupt);
    assert_eq!(kind(STORE, 2, None), ErrorKind::Corrupt);
    assert_eq!(kind(STORE, 1, Some(built.summary.footer_crc ^ 1)), ErrorKind::Corrupt);
    let mut bytes = fs::read(&built.path).unwrap();
    bytes[8] = 2;
    let crc = crc32fast::hash(&bytes[..layout::HEADER_SIZE - 4]);
    bytes[layout::HEADER_SIZE - 4..layout::HEADER_SIZE].copy_from_slice(&crc.to_le_bytes());
    replace(&built.path, &bytes);
    assert_eq!(kind(STORE, 1, None), ErrorKind::UnsupportedFormat);
    fs::remove_file(&built.path).unwrap();
    assert_eq!(kind(STORE, 1, None), ErrorKind::NotFound);
}
