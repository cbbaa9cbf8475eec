//! Why a command stops, in words that say what to do about it.

use std::fmt;
use std::io;

use annals_engine::ErrorKind;

/// A command's end before its time.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What went wrong and what to do.
    Message(String),
    /// Standard output was closed by whoever read it.
    OutputClosed,
}

/// A command's result.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    pub(crate) fn new(message: impl fmt::Display) -> Self {
        Failure::Message(message.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Message(message) => f.write_str(message),
            Failure::OutputClosed => f.write_str("nobody reads the output any more"),
        }
    }
}

/// Turns an error into a failure that says what was being done.
pub(crate) fn while_doing<E: fmt::Display>(action: impl fmt::Display) -> impl FnOnce(E) -> Failure {
    move |error| Failure::new(format_args!("cannot {action}: {error}"))
}

impl From<annals_engine::Error> for Failure {
    fn from(error: annals_engine::Error) -> Self {
        let advice = match error.kind() {
            ErrorKind::Locked => "\n`--url URL` names a running server, for the commands that have it.",
            ErrorKind::DiskFull => "\nMake room on the disk and run the command again: nothing is stored twice.",
            ErrorKind::Corrupt => {
                "\n`annals verify` lists every damage. If the store does not open, `annals serve --degraded` shows what is sound."
            }
            ErrorKind::UnsupportedFormat => "\nNothing is damaged: use the newer version of annals that wrote it.",
            _ => "",
        };
        Failure::new(format_args!("{error}{advice}"))
    }
}

impl From<annals_query::Error> for Failure {
    fn from(error: annals_query::Error) -> Self {
        Failure::new(error)
    }
}

impl From<annals_json::EventError> for Failure {
    fn from(error: annals_json::EventError) -> Self {
        Failure::new(error)
    }
}

/// Only for writing to standard output: everything else says what it was doing.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Failure::OutputClosed
        } else {
            Failure::new(format_args!("cannot write to standard output: {error}"))
        }
    }
}
