//! The prefix all files share, and the checked wrapping of small whole files. `docs/format.md`, "Envelope".

use std::path::Path;
use std::sync::Arc;

use crate::codec::{Reader, len_u64, to_usize};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::TEMPORARY_SUFFIX;
use crate::storage::{Storage, StorageFile};

/// What a build knows of one file type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    /// What to call the file in an error.
    pub(crate) what: &'static str,
    pub(crate) magic: [u8; 8],
    /// Another major is never read.
    pub(crate) major: u16,
    /// Another minor is read if its feature bits are all known.
    pub(crate) minor: u16,
    /// The feature bits that this build may ignore or knows.
    pub(crate) compatible_features: u32,
}

/// The first bytes of every file. Their places and the place of the header's checksum stay the same
/// for all majors, so that damage and a newer version can be told apart.
pub(crate) const PREFIX_SIZE: usize = 32;

impl Format {
    /// Appends magic, version, feature bits and store.
    pub(crate) fn put_prefix(&self, store: u128, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.magic);
        out.extend_from_slice(&self.major.to_le_bytes());
        out.extend_from_slice(&self.minor.to_le_bytes());
        out.extend_from_slice(&0_u32.to_le_bytes());
        out.extend_from_slice(&store.to_le_bytes());
    }

    /// Takes the prefix off a header whose checksum held, and gives its store and whether the minor
    /// version is one this build wrote or could have written.
    pub(crate) fn take_prefix(&self, reader: &mut Reader<'_>) -> Result<(u128, bool)> {
        let magic = reader.take(self.magic.len())?;
        if magic != self.magic {
            return Err(Error::corrupt(format!("{} magic is {magic:02x?}, expected {:02x?}", self.what, self.magic)));
        }
        let (major, minor, features) = (reader.u16()?, reader.u16()?, reader.u32()?);
        let unknown = features & !self.compatible_features;
        if major != self.major || unknown != 0 {
            let message = format!(
                "{} has format {major}.{minor} with feature bits {features:#x}, this build reads {}.{} with {:#x}",
                self.what, self.major, self.minor, self.compatible_features
            );
            return Err(Error::new(ErrorKind::UnsupportedFormat, message));
        }
        Ok((reader.u128()?, minor <= self.minor))
    }

    /// The magic, checked before a checksum is computed: a foreign file gets the clearer message.
    pub(crate) fn check_magic(&self, bytes: &[u8]) -> Result<()> {
        if bytes.starts_with(&self.magic) {
            return Ok(());
        }
        let magic = bytes.get(..self.magic.len()).unwrap_or(bytes);
        Err(Error::corrupt(format!("{} magic is {magic:02x?}, expected {:02x?}", self.what, self.magic)))
    }
}

/// Compares a stored checksum with the computed one.
pub(crate) fn check_crc(what: &str, stored: u32, covered: &[u8]) -> Result<()> {
    let computed = crc32fast::hash(covered);
    if computed == stored {
        return Ok(());
    }
    Err(Error::corrupt(format!("{what} checksum is {stored:#010x}, computed {computed:#010x}")))
}

/// Which file an envelope belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EnvelopePlace {
    pub(crate) store: u128,
    /// The file's id; the version counter for the manifest.
    pub(crate) id: u64,
}

/// Bytes of an envelope's header; the payload follows and ends the file.
pub(crate) const ENVELOPE_HEADER_SIZE: usize = 64;
const HEADER_CRC_OFFSET: usize = 60;
const _: () = assert!(HEADER_CRC_OFFSET + 4 == ENVELOPE_HEADER_SIZE);

/// The bytes of a whole file, and the checksum of its header, which covers that of the payload and so
/// stands for the file.
pub(crate) fn wrap(format: &Format, place: EnvelopePlace, payload: &[u8]) -> (Vec<u8>, u32) {
    let mut out = Vec::with_capacity(ENVELOPE_HEADER_SIZE + payload.len());
    format.put_prefix(place.store, &mut out);
    out.extend_from_slice(&place.id.to_le_bytes());
    out.extend_from_slice(&len_u64(payload.len()).to_le_bytes());
    out.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    out.extend_from_slice(&[0; 8]);
    debug_assert_eq!(out.len(), HEADER_CRC_OFFSET);
    let header_crc = crc32fast::hash(&out);
    out.extend_from_slice(&header_crc.to_le_bytes());
    out.extend_from_slice(payload);
    (out, header_crc)
}

/// What was found in an envelope.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unwrapped<'a> {
    pub(crate) place: EnvelopePlace,
    pub(crate) header_crc: u32,
    pub(crate) payload: &'a [u8],
}

/// Checks a whole file and gives its payload.
///
/// # Errors
/// `Corrupt` if a check fails, `UnsupportedFormat` if the checksum holds and the version is another.
pub(crate) fn read_envelope<'a>(format: &Format, bytes: &'a [u8]) -> Result<Unwrapped<'a>> {
    format.check_magic(bytes)?;
    let (header, payload) = bytes
        .split_at_checked(ENVELOPE_HEADER_SIZE)
        .ok_or_else(|| Error::corrupt(format!("{} has only {} bytes", format.what, bytes.len())))?;
    let (covered, mut crc) = match header.split_at_checked(HEADER_CRC_OFFSET) {
        Some((covered, crc)) => (covered, Reader::new(crc)),
        None => return Err(Error::corrupt("an envelope's header is cut")),
    };
    let header_crc = crc.u32()?;
    check_crc("header", header_crc, covered)?;
    let mut reader = Reader::new(covered);
    let (store, minor_known) = format.take_prefix(&mut reader)?;
    let id = reader.u64()?;
    let (payload_len, payload_crc, reserved) = (reader.u64()?, reader.u32()?, reader.u64()?);
    if payload_len != len_u64(payload.len()) || (minor_known && reserved != 0) {
        let message = format!("{} claims {payload_len} bytes of payload and has {}", format.what, payload.len());
        return Err(Error::corrupt(message));
    }
    check_crc("payload", payload_crc, payload)?;
    Ok(Unwrapped { place: EnvelopePlace { store, id }, header_crc, payload })
}

