//! A simulated machine for the event store: its disk forgets what was not synced, tears what was being written,
//! fails when it is told to, and does it all from one seed.
//!
//! [`World`] is the machine, [`SimStorage`] its disk and [`SimClock`] its clock as the engine sees them. [`run`] is a
//! seeded run of a store that crashes again and again, checked against what its acknowledgements promised;
//! [`every_call`] and [`every_recovery`] let each call of fixed scripts go wrong in turn.
#![forbid(unsafe_code)]

mod check;
mod clock;
mod disk;
mod every;
mod fault;
mod held;
mod image;
mod machine;
mod oracle;
mod random;
mod run;
mod script;
mod world;

pub use clock::SimClock;
pub use disk::SimStorage;
pub use every::{Counts, SCRIPTS, every_call, every_recovery};
pub use fault::Fault;
pub use random::Random;
pub use run::{Failure, Figures, RunOptions, run};
pub use world::World;
