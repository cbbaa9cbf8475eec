//! Log files: preallocated, append-only files of frames.

mod copy;
#[cfg(test)]
mod crash_tests;
mod describe;
mod file;
mod header;
mod recover;
mod scan;
#[cfg(test)]
mod tests;

pub(crate) use copy::CompleteLog;
pub(crate) use describe::describe_log;
pub(crate) use file::LogFile;
pub(crate) use header::LOG_HEADER_SIZE;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use recover::RecoveredLog;
pub(crate) use recover::{Gap, RecoverContext, recover_log};
