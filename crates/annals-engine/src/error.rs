//! The engine's one error type.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a caller can do about an [`Error`]. Kinds are API; sentences are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument is outside its documented range: fix it. Nothing was written.
    InvalidInput,
    /// The thing asked for is not in the store.
    NotFound,
    /// Another process holds the directory.
    Locked,
    /// No room on the disk: make some, appends resume by themselves.
    DiskFull,
    /// A queue is full: retry later.
    Busy,
    /// The same idempotency key came with another body, or its first use still runs.
    Conflict,
    /// A hold keeps an event that was to be removed or changed: release the hold first. Nothing was done.
    Held,
    /// Stored bytes fail their checksum or contradict each other: restore or repair the file.
    Corrupt,
    /// The store was written by a newer version of this software. Nothing is damaged.
    UnsupportedFormat,
    /// The operating system refused; see [`std::error::Error::source`].
    Io,
    /// A write or a sync failed, or the engine was closed: open the store again. What became of the call that met the
    /// failure is known then; [`std::error::Error::source`] has the failure.
    Poisoned,
}

/// An error of the engine: a kind, one sentence, a place and a source.
///
/// ```
/// use annals_engine::{Error, ErrorKind};
/// let error = Error::invalid_input("event_type has 300 bytes, the limit is 200");
/// assert_eq!(error.kind(), ErrorKind::InvalidInput);
/// assert_eq!(error.to_string(), "event_type has 300 bytes, the limit is 200");
/// ```
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    path: Option<PathBuf>,
    offset: Option<u64>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// The engine's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind` that says `message` (one sentence, lower case, no full stop).
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), path: None, offset: None, source: None }))
    }

    /// An argument outside its range.
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    /// Stored bytes that fail their check.
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    /// A refusal of the operating system while doing `action` on `path`.
    pub fn io(action: &str, path: &Path, source: std::io::Error) -> Self {
        let kind = match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => ErrorKind::DiskFull,
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            _ => ErrorKind::Io,
        };
        Self::new(kind, format!("cannot {action}: {source}")).at_path(path).with_source(source)
    }

    /// The same error, naming the file it is about.
    #[must_use]
    pub fn at_path(mut self, path: &Path) -> Self {
        if self.0.path.is_none() {
            self.0.path = Some(path.to_owned());
        }
        self
    }

    /// The same error, naming the byte offset it is about.
    #[must_use]
    pub fn at_offset(mut self, offset: u64) -> Self {
        if self.0.offset.is_none() {
            self.0.offset = Some(offset);
        }
        self
    }

    /// The same error with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// What the caller can do.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The sentence without the place.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The file the error is about, if it is about one.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// The byte offset in [`Error::path`], if known.
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// The same error once more, for a second waiter.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self(Box::new(Inner {
            kind: self.0.kind,
            message: self.0.message.clone(),
            path: self.0.path.clone(),
            offset: self.0.offset,
            source: self.0.source.clone(),
        }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match (&self.0.path, self.0.offset) {
            (Some(path), Some(offset)) => write!(f, " ({} at byte {offset})", path.display()),
            (Some(path), None) => write!(f, " ({})", path.display()),
            (None, Some(offset)) => write!(f, " (at byte {offset})"),
            (None, None) => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.source {
            Some(source) => Some(&**source),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names_the_place() {
        let error =
            Error::corrupt("frame checksum is 0x1f2e, computed 0x77aa").at_path(Path::new("0042.log")).at_offset(8192);
        assert_eq!(error.to_string(), "frame checksum is 0x1f2e, computed 0x77aa (0042.log at byte 8192)");
    }

    #[test]
    fn a_full_disk_is_its_own_kind() {
        let error = Error::io("write", Path::new("x"), std::io::Error::from(std::io::ErrorKind::StorageFull));
        assert_eq!(error.kind(), ErrorKind::DiskFull);
        assert!(std::error::Error::source(&error).is_some());
    }
}
