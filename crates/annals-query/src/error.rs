//! The crate's one error type.

use std::fmt;

/// What a caller can do about an [`Error`]. Kinds are API; sentences are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No event the caller can see answers to that.
    NotFound,
    /// The caller sees the event but must not change it.
    Forbidden,
    /// An argument is outside its documented range: fix it.
    InvalidInput,
    /// The cursor is not one of this store for this caller, filter and order: start from the first page.
    InvalidCursor,
    /// What is allowed of time or of rows gone through is used up, or the answer would be too large: ask for less.
    TooExpensive,
    /// The engine failed; see [`Error::engine`].
    Engine,
}

/// An error of a query: a kind, one sentence and perhaps the engine's error.
///
/// ```
/// use annals_query::{CursorKey, ErrorKind, Query};
/// use annals_engine::TenantScope;
/// let query = Query::new(&TenantScope::Unlimited);
/// let error = CursorKey::new([7; 32]).decode("no cursor", &query).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidCursor);
/// ```
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<annals_engine::Error>,
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    pub(crate) fn invalid_input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    pub(crate) fn too_expensive(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::TooExpensive, message)
    }

    /// What the caller can do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The engine's error, if it is one; its own kind says more.
    pub fn engine(&self) -> Option<&annals_engine::Error> {
        self.source.as_ref()
    }
}

impl From<annals_engine::Error> for Error {
    fn from(source: annals_engine::Error) -> Self {
        let kind = match source.kind() {
            annals_engine::ErrorKind::InvalidInput => ErrorKind::InvalidInput,
            _ => ErrorKind::Engine,
        };
        Self { kind, message: source.to_string(), source: Some(source) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_error_keeps_its_kind_and_its_place() {
        let damaged = annals_engine::Error::corrupt("block checksum").at_offset(7);
        let error = Error::from(damaged);
        assert_eq!(error.kind(), ErrorKind::Engine);
        assert_eq!(error.engine().map(annals_engine::Error::kind), Some(annals_engine::ErrorKind::Corrupt));
        assert_eq!(error.to_string(), "block checksum (at byte 7)");
        let refused = Error::from(annals_engine::Error::invalid_input("too long"));
        assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    }
}
