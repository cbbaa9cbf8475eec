//! Damage is an error or the right answer, never a panic or a wrong row.

use std::fs;

use super::*;
use crate::error::ErrorKind;
use crate::event::Marks;
use crate::filter::Filter;
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
        fs::write(&damaged_path, &bytes).unwrap();
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
        fs::write(&cut_path, &good[..len]).unwrap();
        let outcome = open(&cut_path, 1).map(|_| ());
        assert!(outcome.is_err(), "cut to {len}");
        assert_honest(outcome, &format!("cut to {len}"));
    }
    let mut longer = good.clone();
    longer.push(0);
    fs::write(&cut_path, &longer).unwrap();
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
        fs::write(&damaged_path, &bytes).unwrap();
        let segment = Arc::new(open(&damaged_path, 1).unwrap());
        let part = SealedPart::new(Arc::clone(&segment), Arc::new(Overlay::default()));
        let all = RowSet::from_range(0..part.row_count());
        for row in 0..part.row_count() {
            let _ = part.event(row);
        }
        for event in &built.events {
            let _ = (part.find_id(event.id), part.find_sequence(event.sequence));
        }
        for field in Field::ALL {
            let _ = part.select(&Filter::Prefix(*field, "v".to_owned()));
            let _ = part.count_by(*field, &all, &mut |_, _| {});
        }
        let _ = segment.verify_all(&mut |_| {});
    }
}

/// Recomputes the checksums over damaged sections.
fn forge(bytes: &mut Vec<u8>, data_end: usize, footer: &layout::Footer) {
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

#[test]
fn damaged_postings_and_id_tables_are_rebuilt_from_their_columns() {
    let built = written(random_events(0, 30_000, 0));
    assert!(!built.segment.footer.ids_made, "the seed gives ids");
    let good = fs::read(&built.path).unwrap();
    let derived = [
        (layout::SectionKind::PostingBytes, Field::ResourceId.number()),
        (layout::SectionKind::IdRows, 0),
        (layout::SectionKind::Cardinalities, Field::ResourceId.number()),
    ];
    for (kind, field) in derived {
        let section = built.segment.footer.find(kind, field).unwrap();
        let chunk = layout::CHUNK_SIZE as u64;
        // The whole chunk goes, with its neighbours in it; what lies elsewhere must do.
        let position = (section.offset + section.len / 2) / chunk * chunk + chunk / 2;
        let mut bytes = good.clone();
        bytes[position as usize] ^= 1;
        fs::write(&built.path, &bytes).unwrap();
        let segment = Arc::new(open(&built.path, 1).unwrap());
        let column = segment.keyword(Field::ResourceId).unwrap();
        let (mut right, mut refused) = (0, 0);
        for code in 1..=column.dictionary.len() {
            let expected = column.rows_where(&segment.file, |held| held == code);
            match (column.posting(&segment.file, code), expected) {
                (Ok(rows), Ok(expected)) => {
                    assert_eq!(rows, expected);
                    right += 1;
                }
                (Err(error), _) => {
                    assert_eq!(error.kind(), ErrorKind::Corrupt);
                    refused += 1;
                }
                (Ok(_), Err(_)) => {}
            }
            if code > 300 {
                break;
            }
        }
        assert!(right > 0 || refused > 0);
        assert!(segment.verify_all(&mut |_| {}).is_err());
    }
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
    fs::write(&built.path, &bytes).unwrap();
    assert_eq!(kind(STORE, 1, None), ErrorKind::UnsupportedFormat);
    fs::remove_file(&built.path).unwrap();
    assert_eq!(kind(STORE, 1, None), ErrorKind::NotFound);
}
