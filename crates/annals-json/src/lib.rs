//! Events as JSON: reading what clients send, filling in what they left out, writing what is stored.
//!
//! This crate knows the native form of an event and the rules every way in shares. It knows no HTTP,
//! opens no store, and leaves limits on sizes to [`annals_engine::Batch::push`].
//!
//! ```
//! let mut event = annals_json::parse_event(br#"{"event_type":"user.login","ts":1700000000000}"#)?;
//! event.fill_in();
//! assert_eq!(event.created_at_us, Some(1_700_000_000_000_000));
//! assert_eq!(event.get(annals_engine::Field::EventGroup), Some("user"));
//! # Ok::<(), annals_json::EventError>(())
//! ```
#![forbid(unsafe_code)]

mod error;
mod feed;
mod fill;
mod import_id;
mod incoming;
mod ndjson;
mod number;
mod parse;
mod payload;
mod reader;
mod scan;
mod text;
mod time;
mod write;

pub use error::EventError;
pub use feed::LineFeed;
pub use fill::{is_failure_word, map_severity};
pub use import_id::ImportIds;
pub use incoming::IncomingEvent;
pub use ndjson::{
    ERRORS_KEPT_MAX, Hook, LINE_SIZE_MAX, Line, LineError, Lines, Parsed, lines, parse_json, parse_json_with,
    parse_ndjson, parse_ndjson_with,
};
pub use parse::{JSON_DEPTH_MAX, parse_event, parse_event_into};
pub use payload::payload_of;
pub use reader::BatchReader;
pub use time::{Month, month_of, parse_millis, parse_time, write_iso, write_micros, write_millis};
pub use write::{Selection, write_event, write_text};
