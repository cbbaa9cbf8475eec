//! Why a run ends before its time.

use std::fmt;

/// A sentence to show; a run that failed has no figures.
#[derive(Debug)]
pub struct Error(String);

/// A run's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// From whatever went wrong.
    pub fn new(message: impl fmt::Display) -> Self {
        Self(message.to_string())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl From<annals_engine::Error> for Error {
    fn from(error: annals_engine::Error) -> Self {
        Self::new(error)
    }
}

impl From<annals_query::Error> for Error {
    fn from(error: annals_query::Error) -> Self {
        Self::new(error)
    }
}
