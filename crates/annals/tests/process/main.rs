//! The command line as its users have it: as processes, a server and what is said to it.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod degraded;
mod logs;
mod support;
mod tls;
