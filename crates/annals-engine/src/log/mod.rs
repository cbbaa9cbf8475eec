//! Log files: preallocated, append-only files of frames.

mod file;
mod header;
mod recover;
mod scan;
#[cfg(test)]
mod tests;

pub(crate) use file::LogFile;
pub(crate) use header::LOG_HEADER_SIZE;
pub(crate) use recover::{Gap, RecoverContext, RecoveredLog, recover_log};
