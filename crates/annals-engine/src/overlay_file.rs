//! The overlay of a sealed segment on disk. `docs/format.md`, "Overlay file".

use std::path::Path;

use roaring::RoaringBitmap;

use crate::amended::{Amended, Amendments};
use crate::codec::{Reader, len_u32, len_u64, put_bytes, row_usize};
use crate::control::take_reader_id;
use crate::envelope::{EnvelopePlace, Format, place_new, read_envelope, read_whole, wrap};
use crate::error::{Error, Result};
use crate::id::EventId;
use crate::layout::{FileKind, FileName};
use crate::overlay::{NOTICES_SIZE_MAX, Overlay};
use crate::receipts::{ReadEntry, Receipts};
use crate::requests::ReadReceipt;
use crate::storage::Storage;

const FORMAT: Format =
    Format { what: "overlay file", magic: *b"ANNOVL\r\n", major: 1, minor: 0, compatible_features: 0 };
/// Two bitmaps over the rows of the largest segment take 16 MiB; amendments and receipts of the segments
/// that compaction unites [`OVERLAY_NOTICES_MAX`].
const OVERLAY_SIZE_MAX: usize = 512 << 20;
/// The most bytes of amendments and receipts that compaction brings together in one overlay.
pub(crate) const OVERLAY_NOTICES_MAX: usize = 256 << 20;
const _: () = assert!(OVERLAY_NOTICES_MAX + (32 << 20) <= OVERLAY_SIZE_MAX && NOTICES_SIZE_MAX <= OVERLAY_NOTICES_MAX);

/// Which overlay of which segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OverlayPlace {
    pub(crate) store: u128,
    pub(crate) overlay_id: u64,
    pub(crate) segment_id: u64,
}

/// Makes the overlay durable under a new id and gives its checksum for the manifest.
///
/// # Errors
/// `Corrupt` if the id was used before; `DiskFull`, `Io`.
pub(crate) fn write_overlay(
    storage: &dyn Storage,
    directory: &Path,
    place: OverlayPlace,
    overlay: &Overlay,
) -> Result<u32> {
    let (bytes, crc) = encode(place, overlay)?;
    place_new(storage, &FileName::new(FileKind::Overlay, place.overlay_id).path(directory), &bytes)?;
    Ok(crc)
}

/// Reads an overlay whose checksum the manifest gives as `crc`, of a segment with `rows` rows.
///
/// # Errors
/// `Corrupt` naming the file; `NotFound`, `UnsupportedFormat`, `Io`.
pub(crate) fn read_overlay(
    storage: &dyn Storage,
    directory: &Path,
    place: OverlayPlace,
    rows: u32,
    crc: u32,
) -> Result<Overlay> {
    let path = FileName::new(FileKind::Overlay, place.overlay_id).path(directory);
    let bytes = read_whole(storage, &path, OVERLAY_SIZE_MAX)?;
    decode(place, rows, crc, &bytes).map_err(|error| error.at_path(&path))
}

/// What an overlay file says of itself: its place, its checksum and the last operation folded in.
///
/// # Errors
/// `Corrupt` if it is damaged; `NotFound`, `UnsupportedFormat`, `Io`.
pub(crate) fn probe_overlay(storage: &dyn Storage, directory: &Path, id: u64) -> Result<(OverlayPlace, u32, u64)> {
    let path = FileName::new(FileKind::Overlay, id).path(directory);
    let bytes = read_whole(storage, &path, OVERLAY_SIZE_MAX)?;
    let found = read_envelope(&FORMAT, &bytes).map_err(|error| error.at_path(&path))?;
    let mut reader = Reader::new(found.payload);
    let (segment_id, applied_control) = (reader.u64()?, reader.u64()?);
    let EnvelopePlace { store, id: overlay_id } = found.place;
    Ok((OverlayPlace { store, overlay_id, segment_id }, found.header_crc, applied_control))
}

