//! The overlay of a sealed segment on disk. `docs/format.md`, "Overlay file".

use std::path::Path;

use roaring::RoaringBitmap;

use crate::codec::{Reader, len_u32, len_u64, row_usize};
use crate::envelope::{EnvelopePlace, Format, place_new, read_envelope, read_whole, wrap};
use crate::error::{Error, Result};
use crate::layout::{FileKind, FileName};
use crate::overlay::Overlay;
use crate::storage::Storage;

const FORMAT: Format =
    Format { what: "overlay file", magic: *b"ANNOVL\r\n", major: 1, minor: 0, compatible_features: 0 };
/// Two bitmaps over all rows that a u32 can name take 1 GiB at most; no segment comes near.
const OVERLAY_SIZE_MAX: usize = 256 << 20;

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
    if !reader.is_empty() {
        return Err(Error::corrupt(format!("{} bytes follow the overlay", reader.remaining())));
    }
    Ok(Overlay { tombstones, acknowledged, applied_control })
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
    use crate::storage::OsStorage;

    const PLACE: OverlayPlace = OverlayPlace { store: 1, overlay_id: 5, segment_id: 4 };

    fn sample() -> Overlay {
        Overlay { tombstones: (0..5000).chain([70_000]).collect(), acknowledged: (3..9).collect(), applied_control: 12 }
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
    fn every_flipped_byte_and_cut_is_corrupt() {
        let small = Overlay { tombstones: [1, 2].into_iter().collect(), ..Overlay::default() };
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
