//! The engine as a whole against damage, failing disks, repeats, limits and many threads at once.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test: what goes wrong here is meant to panic")]

mod acknowledged;
mod aging;
mod ahead;
mod backup;
mod cleanup;
mod concurrency;
mod damage;
mod degraded;
mod disk;
mod durability;
mod every_byte;
mod every_call;
mod golden;
mod ground;
mod harms;
mod hold;
mod idempotency;
mod limits;
mod many_values;
mod notices;
mod recovery;
mod repair;
mod repair_bytes;
mod repair_manifest;
mod repaired;
mod repeats;
mod replace;
mod scrub;
mod support;
mod whole;
