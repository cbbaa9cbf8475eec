//! Measured runs: what `annals bench` and the comparison with other stores have in common.
//!
//! A [`Workload`] holds events as parsed structs, in memory, before any clock starts; [`Arguments`] are
//! drawn from it, so that another store can be asked the same. What each figure counts is said where it
//! is made. The crate knows no other store and prints nothing.
#![forbid(unsafe_code)]

mod arguments;
mod deletes;
mod error;
mod ingest;
mod mixed;
mod process;
mod queries;
mod replay;
mod timing;
mod workload;

pub use arguments::{Arguments, RUNS};
pub use deletes::{Deleted, delete_matching, drop_oldest};
pub use error::{Error, Result};
pub use ingest::{How, Ingested, Opened, append_all, ingest, open_store, wait_until_checked};
pub use mixed::{Mixed, PAUSE_MS, mixed};
pub use process::{AnonymousPeak, Stopwatch, anonymous_bytes, disk_bytes};
pub use queries::{Answer, QUERIES, run_queries};
pub use timing::{Timings, per, ratio};
pub use workload::Workload;