/// Reads a whole file of at most `size_max` bytes.
///
/// # Errors
/// `Corrupt` if it is larger; `NotFound` and `Io` as the disk says.
pub(crate) fn read_whole(storage: &dyn Storage, path: &Path, size_max: usize) -> Result<Vec<u8>> {
    let read = || -> std::io::Result<Option<Vec<u8>>> {
        let file = storage.open(path, false)?;
        let len = file.len()?;
        if len > len_u64(size_max) {
            return Ok(None);
        }
        let mut bytes = vec![0; to_usize(len)];
        file.read_at(&mut bytes, 0)?;
        Ok(Some(bytes))
    };
    read()
        .map_err(|source| Error::io("read the file", path, source))?
        .ok_or_else(|| Error::corrupt(format!("the file is larger than its limit of {size_max} bytes")).at_path(path))
}

/// Makes a file under a temporary name beside `path`, lets `write` fill it, syncs it and gives it its
/// name, replacing an older one. The name is durable after the folder's next sync.
///
/// # Errors
/// Those of the disk and of `write`; then no file stays behind and `path` is as it was.
pub(crate) fn place_file(
    storage: &dyn Storage,
    path: &Path,
    write: impl FnOnce(&dyn StorageFile) -> std::io::Result<()>,
) -> Result<Arc<dyn StorageFile>> {
    let mut name = path.as_os_str().to_owned();
    name.push(TEMPORARY_SUFFIX);
    let temporary = Path::new(&name);
    // What an earlier crash left under the temporary name was never part of the store.
    match storage.remove(temporary) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::io("remove a leftover", temporary, source));
        }
        _ => {}
    }
    let make = || -> std::io::Result<Arc<dyn StorageFile>> {
        let file = storage.create(temporary)?;
        write(&*file)?;
        file.sync_all()?;
        // ORDER: contents before the name, or a crash could leave a name with nothing behind it.
        storage.rename(temporary, path)?;
        Ok(file)
    };
    make().map_err(|source| {
        // A partly reserved file eats the disk that is already full. It is gone at the latest when the
        // next attempt starts, so a second failure here changes nothing.
        let _ = storage.remove(temporary);
        Error::io("write the file", path, source)
    })
}

/// Makes a new small file durable under `path`, whose folder is synced too.
///
/// # Errors
/// Those of the disk; `Corrupt` if the name is taken, for ids are never used twice.
pub(crate) fn place_new(storage: &dyn Storage, path: &Path, bytes: &[u8]) -> Result<()> {
    check_absent(storage, path)?;
    place_file(storage, path, |file| file.write_at(bytes, 0))?;
    sync_folder_of(storage, path)
}

/// Refuses to replace a file whose name comes from an id.
pub(crate) fn check_absent(storage: &dyn Storage, path: &Path) -> Result<()> {
    match storage.open(path, false) {
        Ok(_) => Err(Error::corrupt("a new file's name is taken; ids are never used twice").at_path(path)),
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(Error::io("look for the file", path, source)),
    }
}

/// Makes the names in the folder of `path` durable.
pub(crate) fn sync_folder_of(storage: &dyn Storage, path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    storage.sync_dir(folder).map_err(|source| Error::io("sync the folder", folder, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: Format =
        Format { what: "test file", magic: *b"ANNTEST\n", major: 1, minor: 0, compatible_features: 0 };
    const PLACE: EnvelopePlace = EnvelopePlace { store: 7, id: 9 };

    #[test]
    fn every_flipped_bit_cut_and_added_byte_is_seen() {
        let (bytes, crc) = wrap(&FORMAT, PLACE, b"payload");
        let whole = read_envelope(&FORMAT, &bytes).unwrap();
        assert_eq!((whole.place, whole.header_crc, whole.payload), (PLACE, crc, &b"payload"[..]));
        for position in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[position] ^= 1 << bit;
                let error = read_envelope(&FORMAT, &flipped).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Corrupt, "byte {position} bit {bit}");
            }
            assert!(read_envelope(&FORMAT, &bytes[..position]).is_err());
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(read_envelope(&FORMAT, &longer).is_err());
    }

    #[test]
    fn another_major_or_an_unknown_feature_is_unsupported_and_names_both_versions() {
        let (newer, _) = wrap(&Format { major: 2, ..FORMAT }, PLACE, b"");
        let error = read_envelope(&FORMAT, &newer).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnsupportedFormat);
        assert!(error.message().contains("2.0") && error.message().contains("1.0"), "{error}");
        let (mut features, _) = wrap(&Format { minor: 1, ..FORMAT }, PLACE, b"");
        assert!(read_envelope(&FORMAT, &features).is_ok(), "a newer minor without new features is readable");
        features[12] = 1;
        let crc = crc32fast::hash(&features[..HEADER_CRC_OFFSET]);
        features[HEADER_CRC_OFFSET..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(read_envelope(&FORMAT, &features).unwrap_err().kind(), ErrorKind::UnsupportedFormat);
        assert!(read_envelope(&Format { compatible_features: 1, ..FORMAT }, &features).is_ok());
    }
}
