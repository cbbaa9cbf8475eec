//! The last file of a backup: what it is of, and that it is whole. `docs/format.md`, "Backup".

use std::path::Path;

use bincode::{Decode, Encode};

use crate::envelope::{EnvelopePlace, Format, read_envelope, read_whole, wrap};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::{BACKUP_FILE, BACKUP_UNFINISHED_FILE, RESTORE_UNFINISHED_FILE};
use crate::manifest::Manifest;
use crate::metadata;
use crate::storage::Storage;

use super::target::Target;

const FORMAT: Format =
    Format { what: "backup note", magic: *b"ANNBAK\r\n", major: 1, minor: 0, compatible_features: 0 };
/// Room for the names of many included stores.
const NOTE_SIZE_MAX: usize = 64 << 10;
/// The longest name of an included store, inclusive.
const FOLDER_NAME_SIZE_MAX: usize = 64;

/// What a backup says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct BackupNote {
    /// When the cut was made, UTC microseconds.
    pub(crate) cut_at_us: i64,
    /// Events visible as of the cut.
    pub(crate) events: u64,
    /// The last sequence before the cut.
    pub(crate) last_sequence: u64,
    /// The checksum of the backup's MANIFEST, whose list of files it is of.
    pub(crate) manifest_crc: u32,
    /// Files that were damaged when it was taken.
    pub(crate) damaged_files: u64,
    /// Folders that hold backups of their own, without which this one is not whole.
    pub(crate) included: Vec<String>,
}

/// Whether a name can be that of a folder inside a backup: nothing that leads elsewhere.
pub(super) fn is_folder_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=FOLDER_NAME_SIZE_MAX).contains(&name.len()) && name.bytes().all(plain)
}

impl BackupNote {
    pub(crate) fn encode(&self, place: EnvelopePlace) -> Result<Vec<u8>> {
        Ok(wrap(&FORMAT, place, &metadata::encode(self)?).0)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<(EnvelopePlace, Self)> {
        let found = read_envelope(&FORMAT, bytes)?;
        let note: Self = metadata::decode(found.payload, NOTE_SIZE_MAX)?;
        match note.included.iter().find(|name| !is_folder_name(name)) {
            Some(name) => Err(Error::corrupt(format!("the backup includes {name:?}, which is no name of a folder"))),
            None => Ok((found.place, note)),
        }
    }
}

/// Fills the target's marker, which gets its last name next.
pub(super) fn write_note(target: &Target<'_>, manifest: &Manifest, note: &BackupNote) -> Result<()> {
    target.fill_marker(&note.encode(EnvelopePlace { store: manifest.store, id: manifest.version })?)
}

/// Reads what a backup says about itself, and its manifest.
///
/// # Errors
/// `NotFound` if there is no backup; `Corrupt` if it was never finished, is damaged, or its manifest is another than the
/// one it was finished with; `UnsupportedFormat`, `Io`.
pub(super) fn read_note(storage: &dyn Storage, directory: &Path) -> Result<(BackupNote, Manifest)> {
    let path = directory.join(BACKUP_FILE);
    let bytes = match read_whole(storage, &path, NOTE_SIZE_MAX) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(no_backup(storage, directory)),
        read => read?,
    };
    let (place, note) = BackupNote::decode(&bytes).map_err(|error| error.at_path(&path))?;
    let (manifest, manifest_crc) = Manifest::read_at(storage, &directory.join(crate::layout::MANIFEST_FILE))?;
    let own = EnvelopePlace { store: manifest.store, id: manifest.version };
    if (place, note.manifest_crc) != (own, manifest_crc) {
        let message = "the backup's MANIFEST is not the one it was finished with: it was written to since";
        return Err(Error::corrupt(message).at_path(directory));
    }
    Ok((note, manifest))
}

fn no_backup(storage: &dyn Storage, directory: &Path) -> Error {
    match exists(storage, &directory.join(BACKUP_UNFINISHED_FILE)) {
        Err(error) => return error,
        Ok(true) => {
            let message = "this backup was never finished, its last file BACKUP is missing: take it again";
            return Error::corrupt(message).at_path(directory);
        }
        Ok(false) => {}
    }
    Error::new(ErrorKind::NotFound, "there is no backup here: no file BACKUP says that there is a whole one")
        .at_path(directory)
}

/// A backup is restored, not opened: a store that opens writes, and what is half restored is no store.
///
/// # Errors
/// `InvalidInput` for a backup; `Corrupt` for a store whose restore was not finished.
pub(crate) fn refuse_to_open(storage: &dyn Storage, directory: &Path) -> Result<()> {
    if exists(storage, &directory.join(RESTORE_UNFINISHED_FILE))? {
        let message = "a restore into this folder was not finished: empty the folder and restore again";
        return Err(Error::corrupt(message).at_path(directory));
    }
    for name in [BACKUP_FILE, BACKUP_UNFINISHED_FILE] {
        if exists(storage, &directory.join(name))? {
            let message = format!("this is a backup, as its file {name} says: restore it into a folder of its own");
            return Err(Error::invalid_input(message).at_path(directory));
        }
    }
    Ok(())
}

/// # Errors
/// `Io` if there is something that cannot be opened: it may say that this is no store.
fn exists(storage: &dyn Storage, path: &Path) -> Result<bool> {
    match storage.open(path, false) {
        Ok(_) => Ok(true),
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(Error::io("open the file", path, source)),
    }
}