fn encode(place: OverlayPlace, overlay: &Overlay) -> Result<(Vec<u8>, u32)> {
    let mut payload = Vec::new();
    payload.extend_from_slice(&place.segment_id.to_le_bytes());
    payload.extend_from_slice(&overlay.applied_control.to_le_bytes());
    for bitmap in [&overlay.tombstones, &overlay.acknowledged] {
        payload.extend_from_slice(&len_u32(bitmap.serialized_size()).to_le_bytes());
        bitmap
            .serialize_into(&mut payload)
            .map_err(|source| Error::invalid_input("cannot encode a bitmap").with_source(source))?;
    }
    payload.extend_from_slice(&len_u32(overlay.amendments.len()).to_le_bytes());
    for (row, amended) in overlay.amendments.iter() {
        payload.extend_from_slice(&row.to_le_bytes());
        amended.put(&mut payload);
    }
    payload.extend_from_slice(&len_u32(overlay.receipts.len()).to_le_bytes());
    for entry in overlay.receipts.sorted() {
        payload.extend_from_slice(&entry.row.to_le_bytes());
        payload.extend_from_slice(&entry.receipt.receipt.as_u128().to_le_bytes());
        payload.extend_from_slice(&entry.receipt.read_at_us.to_le_bytes());
        put_bytes(&mut payload, entry.user_id.as_bytes());
    }
    Ok(wrap(&FORMAT, EnvelopePlace { store: place.store, id: place.overlay_id }, &payload))
}

fn decode(place: OverlayPlace, rows: u32, crc: u32, bytes: &[u8]) -> Result<Overlay> {
    let found = read_envelope(&FORMAT, bytes)?;
    if found.place != (EnvelopePlace { store: place.store, id: place.overlay_id }) || found.header_crc != crc {
        return Err(Error::corrupt("the overlay file is not the one that the manifest names"));
    }
    let mut reader = Reader::new(found.payload);
    let segment_id = reader.u64()?;
    if segment_id != place.segment_id {
        let message = format!("the overlay belongs to segment {segment_id}, expected {}", place.segment_id);
        return Err(Error::corrupt(message));
    }
    let applied_control = reader.u64()?;
    let tombstones = take_bitmap(&mut reader, rows)?;
    let acknowledged = take_bitmap(&mut reader, rows)?;
    let mut overlay = Overlay { tombstones, acknowledged, applied_control, ..Overlay::default() };
    overlay.amendments = take_amendments(&mut reader, rows, &overlay.tombstones)?;
    overlay.receipts = take_receipts(&mut reader, rows, &overlay.tombstones)?;
    if !reader.is_empty() {
        return Err(Error::corrupt(format!("{} bytes follow the overlay", reader.remaining())));
    }
    Ok(overlay)
}

/// A row of the segment that is not deleted.
fn take_row(reader: &mut Reader<'_>, rows: u32, tombstones: &RoaringBitmap) -> Result<u32> {
    let row = reader.u32()?;
    if row >= rows || tombstones.contains(row) {
        return Err(Error::corrupt(format!("the overlay tells of row {row}, which is deleted or none of {rows}")));
    }
    Ok(row)
}

fn take_amendments(reader: &mut Reader<'_>, rows: u32, tombstones: &RoaringBitmap) -> Result<Amendments> {
    let mut amendments = Vec::new();
    for _ in 0..reader.u32()? {
        let row = take_row(reader, rows, tombstones)?;
        amendments.push((row, Amended::take(reader)?));
    }
    if !amendments.is_sorted_by(|(a, _), (b, _)| a < b) {
        return Err(Error::corrupt("the amendments of an overlay do not ascend"));
    }
    Ok(amendments.into_iter().collect())
}

fn take_receipts(reader: &mut Reader<'_>, rows: u32, tombstones: &RoaringBitmap) -> Result<Receipts> {
    let mut entries: Vec<ReadEntry> = Vec::new();
    for _ in 0..reader.u32()? {
        let row = take_row(reader, rows, tombstones)?;
        let receipt = ReadReceipt { receipt: EventId::from_u128(reader.u128()?), read_at_us: reader.i64()? };
        entries.push(ReadEntry { row, receipt, user_id: take_reader_id(reader)?.into() });
    }
    if !entries.is_sorted_by(|a, b| (a.row, &a.user_id) < (b.row, &b.user_id)) {
        return Err(Error::corrupt("the receipts of an overlay do not ascend"));
    }
    let mut receipts = Receipts::default();
    receipts.insert(entries);
    Ok(receipts)
}

