//! Log files: preallocated, append-only files of frames.

#[cfg(test)]
mod crash_tests;
mod file;
mod header;
mod recover;
mod scan;
#[cfg(test)]
mod tests;

pub(crate) use file::LogFile;
pub(crate) use header::LOG_HEADER_SIZE;
pub(crate) use recover::{Gap, OnFrame, RecoverContext, RecoveredLog, recover_log};
