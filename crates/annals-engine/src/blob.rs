//! Small named values beside the events. The manifest holds their names. `docs/format.md`, "Blob file".

use std::path::Path;

use crate::codec::{len_u32, row_usize};
use crate::envelope::{ENVELOPE_HEADER_SIZE, EnvelopePlace, Format, place_new, read_envelope, read_whole, wrap};
use crate::error::{Error, Result};
use crate::layout::{FileKind, FileName};
use crate::manifest::BlobEntry;
use crate::storage::Storage;

/// The largest value in bytes, inclusive.
pub(crate) const BLOB_SIZE_MAX: usize = 16 << 20;
/// The longest name in bytes, inclusive.
pub(crate) const BLOB_NAME_SIZE_MAX: usize = 255;

const FORMAT: Format = Format { what: "blob file", magic: *b"ANNBLB\r\n", major: 1, minor: 0, compatible_features: 0 };

/// Makes a value durable under a new id and gives the manifest's entry, which still must be committed.
///
/// # Errors
/// `InvalidInput` if name or value are too long or the name is empty; `DiskFull`, `Io`.
pub(crate) fn write_blob(
    storage: &dyn Storage,
    directory: &Path,
    store: u128,
    id: u64,
    name: &str,
    value: &[u8],
) -> Result<BlobEntry> {
    if value.len() > BLOB_SIZE_MAX {
        let message = format!("the value of {name} has {} bytes, the limit is {BLOB_SIZE_MAX}", value.len());
        return Err(Error::invalid_input(message));
    }
    if name.is_empty() || name.len() > BLOB_NAME_SIZE_MAX {
        let message = format!("a blob's name has {} bytes, the range is 1 to {BLOB_NAME_SIZE_MAX}", name.len());
        return Err(Error::invalid_input(message));
    }
    let (bytes, crc) = wrap(&FORMAT, EnvelopePlace { store, id }, value);
    place_new(storage, &FileName::new(FileKind::Blob, id).path(directory), &bytes)?;
    Ok(BlobEntry { name: name.to_owned(), id, len: len_u32(value.len()), crc })
}

/// Reads the value of a manifest's entry.
///
/// # Errors
/// `Corrupt` naming the file; `NotFound`, `UnsupportedFormat`, `Io`.
pub(crate) fn read_blob(storage: &dyn Storage, directory: &Path, store: u128, entry: &BlobEntry) -> Result<Vec<u8>> {
    let path = FileName::new(FileKind::Blob, entry.id).path(directory);
    let mut bytes = read_whole(storage, &path, BLOB_SIZE_MAX + ENVELOPE_HEADER_SIZE)?;
    let found = read_envelope(&FORMAT, &bytes).map_err(|error| error.at_path(&path))?;
    let expected = EnvelopePlace { store, id: entry.id };
    if found.place != expected || found.header_crc != entry.crc || found.payload.len() != row_usize(entry.len) {
        return Err(Error::corrupt("the blob file is not the one that the manifest names").at_path(&path));
    }
    bytes.drain(..ENVELOPE_HEADER_SIZE);
    Ok(bytes)
}

/// The entry of a blob file whose name nobody knows.
///
/// # Errors
/// `Corrupt` if it is damaged or another store's; `NotFound`, `UnsupportedFormat`, `Io`.
pub(crate) fn probe_blob(storage: &dyn Storage, directory: &Path, store: u128, id: u64) -> Result<BlobEntry> {
    let path = FileName::new(FileKind::Blob, id).path(directory);
    let bytes = read_whole(storage, &path, BLOB_SIZE_MAX + ENVELOPE_HEADER_SIZE)?;
    let found = read_envelope(&FORMAT, &bytes).map_err(|error| error.at_path(&path))?;
    if found.place != (EnvelopePlace { store, id }) {
        return Err(Error::corrupt("the blob file is not what its name says").at_path(&path));
    }
    Ok(BlobEntry { name: String::new(), id, len: len_u32(found.payload.len()), crc: found.header_crc })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::storage::OsStorage;

    #[test]
    fn a_value_comes_back_and_damage_is_corrupt() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("blob")).unwrap();
        let entry = write_blob(&OsStorage, dir.path(), 1, 2, "keys", b"value").unwrap();
        assert_eq!(read_blob(&OsStorage, dir.path(), 1, &entry).unwrap(), b"value");
        assert!(read_blob(&OsStorage, dir.path(), 9, &entry).is_err(), "another store");
        let path = FileName::new(FileKind::Blob, 2).path(dir.path());
        let bytes = std::fs::read(&path).unwrap();
        for position in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[position] ^= 1 << (position % 8);
            std::fs::write(&path, &flipped).unwrap();
            let error = read_blob(&OsStorage, dir.path(), 1, &entry).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "byte {position}");
        }
    }

    #[test]
    fn limits_are_inclusive_and_nothing_is_written_beyond_them() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("blob")).unwrap();
        let value = vec![7; BLOB_SIZE_MAX + 1];
        for (name, value) in [("n", &value[..]), ("", b"v"), (&"n".repeat(BLOB_NAME_SIZE_MAX + 1), b"v")] {
            let error = write_blob(&OsStorage, dir.path(), 1, 2, name, value).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
        assert_eq!(std::fs::read_dir(dir.path().join("blob")).unwrap().count(), 0);
        let entry = write_blob(&OsStorage, dir.path(), 1, 2, "n", &value[1..]).unwrap();
        assert_eq!(read_blob(&OsStorage, dir.path(), 1, &entry).unwrap().len(), BLOB_SIZE_MAX);
    }
}
