//! Queries over the events of an Annals store: filter, order, page of any depth, exact totals,
//! statistics, resume tokens, and deletes that stay inside the caller's tenant.
//!
//! A query runs over a [`View`], usually a snapshot of the engine, and costs O(parts + page): neither the
//! number of matches nor the offset counts. It is plain data and cannot be built without a
//! [`TenantScope`](annals_engine::TenantScope), which narrows every answer. The crate opens no file, reads
//! no clock and knows no JSON and no HTTP.
//!
//! ```no_run
//! use annals_engine::{Engine, Field, Filter, Options, TenantScope};
//! use annals_query::{Order, Query, StatsRequest, execute, stats};
//!
//! let engine = Engine::open(Options::new("events"))?;
//! let snapshot = engine.snapshot();
//! let logins = Query::new(&TenantScope::Unlimited).filter(Filter::term(Field::EventType, "user.login"));
//!
//! // The newest fifty, a million events back, with their exact total.
//! let never = || false;
//! let page = execute(&snapshot, &logins.clone().offset(1_000_000).limit(50), &never)?;
//! println!("{:?} in all, {} shown", page.total, page.events.len());
//!
//! // The fifty behind them, whatever was appended meanwhile.
//! if let Some(position) = page.next {
//!     execute(&engine.snapshot(), &logins.clone().after(position).limit(50), &never)?;
//! }
//!
//! let by_user = StatsRequest { by: vec![Field::UserId], top: Some(10), interval_us: None };
//! println!("{:?}", stats(&snapshot, &logins.order(Order::CreatedAtAsc), &by_user, &never)?.by);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod cursor;
mod delete;
mod error;
mod execute;
mod fingerprint;
mod lookup;
mod page;
mod plan;
mod query;
mod run;
mod sort;
mod stats;
mod tail;

pub use cursor::{CursorKey, CursorPosition};
pub use delete::{
    DeleteMode, DeleteOutcome, acknowledge, count_writable, deletable, delete_event, delete_matching, unacknowledge,
    writable_event,
};
pub use error::{Error, ErrorKind, Result};
pub use execute::execute;
pub use lookup::{EventRef, get, hoody_id};
pub use page::Page;
pub use plan::{Expired, View};
pub use query::{LIMIT_DEFAULT, LIMIT_MAX, Order, Query, Total};
pub use stats::{BUCKETS_MAX, DISTINCT_MAX, Stats, StatsRequest, count_in_buckets, stats};
pub use tail::{Tail, append_order};
