//! What an operator does to a whole store, on a disk that fails in the middle of it.

#![expect(clippy::unwrap_used, reason = "a test: what goes wrong here is meant to panic")]

mod backup;
mod repair;
mod store;
