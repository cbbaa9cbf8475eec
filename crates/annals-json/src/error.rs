//! Why an event was not taken: one sentence for whoever sent it.

use std::fmt;

/// A sentence that names the key at fault and what is expected of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventError {
    /// Lower case, no full stop.
    pub message: String,
}

impl EventError {
    /// An error that says `message`.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for EventError {}

impl From<annals_engine::Error> for EventError {
    fn from(error: annals_engine::Error) -> Self {
        Self::new(error.message())
    }
}
