//! The engine as a whole against damage, failing disks, repeats, limits and many threads at once.

mod cleanup;
mod concurrency;
mod damage;
mod disk;
mod durability;
mod every_call;
mod idempotency;
mod limits;
mod recovery;
mod repeats;
mod support;