fn take_bitmap(reader: &mut Reader<'_>, rows: u32) -> Result<RoaringBitmap> {
    let len = row_usize(reader.u32()?);
    let bytes = reader.take(len)?;
    let bitmap = RoaringBitmap::deserialize_from(bytes)
        .map_err(|source| Error::corrupt("a bitmap is malformed").with_source(source))?;
    if len_u64(bitmap.serialized_size()) != len_u64(len) {
        return Err(Error::corrupt("a bitmap has another length than it says"));
    }
    match bitmap.max() {
        Some(row) if row >= rows => Err(Error::corrupt(format!("a bitmap names row {row} of {rows}"))),
        _ => Ok(bitmap),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::requests::Amendment;
    use crate::storage::OsStorage;

    const PLACE: OverlayPlace = OverlayPlace { store: 1, overlay_id: 5, segment_id: 4 };

    fn sample() -> Overlay {
        let mut overlay = Overlay {
            tombstones: (0..5000).chain([70_000]).collect(),
            acknowledged: (5003..5009).collect(),
            applied_control: 12,
            ..Overlay::default()
        };
        notice(&mut overlay, 69_999);
        notice(&mut overlay, 5_000);
        overlay
    }

    fn notice(overlay: &mut Overlay, row: u32) {
        let amendment = Amendment { severity: Some("warn".to_owned()), updated_at_us: 3, ..Amendment::default() };
        overlay.amendments.amend(row, &Amended::new(&amendment).unwrap());
        let receipt = ReadReceipt { receipt: EventId::from_u128(7), read_at_us: -1 };
        overlay.receipts.insert(["ada", "bob"].map(|user| ReadEntry { row, user_id: user.into(), receipt }));
    }

    #[test]
    fn an_overlay_comes_back_from_its_file() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("overlay")).unwrap();
        let crc = write_overlay(&OsStorage, dir.path(), PLACE, &sample()).unwrap();
        assert_eq!(read_overlay(&OsStorage, dir.path(), PLACE, 70_001, crc).unwrap(), sample());
        let error = write_overlay(&OsStorage, dir.path(), PLACE, &sample()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "an id is used once");
        for (place, rows, crc) in [
            (OverlayPlace { store: 2, ..PLACE }, 70_001, crc),
            (OverlayPlace { segment_id: 3, ..PLACE }, 70_001, crc),
            (PLACE, 70_000, crc),
            (PLACE, 70_001, crc ^ 1),
        ] {
            assert_eq!(read_overlay(&OsStorage, dir.path(), place, rows, crc).unwrap_err().kind(), ErrorKind::Corrupt);
        }
    }

    #[test]
    fn deleted_rows_have_no_other_change() {
        for row in [1, 3] {
            let mut overlay = Overlay { tombstones: [1].into_iter().collect(), ..Overlay::default() };
            notice(&mut overlay, row);
            let (bytes, crc) = encode(PLACE, &overlay).unwrap();
            assert_eq!(decode(PLACE, 3, crc, &bytes).unwrap_err().kind(), ErrorKind::Corrupt);
        }
    }

    #[test]
    fn rows_and_users_come_once_and_in_order() {
        let overlay_of = |users: [&str; 2]| {
            let mut body = Vec::new();
            for user in users {
                body.extend_from_slice(&3_u32.to_le_bytes());
                body.extend_from_slice(&7_u128.to_le_bytes());
                body.extend_from_slice(&1_i64.to_le_bytes());
                put_bytes(&mut body, user.as_bytes());
            }
            [&2_u32.to_le_bytes()[..], &body].concat()
        };
        let read = |users| take_receipts(&mut Reader::new(&overlay_of(users)), 4, &RoaringBitmap::new()).is_ok();
        assert!(read(["ada", "bob"]));
        assert!(!read(["bob", "ada"]) && !read(["ada", "ada"]));
        let mut twice = Vec::new();
        Amended::new(&Amendment { updated_at_us: 3, ..Amendment::default() }).unwrap().put(&mut twice);
        let row = [&3_u32.to_le_bytes()[..], &twice].concat();
        let bytes = [&2_u32.to_le_bytes()[..], &row, &row].concat();
        assert!(take_amendments(&mut Reader::new(&bytes), 4, &RoaringBitmap::new()).is_err());
    }

    #[test]
    fn every_flipped_byte_and_cut_is_corrupt() {
        let mut small = Overlay { tombstones: [1, 2].into_iter().collect(), ..Overlay::default() };
        notice(&mut small, 0);
        let (bytes, crc) = encode(PLACE, &small).unwrap();
        assert_eq!(decode(PLACE, 3, crc, &bytes).unwrap(), small);
        for position in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[position] ^= 1 << (position % 8);
            assert!(decode(PLACE, 3, crc, &flipped).is_err(), "byte {position}");
            assert!(decode(PLACE, 3, crc, &bytes[..position]).is_err());
        }
    }
}
