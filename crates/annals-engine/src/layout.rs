//! Names: which file of a store lies where. Made from internal ids only, never from what a caller sent.

use std::path::{Path, PathBuf};

use bincode::de::Decoder;
use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{Decode, Encode};

/// Held locked for as long as a store is open.
pub(crate) const LOCK_FILE: &str = "LOCK";
/// The durable list of files.
pub(crate) const MANIFEST_FILE: &str = "MANIFEST";
/// The manifest before the last commit.
pub(crate) const MANIFEST_PREVIOUS_FILE: &str = "MANIFEST.prev";
/// The last file of a backup: there is a whole one.
pub(crate) const BACKUP_FILE: &str = "BACKUP";
/// The first file of a backup, until it is whole.
pub(crate) const BACKUP_UNFINISHED_FILE: &str = "BACKUP.unfinished";
/// The first file of a restored store, until it is whole and this is its manifest.
pub(crate) const RESTORE_UNFINISHED_FILE: &str = "RESTORE.unfinished";
/// Bytes cut off the end of a log by recovery.
pub(crate) const QUARANTINE_DIR: &str = "quarantine";
/// Files that no manifest names.
pub(crate) const ORPHANS_DIR: &str = "orphans";
/// Behind the name of a file that is not complete yet.
pub(crate) const TEMPORARY_SUFFIX: &str = ".tmp";
/// Digits of an id in a file name, so that names sort as ids do.
const ID_DIGITS: usize = 20;

/// The kinds of files that the manifest lists. The numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub(crate) enum FileKind {
    /// A log of frames.
    Log = 1,
    /// A sealed segment.
    Segment = 2,
    /// Tombstones and marks of a segment.
    Overlay = 3,
    /// A small named value.
    Blob = 4,
}

impl FileKind {
    pub(crate) const ALL: [Self; 4] = [Self::Log, Self::Segment, Self::Overlay, Self::Blob];

    /// The folder of this kind inside the store's directory.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Segment => "segment",
            Self::Overlay => "overlay",
            Self::Blob => "blob",
        }
    }

    /// What a file name of this kind ends in, behind the dot.
    fn extension(self) -> &'static str {
        self.folder()
    }
}

impl Encode for FileKind {
    /// By its number: the derived form counts from 0 and moves when a kind is added in between.
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (*self as u8).encode(encoder)
    }
}

impl<Context> Decode<Context> for FileKind {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let number = u8::decode(decoder)?;
        let kind = Self::ALL.into_iter().find(|kind| *kind as u8 == number);
        kind.ok_or_else(|| DecodeError::OtherString(format!("unknown kind of file {number}")))
    }
}

bincode::impl_borrow_decode!(FileKind);

/// One file that the manifest lists or listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub(crate) struct FileName {
    pub(crate) kind: FileKind,
    pub(crate) id: u64,
}

impl FileName {
    pub(crate) fn new(kind: FileKind, id: u64) -> Self {
        Self { kind, id }
    }

    /// The name without its folder: the id in 20 digits and the kind.
    pub(crate) fn name(self) -> String {
        format!("{:0ID_DIGITS$}.{}", self.id, self.kind.extension())
    }

    /// The file of this kind with that name, if the name is one that [`FileName::name`] gives.
    pub(crate) fn parse(kind: FileKind, name: &str) -> Option<Self> {
        let digits = name.strip_suffix(kind.extension())?.strip_suffix('.')?;
        if digits.len() != ID_DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some(Self { kind, id: digits.parse().ok()? })
    }

    /// Where it lies in the store at `directory`.
    pub(crate) fn path(self, directory: &Path) -> PathBuf {
        directory.join(self.kind.folder()).join(self.name())
    }
}

/// Where a sealed segment lies in the store at `directory`.
pub(crate) fn segment_path(directory: &Path, id: u64) -> PathBuf {
    FileName::new(FileKind::Segment, id).path(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_and_others_are_none() {
        for kind in FileKind::ALL {
            for id in [0, 7, u64::MAX] {
                let file = FileName::new(kind, id);
                assert_eq!(FileName::parse(kind, &file.name()), Some(file));
            }
        }
        assert_eq!(FileName::new(FileKind::Log, 7).name(), "00000000000000000007.log");
        for name in
            ["7.log", "00000000000000000007.log.tmp", "00000000000000000007", "99999999999999999999.log", ".log"]
        {
            assert_eq!(FileName::parse(FileKind::Log, name), None, "{name}");
        }
        assert_eq!(FileName::parse(FileKind::Blob, "00000000000000000007.log"), None);
    }

    #[test]
    fn kinds_are_stored_by_their_numbers() {
        for (kind, number) in FileKind::ALL.into_iter().zip(1..) {
            assert_eq!(crate::metadata::encode(&kind).unwrap(), [number]);
            assert_eq!(crate::metadata::decode::<FileKind>(&[number], 1).unwrap(), kind);
        }
        assert!(crate::metadata::decode::<FileKind>(&[0], 1).is_err());
        assert!(crate::metadata::decode::<FileKind>(&[5], 1).is_err());
    }
}
