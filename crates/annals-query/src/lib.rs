//! Queries over the events of an Annals store: filter, order, page of any depth, exact totals,
//! statistics, resume tokens, and deletes that stay inside the caller's tenant.
//!
//! A query runs over a [`View`], usually a snapshot of the engine, and costs O(parts + page): neither the
//! number of matches nor the offset counts. It is plain data and cannot be built without a
//! [`TenantScope`](annals_engine::TenantScope), which narrows every answer. The crate opens no file, reads
//! no clock and knows no JSON and no HTTP.
//!
//! ```
//! use annals_engine::{AppendOptions, Batch, Engine, Event, Field, Filter, Options, TenantScope};
//! use annals_query::{Query, StatsRequest, execute, stats};
//!
//! # let directory = tempfile::tempdir()?;
//! # let mut options = Options::new(directory.path());
//! # options.log_size_bytes = annals_engine::LOG_SIZE_BYTES_MIN;
//! let engine = Engine::open(options)?;
//! let mut batch = Batch::new();
//! for user in ["ada", "bob", "ada"] {
//!     let mut event = Event::new("user.login");
//!     event.set(Field::UserId, user);
//!     batch.push(&event)?;
//! }
//! engine.append(batch, &AppendOptions::default())?;
//!
//! // The newest but one, and how many there are. `never` is where a deadline would go.
//! let logins = Query::new(&TenantScope::Unlimited).filter(Filter::term(Field::EventType, "user.login")).limit(1);
//! let never = || false;
//! let page = execute(&engine.snapshot(), &logins.clone().offset(1), &never)?;
//! assert_eq!((page.total, page.events[0].get(Field::UserId)), (Some(3), Some("bob")));
//!
//! // The one behind it, whatever was appended meanwhile.
//! let position = page.next.expect("there is an older one");
//! let page = execute(&engine.snapshot(), &logins.clone().after(position), &never)?;
//! assert_eq!((page.events[0].sequence, page.next), (1, None));
//!
//! let by_user = StatsRequest { by: vec![Field::UserId], top: Some(1), ..StatsRequest::default() };
//! let stats = stats(&engine.snapshot(), &logins, &by_user, &never)?;
//! assert_eq!(stats.by, [(Field::UserId, vec![("ada".to_owned(), 2)])]);
//! # engine.close()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod counts;
mod cursor;
mod delete;
mod error;
mod execute;
mod fingerprint;
mod holes;
mod lookup;
mod notices;
mod notifications;
mod page;
mod plan;
mod query;
mod run;
mod sort;
mod split;
mod stats;
mod tail;
mod values;
mod whole;

pub use cursor::{CursorKey, CursorPosition};
pub use delete::{
    DeleteMode, DeleteOutcome, acknowledge, count_writable, deletable, delete_event, delete_event_among,
    delete_matching, unacknowledge, writable_event,
};
pub use error::{Error, ErrorKind, Result};
pub use execute::execute;
pub use holes::holes;
pub use lookup::{Counts, EventRef, get, get_among, hoody_id, sequences_with_id};
pub use notices::{Reading, amend, mark_read, read_receipt, replaceable};
pub use notifications::{
    delete_notification, is_expired, is_global, notification_for, target_user_ids, writable_notification,
};
pub use page::Page;
pub use plan::{Expired, View};
pub use query::{LIMIT_DEFAULT, LIMIT_MAX, Order, Query, Total};
pub use split::{SPLIT_VALUES_MAX, Split};
pub use stats::{BUCKETS_MAX, DISTINCT_MAX, Stats, StatsRequest, count_in_buckets, stats};
pub use tail::{Tail, append_order};
pub use values::{Values, values};

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
